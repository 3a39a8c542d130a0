"""Transcripts of any engine in a folder ─► texts by recording.

A file belongs to the recording whose key, with or without its extension, the file's path ends as:
`calls/a.mp3` is in `calls/a.json`, `calls/a.mp3.txt` or `a.ctm`, unless a second recording is
called `a` as well. Of several such files the one with the longest name counts, and of `a.json`,
`a.ctm` and `a.txt` the first.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections import Counter, defaultdict
from operator import itemgetter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from pipeline.errors import OutputUnusable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

_WHERE = ("transcripts", "transcript", "text", "segments", "results", "channels", "alternatives")
"""Where engines keep the text: Amazon Transcribe, Whisper, Deepgram, Google and others."""

_WORDS = ("punctuated_word", "word", "text")
_STARTS = ("start", "start_time", "startTime", "startOffset")
"""What a word and its time are called: Deepgram, Google and others."""

_BEGIN, _WORD = 2, 4  # of a line of CTM: recording, channel, begin, duration, word


class Found(NamedTuple):
    """What a folder has.

    `texts` are those of the recordings, by their URIs; `unreadable` says of each file that can't be
    read why; `several` has the files of each recording that has more than one, the taken one first.
    """

    texts: dict[str, str]
    unreadable: list[OutputUnusable]
    several: list[list[Path]]


def transcripts_in(folder: Path, audio: Collection[str], known: Collection[str] = ()) -> Found:
    """The texts of those recordings that have a file.

    Args:
        folder: of the files.
        audio: the recordings.
        known: every recording whose file may be there, which may have such a name too.
    """
    files = _files_below(folder)
    owners = Counter(tail for each in {*audio, *known} for tail in set(_tails(each)))
    found = Found({}, [], [])
    for each in audio:
        own = [path for tail in _tails(each) if owners[tail] == 1 for path in files.get(tail, ())]
        if own[1:]:
            found.several.append(own)
        if own:
            try:
                found.texts[each] = _read(own[0])
            except OutputUnusable as error:
                found.unreadable.append(error)
    return found


def _files_below(folder: Path) -> dict[str, list[Path]]:
    """The transcripts by their names without the extension, those of one name as they count."""
    order, files = list(_READERS), defaultdict(list)
    paths = [path for path in folder.rglob("*") if path.suffix.lower() in order and path.is_file()]
    for path in sorted(paths, key=lambda path: (order.index(path.suffix.lower()), path)):
        name = PurePosixPath(path.relative_to(folder).as_posix())
        files[name.with_suffix("").as_posix()].append(path)
    return files


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
        raise OutputUnusable(
            f"{path} can't be read: {error}", "Write it anew as UTF-8, or take it away."
        ) from error
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
            text = _by_time(inner) if inner and _are_channels(name, inner) else None
            if text is None:
                text = _text_in(inner[:1] if name == "alternatives" and inner else inner)
            if text is not None:
                return text
    return None


def _are_channels(name: str, value: Any) -> bool:
    """Whether a list has what was said on several channels: of Deepgram, or of Google."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        return False
    return len(value) > 1 and (
        name == "channels"
        or (name == "results" and len({each.get("channelTag") for each in value}) > 1)
    )


def _by_time(channels: list[dict[str, Any]]) -> str | None:
    """The words of all channels as they followed each other; None where one has no time."""
    spoken = []
    try:
        for channel in channels:
            for word in channel["alternatives"][0]["words"]:
                text = next(word[name] for name in _WORDS if name in word)
                begin = next(word[name] for name in _STARTS if name in word)
                spoken.append((float(str(begin).removesuffix("s")), str(text)))
    except (LookupError, TypeError, ValueError, StopIteration):
        return None
    return " ".join(text for _, text in sorted(spoken, key=itemgetter(0)))


def _of_ctm(content: bytes) -> str:
    lines = (line.split() for line in content.decode().splitlines() if not line.startswith(";;"))
    words = (each for each in lines if len(each) > _WORD and not each[_WORD].startswith("<"))
    spoken = sorted(words, key=lambda each: float(each[_BEGIN]))  # the channels may follow in turn
    return " ".join(each[_WORD] for each in spoken)


_READERS: dict[str, Callable[[bytes], str | None]] = {
    ".json": _of_json,
    ".ctm": _of_ctm,
    ".txt": bytes.decode,
}
