"""What jobs cost, by the prices in the settings. Pure.

Amazon Transcribe bills batch jobs by the second of audio, 15 seconds at least each; two channels
are one recording. What a job asks for beyond the transcript is billed by the second on top. (AWS's
pricing page, as read by others in 2026; it could not be read word for word.)
"""

from __future__ import annotations

import math
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from pipeline.config.schema import Prices

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.config.transcription import Transcribe

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
