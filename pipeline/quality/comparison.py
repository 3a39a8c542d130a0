"""Settings tried on reviewed recordings: on which ones, with which jobs, and what changed."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from pipeline.config.pricing import billed_seconds, cost, items_of
from pipeline.errors import BadSettings
from pipeline.files import replacing
from pipeline.ground_truth.record import read_ground_truth
from pipeline.quality.bootstrap import PairedComparison, Recording, judge
from pipeline.quality.error_rate import compare
from pipeline.quality.missed_phrases import reviews
from pipeline.quality.normalise import has_words
from pipeline.text import count_of
from pipeline.vocabulary.service import one_language

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.config.label_studio import LabelStudio
    from pipeline.config.pricing import Prices
    from pipeline.config.transcription import Transcribe
    from pipeline.ground_truth.record import GroundTruth
    from pipeline.naming import S3Uri


def sampled(known: LabelStudio, wanted: Transcribe, place: S3Uri, size: int) -> list[GroundTruth]:
    """Reviews below SOURCE, one a recording; a larger sample holds the smaller ones.

    A vocabulary is of one language; other settings are tried on all dialects of their language, or
    on every language where it is to be identified.

    Raises:
        BadSettings: there is none.
    """
    language = one_language(wanted) if wanted.vocabulary else None
    path = Path(known.ground_truth)
    found = [
        review
        for audio, review in reviews(read_ground_truth(path), language, known.prefer).items()
        if audio.startswith(str(place)) and review.text.strip() and _is_spoken(review, wanted)
    ]
    if not found:
        language = language or ("" if wanted.identifies else wanted.language)
        spoken = f" in {language}" if language else ""
        raise BadSettings(
            f"{path} holds no review{spoken} of a recording below {place}",
            "Review some in Label Studio and `pull`, or name another --ground-truth.",
        )
    by_chance = sorted(found, key=lambda each: blake2b(each.audio.encode()).digest())
    return by_chance[:size] if size else by_chance


def _is_spoken(review: GroundTruth, wanted: Transcribe) -> bool:
    """Whether the settings are for the language of a review, whatever its dialect."""
    codes = (each.partition("-")[0] for each in (review.language or "", wanted.language))
    return not review.language or wanted.identifies or len(set(codes)) == 1


def write_manifest(path: Path, reviews: Iterable[GroundTruth]) -> None:
    """Write which recordings are to be heard again.

    Raises:
        OutputUnusable: it can't be written.
    """
    with replacing(path, b'{"uri":') as file:
        file.writelines(orjson.dumps({"uri": each.audio}) + b"\n" for each in reviews)


def cost_of(reviews: Sequence[GroundTruth], wanted: Transcribe, prices: Prices) -> str:
    """What it costs to hear the recordings again, as a sentence."""
    known = [billed_seconds(each.duration) for each in reviews if each.duration is not None]
    billed = dict.fromkeys(items_of(wanted), float(sum(known)))
    unknown = len(reviews) - len(known)
    return (
        f"{count_of(len(reviews), 'recording is', 'recordings are')} to be transcribed again: "
        f"{sum(known) / 60:,.1f} billed minutes, about {prices.currency} "
        f"{cost(billed, prices):,.2f} at the prices of {prices.prices_date}"
        + (f", and {unknown:,} whose length is not known." if unknown else ".")
    )


def compared(
    reviews: Iterable[GroundTruth], texts: Mapping[str, str], language: str
) -> PairedComparison:
    """Each recording that was heard again, before and after, and what they add up to."""
    found = []
    for each in reviews:
        if each.audio in texts:
            spoken = each.language or language
            before = compare(each.text, each.predicted or "", spoken)
            after = compare(each.text, texts[each.audio], spoken)
            found.append(Recording(each.audio, before.units, after.units, has_words(spoken)))
    return judge(found)
