"""The figures for a program; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

if TYPE_CHECKING:
    from pipeline.quality.metrics import Quality, QualityStats


def as_facts(quality: Quality) -> dict[str, Any]:
    """The figures as `--json` prints them, with every rate computed; a rate of nothing is null."""
    facts: dict[str, Any] = msgspec.to_builtins(replace(quality, agreement=None))
    facts["agreement"] = quality.agreement.facts()
    facts["total"] = _facts(quality.total)
    facts["by"] = {
        name: {key: _facts(stats) for key, stats in group.items()}
        for name, group in quality.groups.items()
    }
    facts["pace"] = {name: each.facts() for name, each in quality.pace.items()}
    facts["confusions"] = [
        {"said": words.reference, "heard": words.hypothesis, "count": count, "tasks": tasks}
        for (words, count), tasks in zip(quality.confusions, quality.places, strict=True)
    ]
    del facts["groups"], facts["curve"], facts["places"]
    return facts


def _facts(stats: QualityStats) -> dict[str, Any]:
    return {
        "reviews": stats.reviews,
        "unchanged": stats.unchanged,
        "hours": stats.milliseconds / 3_600_000,
        "wer": stats.words.rate,
        "cer": stats.characters.rate,
        "words": stats.words.facts(),
        "characters": stats.characters.facts(),
    }
