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

_BLOCK = 2**18


def is_bounded(
    document: bytes, most: int = MOST_CONTAINERS, *, opening: tuple[bytes, ...] = (b"{", b"[", b"<")
) -> bool:
    """Whether a document has few enough values to be read; those in its texts count as well.

    Args:
        document: JSON or XML.
        most: how many containers it may have.
        opening: what these begin with.
    """
    return _are_few(document, (b",",), MOST_VALUES) and _are_few(document, opening, most)


def _are_few(document: bytes, marks: tuple[bytes, ...], most: int) -> bool:
    """Whether a document has few enough of some marks, each of which has a byte beside it.

    A container begins and ends, and a value stands before a comma. Counting takes a third of the
    time of reading, so it stops where the rest is too short to hold too many.
    """
    size, found = len(document), 0
    for start in range(0, size, _BLOCK):
        if found + (size - start + 1) // 2 <= most:
            return True
        found += sum(document.count(mark, start, start + _BLOCK) for mark in marks)
    return found <= most
