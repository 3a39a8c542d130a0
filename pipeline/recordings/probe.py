"""How long a recording is, as its container says; a part or two of the file are read for that.

FFmpeg's demuxers (PyAV) read the containers; what they ask for is fetched when they ask for it.
Some files do not say how long they are: those that a browser recorded (WebM, fragmented MP4), and
FLAC that was written to a pipe. Their end is read as well, and tells the time of its last packet.
AMR has no header: its packets are counted, of very long ones those of the first 4 MiB (most of an
hour). Of MP3 without a Xing or VBRI header the bit rate is taken to be that of its beginning.
"""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import av

from pipeline.failures import (
    FORMAT_MISMATCH,
    NOT_VALID,
    SAMPLE_RATE,
    TOO_LONG,
    TOO_MANY_CHANNELS,
    TOO_SHORT,
    UNSUPPORTED,
)
from pipeline.recordings.formats import is_format
from pipeline.recordings.range_reader import AT_ONCE, HEAD, Piece, RangeReader, SplicedReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av.container import InputContainer

# Only what is sound in one file: a playlist could make the decoder open other files.
DEMUXERS = (
    "wav,w64,mp3,flac,ogg,amr,amrnb,amrwb,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,"
    "aac,ac3,aiff,ape,asf,au,avi,caf,flv,mpeg,mpegts,wv"
)
SHORTEST = 0.5
"""Seconds; the service refuses less."""

LONGEST = 8 * 3600.0
"""Seconds; no Region is known to take more, and some take four hours."""

DOUBTFUL = 4 * 3600.0
"""Seconds; the documents differ about more, so some Regions may refuse it."""

SAMPLE_RATES = range(8_000, 48_001)
MOST_CHANNELS = 2

_OPTIONS = {
    "format_whitelist": DEMUXERS,
    "probesize": str(2**18),  # FFmpeg's own is 5 MB, which it would fetch of many an MP3
    "analyzeduration": "1000000",
}
_FORMATS = {"wav": "wav", "w64": "wav", "mp3": "mp3", "flac": "flac", "ogg": "ogg", "amr": "amr"}
_MICROSECONDS = 1_000_000
_MOST_COUNTED = 2**22
_TAG = 10
_ENDS = (2**16, 2**20)
_LEAST_HOLE = 16


class AudioInfo(NamedTuple):
    """What a container says of its sound.

    `media_format` is the service's name of what the file is, "" for what the service does not take.
    """

    seconds: float
    channels: int
    sample_rate: int
    media_format: str


class _Mark(NamedTuple):
    """Where a demuxer can begin to read in the midst of a file that says not how long it is.

    `before` is what stands in front of the mark; `hole` makes the beginning of an element of that
    many bytes that demuxers pass over, so that what follows stays where it was.
    """

    bytes_: bytes
    before: int
    hole: Callable[[int], bytes | None]


_MARKS = {
    "matroska": _Mark(b"\x1f\x43\xb6\x75", 0, lambda n: b"\xec\x01" + (n - 9).to_bytes(7)),
    "mov": _Mark(b"moof", 4, lambda n: b"\0\0\0\1free" + n.to_bytes(8)),
    "flac": _Mark(b"\xff\xf8", 0, lambda _: None),
}


