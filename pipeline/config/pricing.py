"""What jobs cost, by the prices in the settings. Pure.

Amazon Transcribe bills batch jobs by the second of audio, 15 seconds at least each; two channels
are one recording. What a job asks for beyond the transcript is billed by the second on top. (AWS's
pricing page, as read by others in 2026; it could not be read word for word.)
"""

from __future__ import annotations

import math
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.config.transcription import Transcribe


class Prices(msgspec.Struct, frozen=True):
    """What a minute of audio costs; from here come all costs that the program tells."""

    currency: Annotated[str, Meta(description="Currency of the prices.")] = "USD"
    prices_date: Annotated[
        str, Meta(description="When and where the prices were read; shown with every cost.")
    ] = "2026-10, us-east-1"
    price_per_minute: Annotated[
        float, Meta(ge=0, le=1_000_000, description="Price of a minute of batch transcription.")
    ] = 0.006
    price_of_redaction: Annotated[
        float, Meta(ge=0, le=1_000_000, description="Price of redacting a minute, on top.")
    ] = 0.0024
    price_of_language_model: Annotated[
        float,
        Meta(ge=0, le=1_000_000, description="Price of a custom language model a minute, on top."),
    ] = 0.0
    price_of_toxicity: Annotated[
        float,
        Meta(ge=0, le=1_000_000, description="Price of toxicity detection a minute, on top."),
    ] = 0.0
    price_tiers: Annotated[
        list[str],
        Meta(description="Other prices of the first minutes of a month: '250000: 0.024', ..."),
    ] = msgspec.field(default_factory=list)
    minutes_this_month: Annotated[
        float, Meta(ge=0, description="Minutes billed this month before, for the tiers.")
    ] = 0.0


LEAST_BILLED = 15
"""Seconds; what a shorter recording is billed for."""

FREE = Prices(price_per_minute=0.0, price_of_redaction=0.0)
"""The prices of a folder's recordings, which this machine recognises."""


class Item(StrEnum):
    """What is billed by the second of audio; each job has the first one."""

    TRANSCRIPTION = "transcription"
    REDACTION = "redaction"
    LANGUAGE_MODEL = "custom language model"
    TOXICITY = "toxicity detection"


def items_of(options: Transcribe) -> tuple[Item, ...]:
    """What a job with these settings is billed for."""
    items = {
        Item.TRANSCRIPTION: True,
        Item.REDACTION: options.redaction,
        Item.LANGUAGE_MODEL: options.language_model or options.language_models,
        Item.TOXICITY: options.toxicity,
    }
    return tuple(item for item, wanted in items.items() if wanted)


def billed_seconds(seconds: float) -> int:
    """What one job is billed for a recording of that many seconds."""
    return max(LEAST_BILLED, math.ceil(round(seconds, 3)))


def cost(billed: Mapping[Item, float], prices: Prices) -> float:
    """What so many billed seconds of each item cost, in the prices' currency."""
    more = (Item.REDACTION, Item.LANGUAGE_MODEL, Item.TOXICITY)
    minutes = billed.get(Item.TRANSCRIPTION, 0) / 60
    return _transcription(minutes, prices) + sum(
        billed.get(item, 0) / 60 * _price_of(item, prices) for item in more
    )


def unknown_prices(items: Iterable[Item], prices: Prices) -> list[Item]:
    """Which of the items have no price in the settings, so that a cost lacks them."""
    return [item for item in items if item != Item.TRANSCRIPTION and not _price_of(item, prices)]


def _price_of(item: Item, prices: Prices) -> float:
    return {
        Item.TRANSCRIPTION: prices.price_per_minute,
        Item.REDACTION: prices.price_of_redaction,
        Item.LANGUAGE_MODEL: prices.price_of_language_model,
        Item.TOXICITY: prices.price_of_toxicity,
    }[item]


def _transcription(minutes: float, prices: Prices) -> float:
    """The price of the next so many minutes of the month."""
    begin = prices.minutes_this_month
    end = begin + minutes
    tiers = parse_tiers(prices.price_tiers)
    bounds = [0.0, *(upto for upto, _ in tiers), math.inf]
    each = [*(price for _, price in tiers), prices.price_per_minute]
    return sum(
        max(0.0, min(end, high) - max(begin, low)) * price
        for (low, high), price in zip(pairwise(bounds), each, strict=True)
    )


def parse_tiers(tiers: Iterable[str]) -> list[tuple[float, float]]:
    """Up to how many minutes of a month which price holds, from texts such as "250000: 0.024".

    Raises:
        ValueError: one is written otherwise, or they do not rise.
    """
    parsed = []
    for text in tiers:
        upto, _, price = text.partition(":")
        parsed.append((float(upto), float(price)))
    minutes = [0.0, *(upto for upto, _ in parsed)]
    finite = all(math.isfinite(upto) and 0 <= price < math.inf for upto, price in parsed)
    if not finite or any(high <= low for low, high in pairwise(minutes)):
        raise ValueError("the minutes must rise, and no price can be below 0")
    return parsed
