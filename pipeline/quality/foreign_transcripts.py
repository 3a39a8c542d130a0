"""Transcripts of any engine in a folder ─► texts by recording.

A file belongs to the recording whose key, with or without its extension, the file's path ends as:
`calls/a.mp3` is in `calls/a.json`, `calls/a.mp3.txt` or `a.ctm`, unless a second recording is
called `a` as well.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.errors import OutputUnusable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

_WHERE = ("transcripts", "transcript", "text", "segments", "results", "channels", "alternatives")
"""Where engines keep the text: Amazon Transcribe, Whisper, Deepgram, Google and others."""

_BEGIN, _WORD = 2, 4  # of a line of CTM: recording, channel, begin, duration, word


def transcripts_in(
    folder: Path, audio: Collection[str], known: Collection[str] = ()
) -> dict[str, str]:
    """The texts of those recordings that have a file, by their URIs.

    Args:
        folder: of the files.
        audio: the recordings.
        known: every recording whose file may be there, which may have such a name too.

    Raises:
        OutputUnusable: a file can't be read, or holds no transcript.
    """
    files = {
        PurePosixPath(path.relative_to(folder).as_posix()).with_suffix("").as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in _READERS and path.is_file()
    }
    owners = Counter(tail for each in {*audio, *known} for tail in set(_tails(each)))
    found = {}
    for each in audio:
        tails = (tail for tail in _tails(each) if owners[tail] == 1 and tail in files)
        if tail := next(tails, None):
            found[each] = _read(files[tail])
    return found


def _tails(audio: str) -> Iterator[str]:
    """What the name of a recording's file may be, the longest first."""
    parts = audio.rpartition("://")[2].split("/")
    for first in range(len(parts)):
        name = "/".join(parts[first:])
        yield name
        stem, dot, extension = name.rpartition(".")
        if dot and "/" not in extension:
            yield stem


def _read(path: Path) -> str:
    try:
        text = _READERS[path.suffix.lower()](path.read_bytes().removeprefix(BOM_UTF8))
    except (OSError, ValueError, RecursionError) as error:
        raise OutputUnusable(f"{path} can't be read: {error}") from error
    if text is None:
        raise OutputUnusable(
            f"{path} holds no transcript",
            "JSON has it under `text`, `transcript`, `segments` or `results`.",
        )
    return text


def _of_json(content: bytes) -> str | None:
    return _text_in(orjson.loads(content))


def _text_in(value: Any) -> str | None:
    """The text of a whole document; of several alternatives the first."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        texts = [_text_in(each) for each in value]
        return None if None in texts else " ".join(filter(None, texts))
    if isinstance(value, dict):
        for name in _WHERE:
            inner = value.get(name)
            text = _text_in(inner[:1] if name == "alternatives" and inner else inner)
            if text is not None:
                return text
    return None


def _of_ctm(content: bytes) -> str:
    lines = (line.split() for line in content.decode().splitlines() if not line.startswith(";;"))
    words = (each for each in lines if len(each) > _WORD and not each[_WORD].startswith("<"))
    spoken = sorted(words, key=lambda each: float(each[_BEGIN]))  # the channels may follow in turn
    return " ".join(each[_WORD] for each in spoken)


_READERS: dict[str, Callable[[bytes], str | None]] = {
    ".json": _of_json,
    ".txt": bytes.decode,
    ".ctm": _of_ctm,
}
