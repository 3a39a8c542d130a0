"""Any file of the service's containers as 16 kHz sound, read as a stream; runs in a worker.

Everything that is wrong with a file is told in the service's words for a failed job.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import av

from pipeline.local import messages
from pipeline.local.recogniser import MediaRefused, MediaSettings
from pipeline.recordings.formats import is_format
from pipeline.recordings.probe import (
    DEMUXERS,
    MOST_CHANNELS,
    SAMPLE_RATES,
    SHORTEST,
    media_format,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.stream import AudioStream
    from av.container import InputContainer

RATE = 16_000
LONGEST = 4 * 3600.0
_HEAD = 64

_OPTIONS = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
_PATIENCE = 50  # damaged packets more than sound ones, after which a file is given up


@dataclass(frozen=True)
class Media:
    """An open file; `media_format` is the service's name of what was detected."""

    container: InputContainer
    stream: AudioStream
    media_format: str
    sample_rate: int
    channels: int


@contextmanager
def open_media(path: str, settings: MediaSettings) -> Iterator[Media]:
    """The file, checked as far as its head allows.

    Raises:
        MediaRefused: in the service's words.
    """
    try:
        # "file:" keeps a name such as "concat:..." from being more than a name.
        container = av.open("file:" + path, options=_OPTIONS, metadata_errors="ignore")
    except (av.FFmpegError, ValueError, UnicodeError):
        raise MediaRefused(messages.DATA_NOT_VALID) from None
    with container:
        if not container.streams.audio:
            raise MediaRefused(messages.UNSUPPORTED_FORMAT)
        stream = container.streams.audio[0]
        media = Media(
            container,
            stream,
            _detected(path, container),
            stream.codec_context.sample_rate,
            stream.codec_context.layout.nb_channels,
        )
        _check(media, settings)
        yield media


def _detected(path: str, container: InputContainer) -> str:
    with Path(path).open("rb") as file:
        return media_format(container, file.read(_HEAD))


def _check(media: Media, settings: MediaSettings) -> None:
    if not media.media_format:
        raise MediaRefused(messages.UNSUPPORTED_FORMAT)
    if settings.media_format and not is_format(media.media_format, settings.media_format):
        raise MediaRefused(messages.FORMAT_MISMATCH)
    if media.channels > MOST_CHANNELS:
        raise MediaRefused(messages.TOO_MANY_CHANNELS)
    if media.sample_rate not in SAMPLE_RATES:
        raise MediaRefused(messages.BAD_SAMPLE_RATE)
    if settings.sample_rate not in {None, media.sample_rate}:
        raise MediaRefused(messages.SAMPLE_RATE_MISMATCH)
    claimed = (media.container.duration or 0) / 1_000_000
    if claimed > LONGEST:
        raise MediaRefused(messages.AUDIO_TOO_LONG)


def sound(media: Media, *, apart: bool) -> Iterator[list[bytes]]:
    """The file's sound as 16-bit samples, one entry a channel, in short pieces.

    Raises:
        MediaRefused: hardly anything could be decoded, or it is too short or too long.
    """
    layout = "stereo" if apart and media.channels == MOST_CHANNELS else "mono"
    resampler = av.AudioResampler("s16p", layout, RATE)
    samples = 0
    for frame in _frames(media):
        for piece in _resampled(resampler, frame):
            samples += piece.samples
            if samples > LONGEST * RATE:
                raise MediaRefused(messages.AUDIO_TOO_LONG)
            # A plane is longer than its samples: FFmpeg pads it.
            yield [bytes(plane)[: piece.samples * 2] for plane in piece.planes]
    if samples < SHORTEST * RATE:
        raise MediaRefused(messages.AUDIO_TOO_SHORT)


def _frames(media: Media) -> Iterator[av.AudioFrame | None]:
    """The decoded frames, then None. Damaged packets are skipped, as players do."""
    good = bad = 0
    packets = media.container.demux(media.stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                break
            frames = packet.decode()
        except av.FFmpegError:
            bad += 1
            if bad > good + _PATIENCE:
                break
            continue
        for frame in frames:
            good += 1
            yield frame
    if bad > good or good == 0:
        raise MediaRefused(messages.DATA_NOT_VALID)
    yield None


def _resampled(resampler: av.AudioResampler, frame: av.AudioFrame | None) -> list[av.AudioFrame]:
    try:
        return resampler.resample(frame)
    except (av.FFmpegError, ValueError):  # the sound changes its shape within the file
        raise MediaRefused(messages.DATA_NOT_VALID) from None
