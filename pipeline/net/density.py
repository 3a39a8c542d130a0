"""How much memory JSON or XML takes once it is read, told before it is; pure.

A kilobyte of it can be a hundred of objects: `{}` is two bytes, and what it becomes 150.
"""

from __future__ import annotations

MOST_CONTAINERS = 400_000
"""Objects, arrays and tags of one answer: a page of a listing has 30,000, and twenty reviewed tasks
of an hour in segments 100,000."""

MOST_OF_A_TRANSCRIPT = 1_000_000
"""A transcript has 90,000 for an hour; one of four hours with ten alternatives 800,000."""

MOST_VALUES = 8_000_000
"""Values of one document, of which an array of numbers holds one in two bytes."""

_SMALL = 2**20
"""Bytes; what is smaller can't be too much."""


def is_bounded(
    document: bytes, most: int = MOST_CONTAINERS, *, opening: tuple[bytes, ...] = (b"{", b"[", b"<")
) -> bool:
    """Whether a document has few enough values to be read; those in its texts count as well.

    Counting takes a third of the time of reading, so what is too small to have so many is not.

    Args:
        document: JSON or XML.
        most: how many containers it may have.
        opening: what these begin with.
    """
    size = len(document)
    if size < max(_SMALL, 2 * most):  # each begins and ends
        return True
    few = size <= MOST_VALUES or document.count(b",") <= MOST_VALUES
    return few and sum(map(document.count, opening)) <= most
