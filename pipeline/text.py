"""Words for people: durations, and foreign text that can do no harm on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def duration(seconds: float) -> str:
    """A duration in words of at most two units."""
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    whole = max(0, round(seconds))
    index = next((i for i, (size, _) in enumerate(units) if whole >= size), len(units) - 1)
    parts: list[str] = []
    for size, name in units[index : index + 2]:
        count, whole = divmod(whole, size)
        if count or not parts:
            parts.append(f"{count} {name}")
    return " ".join(parts)


def printable(text: str) -> str:
    """A key or message on one line, control characters escaped, other Unicode as it is."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def tally(counts: Mapping[str, int]) -> str:
    """How many there are of each kind, the most frequent first: `9 not audio, 2 excluded`."""
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{count:,} {kind}" for kind, count in ordered)
