"""What the endpoint asks of a recogniser: the seam between the service's ways and the speech."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One recognised word; `start` and `end` are seconds, `confidence` is 0..1.

    `channel` is 0 unless channels were recognised apart.
    """

    text: str
    start: float
    end: float
    confidence: float
    channel: int = 0


class Versions(NamedTuple):
    """What may have been said in one stretch of speech, the likeliest first; times in seconds."""

    start: float
    end: float
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Speech:
    """What was said in one file.

    `duration` is in seconds; `media_format` is the service's name of it and `sample_rate` is in
    Hz, both as detected in the file. `channels` is how many were recognised apart (1 for a
    down-mix). `versions` are there where they were asked for and the recogniser has them.
    """

    words: tuple[SpokenWord, ...]
    duration: float
    media_format: str
    sample_rate: int
    channels: int = 1
    versions: tuple[Versions, ...] = ()


class Phrase(NamedTuple):
    """One row of a custom vocabulary: the words as they are said, and how they are written."""

    words: tuple[str, ...]
    shown: str


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """What the job says about its file; None where the job leaves it to detection.

    `phrases` are those of the job's custom vocabulary, `versions` how many are wanted of each
    stretch of speech, the best one included.
    """

    channel_identification: bool = False
    media_format: str | None = None
    sample_rate: int | None = None
    phrases: tuple[Phrase, ...] = ()
    versions: int = 1


class Task(NamedTuple):
    """What a recognising process is asked: the path of a file, as bytes, and the job's settings."""

    path: bytes
    settings: MediaSettings


class Answer(NamedTuple):
    """What a recognising process says of a file: its speech, or why it was refused."""

    speech: Speech | None
    refused: str = ""


class MediaRefused(Exception):
    """The file can't be transcribed; `reason` becomes the job's FailureReason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Recogniser(AbstractAsyncContextManager["Recogniser"], Protocol):
    """Recognises files; opened and closed once, asked by many jobs at a time.

    Opening may put expensive work off until the first file; closing waits for nothing.
    """

    async def recognise(self, path: Path, settings: MediaSettings) -> Speech:
        """Recognise the file.

        Raises:
            MediaRefused: the file itself is at fault.
        """
        ...
