"""A file somewhere else as one that can be read: only those parts are fetched that are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HEAD = 2**16
"""Bytes of the first part; most headers are smaller."""

AT_ONCE = 2**20
"""Bytes of the longest part, where one reads on and on."""

_MOST = 2**24  # bytes of one file: more than the index of a recording of eight hours
_KEPT = 4


class _Seekable:
    """Where a reader of `size` bytes stands."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._position = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move the position as files do."""
        base = (0, self._position, self.size)[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position


class RangeReader(_Seekable):
    """A file of which only those parts are fetched that are read; for one thread.

    Args:
        size: bytes.
        fetch: gives the bytes from the first to the last one, both included.
    """

    def __init__(self, size: int, fetch: Callable[[int, int], bytes]) -> None:
        super().__init__(size)
        self.fetched = 0
        self.error: BaseException | None = None
        self._fetch = fetch
        self._parts: list[tuple[int, bytes]] = []
        self._next = HEAD
        self._expected = -1

    def read(self, most: int) -> bytes:
        """Up to so many bytes from the position on; none at the end."""
        if self._position >= self.size:
            return b""
        start, part = self._part(self._position)
        found = part[self._position - start :][:most]
        self._position += len(found)
        return found

    def _part(self, position: int) -> tuple[int, bytes]:
        """A part of the file that holds the byte at the position, longer ones where it reads on."""
        for start, part in self._parts:
            if start <= position < start + len(part):
                return start, part
        self._next = min(2 * self._next, AT_ONCE) if position == self._expected else HEAD
        if self.fetched > _MOST:
            raise OSError("so much of a file is not read")
        last = min(self.size, position + self._next) - 1
        try:
            content = self._fetch(position, last)
        except BaseException as error:
            self.error = error  # FFmpeg may take it for the end of the file
            raise
        self.fetched += len(content)
        self._expected = position + len(content)
        self._parts = [*self._parts[-_KEPT:], (position, content)]
        return self._parts[-1]


class Piece(NamedTuple):
    """Bytes of a file from `start` to `end`; with a `filler` what it begins with, zeros behind."""

    start: int
    end: int
    filler: bytes | None = None


class SplicedReader(_Seekable):
    """A file put together of pieces of another one: the demuxers never see what lies between."""

    def __init__(self, file: RangeReader, pieces: Iterable[Piece]) -> None:
        self._file = file
        self._pieces = [each for each in pieces if each.end > each.start]
        super().__init__(sum(each.end - each.start for each in self._pieces))

    def read(self, most: int) -> bytes:
        """Up to so many bytes from the position on; none at the end."""
        begin = 0
        for start, end, filler in self._pieces:
            inside = self._position - begin
            begin += end - start
            if inside < end - start:
                most = min(most, end - start - inside)
                self._file.seek(start + inside)
                if filler is None:
                    found = self._file.read(most)
                else:
                    found = filler[inside:][:most].ljust(most, b"\0")
                self._position += len(found)
                return found
        return b""
