"""Cuts one channel's sound where nobody speaks; pure, whether a frame is speech is asked outside.

The wheels' own endpointer cuts differently from version to version, mid-word in some.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FRAME = 0.03
"""Seconds in one frame, the longest that a WebRTC voice detector takes."""

_BEFORE = 17  # frames kept before speech is sure: a clipped first sound spoils the first words
_SURE = 5  # speaking frames among those that make it sure
_AFTER = 20  # silent frames in a row that end an utterance
_LONG = 20 / FRAME
_TOO_LONG = 30 / FRAME

Utterance = tuple[float, bytes]
"""When it begins, in seconds, and its samples."""


class Utterances:
    """What is spoken in one channel.

    Speech that does not pause is cut after 20 s at the first quiet frame, after 30 s anywhere.
    """

    def __init__(self, frame_bytes: int, is_speech: Callable[[bytes], bool]) -> None:
        self._frame_bytes = frame_bytes
        self._is_speech = is_speech
        self._rest = b""
        self._position = 0
        self._before: deque[tuple[bytes, bool]] = deque(maxlen=_BEFORE)
        self._frames: list[bytes] = []
        self._quiet = 0

    def feed(self, sound: bytes) -> Iterator[Utterance]:
        """Take more sound; yields the utterances that have ended."""
        sound = self._rest + sound
        size = self._frame_bytes
        whole = len(sound) // size * size
        self._rest = sound[whole:]
        for start in range(0, whole, size):
            yield from self._take(sound[start : start + size])

    def finish(self) -> Iterator[Utterance]:
        """The sound has ended; yields what was still being spoken."""
        if self._frames:
            yield self._cut(self._rest)

    def _take(self, frame: bytes) -> Iterator[Utterance]:
        speaking = self._is_speech(frame)
        self._position += 1
        if not self._frames:
            self._wait(frame, speaking=speaking)
            return
        self._frames.append(frame)
        self._quiet = 0 if speaking else self._quiet + 1
        length = len(self._frames)
        if self._quiet >= _AFTER or length >= _TOO_LONG or (length >= _LONG and self._quiet):
            yield self._cut()

    def _wait(self, frame: bytes, *, speaking: bool) -> None:
        self._before.append((frame, speaking))
        if sum(spoke for _, spoke in self._before) >= _SURE:
            self._frames = [waiting for waiting, _ in self._before]
            self._before.clear()
            self._quiet = 0

    def _cut(self, rest: bytes = b"") -> Utterance:
        start = (self._position - len(self._frames)) * FRAME
        speech = b"".join(self._frames) + rest
        self._frames = []
        return start, speech