class Unreadable(Exception):
    """The file holds nothing that the service could transcribe; `reason` is the class of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_audio(file: RangeReader) -> AudioInfo:
    """What the container of a file says of its sound; it blocks while parts are fetched.

    Raises:
        Unreadable: it is no media, or has no sound.
    """
    try:
        return _read_audio(file)
    except (av.FFmpegError, ValueError, OSError, UnicodeError) as error:
        if file.error is not None:
            raise file.error from error
        raise Unreadable(NOT_VALID) from error


def _read_audio(file: RangeReader) -> AudioInfo:
    begin = _after_tags(file)
    file.seek(begin)
    head = file.read(HEAD)
    if head[4:8] == b"ftyp" and b"moof" in head:
        return _from_the_end(file, begin, "mov", head)  # FFmpeg would look at every fragment
    with _opened(SplicedReader(file, [Piece(begin, file.size)])) as container:
        kind = container.format.name.partition(",")[0]
        sound = _sound(container, head, (container.duration or 0) / _MICROSECONDS)
        if kind.startswith("amr"):
            return sound._replace(seconds=_counted(container, file))
    return sound if sound.seconds > 0 else _from_the_end(file, begin, kind, head)


def _sound(container: InputContainer, head: bytes, seconds: float) -> AudioInfo:
    codec = container.streams.audio[0].codec_context
    kind = media_format(container, head)
    return AudioInfo(seconds, codec.layout.nb_channels, codec.sample_rate, kind)


def _after_tags(file: RangeReader) -> int:
    """Where the file begins after an ID3 tag, which may hold megabytes of pictures."""
    file.seek(0)
    tag = file.read(_TAG)
    if tag[:3] != b"ID3" or len(tag) < _TAG:
        return 0
    length = 0
    for byte in tag[6:]:
        length = length << 7 | byte & 0x7F
    return length + _TAG if length + _TAG < file.size else 0


@contextmanager
def _opened(file: SplicedReader) -> Iterator[InputContainer]:
    """The container, which has sound that FFmpeg knows.

    Raises:
        Unreadable: it has none.
    """
    with av.open(
        file, "r", options=_OPTIONS, metadata_errors="ignore", buffer_size=HEAD
    ) as container:
        if not container.streams.audio or container.streams.audio[0].codec_context is None:
            raise Unreadable(UNSUPPORTED)
        yield container


def media_format(container: InputContainer, head: bytes) -> str:
    """The service's name of an open file's format; "" for one that it does not take."""
    names = container.format.name
    if names.startswith("mov,"):
        return "m4a" if container.metadata.get("major_brand", "").startswith("M4A") else "mp4"
    if names.startswith("matroska"):
        return "webm" if b"webm" in head[:64] else ""
    return _FORMATS.get(names, "")


def _counted(container: InputContainer, file: RangeReader) -> float:
    """The length of all packets; where there are very many, in proportion to the first of them."""
    seconds = 0.0
    for packet in container.demux(audio=0):
        if packet.size and packet.duration and packet.time_base:
            seconds += float(packet.duration * packet.time_base)
            place = (packet.pos or 0) + packet.size
            if place > _MOST_COUNTED:
                return seconds * file.size / place
    return seconds


def _from_the_end(file: RangeReader, begin: int, kind: str, head: bytes) -> AudioInfo:
    """What the head says, and the time of the last packet: nothing in between is read.

    Raises:
        Unreadable: there is no packet at the end.
    """
    mark = _MARKS.get(kind)
    if mark is None or (first := head.find(mark.bytes_) + begin - mark.before) < begin:
        raise Unreadable(NOT_VALID)
    for length in _ENDS:
        for start in _marked(file, max(first, file.size - length), mark):
            filler = mark.hole(start - first) if start - first >= _LEAST_HOLE else None
            hole = [Piece(first, start, filler)] if filler else []
            pieces = [Piece(begin, first), *hole, Piece(start, file.size)]
            if sound := _last_packet(SplicedReader(file, pieces), head):
                return sound
    raise Unreadable(NOT_VALID)


def _marked(file: RangeReader, start: int, mark: _Mark) -> list[int]:
    """Where the demuxer can go on between there and the end of the file."""
    file.seek(start)
    parts = []
    while part := file.read(AT_ONCE):
        parts.append(part)
    found = re.finditer(re.escape(mark.bytes_), b"".join(parts))
    return [start + match.start() - mark.before for match in found]


def _last_packet(file: SplicedReader, head: bytes) -> AudioInfo | None:
    """What a file says of its sound, with the end of its last packet; None where it has none."""
    last = 0.0
    sound = None
    with suppress(av.FFmpegError, ValueError, Unreadable), _opened(file) as container:
        for packet in container.demux(audio=0):
            if packet.pts is not None and packet.time_base:
                last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                sound = sound or _sound(container, head, 0.0)
    return sound._replace(seconds=last) if sound and last else None


def why_refused(sound: AudioInfo, named: str) -> str | None:
    """The class of reason for which the service refuses a recording; None when it takes it. Pure.

    More than four hours are taken by some Regions and are no reason here.

    Args:
        sound: what its container says.
        named: the format that the service is told, "" where it looks for itself.
    """
    if not sound.media_format:
        return UNSUPPORTED
    if named and not is_format(sound.media_format, named):
        return FORMAT_MISMATCH
    if sound.channels > MOST_CHANNELS:
        return TOO_MANY_CHANNELS
    if sound.sample_rate not in SAMPLE_RATES:
        return SAMPLE_RATE
    if sound.seconds < SHORTEST:
        return TOO_SHORT
    return TOO_LONG if sound.seconds > LONGEST else None
