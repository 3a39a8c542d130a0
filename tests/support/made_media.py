"""Recordings that are made in no time: true headers, bodies of zeros; and how long each is.

Bodies are holes in sparse files where the container lets nobody look at them, so that hours of
sound take no space and no time. Nothing in them can be decoded.
"""

from __future__ import annotations

import struct
from fractions import Fraction
from functools import cache
from io import BytesIO
from random import Random
from typing import TYPE_CHECKING, BinaryIO

import av

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_BEGUN = 120


def wav(path: Path, seconds: float, rate: int = 8000, channels: int = 1) -> float:
    """PCM, 16 bits a sample."""
    frame = 2 * channels
    samples = round(seconds * rate)
    facts = struct.pack("<HHIIHH", 1, channels, rate, rate * frame, frame, 16)
    body = samples * frame
    head = b"RIFF" + struct.pack("<I", body + 36) + b"WAVEfmt \x10\0\0\0" + facts
    _sparse(path, head + b"data" + struct.pack("<I", body), body)
    return samples / rate


def mp3(path: Path, seconds: float, kbps: int = 64, tag: str = "") -> float:
    """MPEG-1 layer III at 44.1 kHz; with a `tag` "Xing" or "VBRI" that says more than the size.

    A tagged file has a tenth of the bytes that its first frame's bit rate lets expect.
    """
    index = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320).index(kbps)
    header = bytes([0xFF, 0xFB, index << 4, 0xC4])  # one channel
    length = 144 * kbps * 1000 // 44100
    frame = header.ljust(length, b"\0")
    frames = max(_BEGUN, round(seconds * 44100 / 1152))
    stored = frames if not tag else max(_BEGUN, frames // 10)
    size = length * stored
    first = b""
    if tag == "Xing":
        first = header + bytes(17) + b"Xing" + struct.pack(">III", 3, frames, size + length)
    elif tag == "VBRI":
        first = header + bytes(32) + b"VBRI" + struct.pack(">HHHII", 1, 0, 75, size, frames)
        first += struct.pack(">HHHH", 0, 1, 1, 0)
    _sparse(path, first.ljust(length, b"\0") * bool(tag) + frame * _BEGUN, size - length * _BEGUN)
    return frames * 1152 / 44100


def flac(path: Path, seconds: float) -> float:
    """A STREAMINFO that says how many samples there are, and about as many bytes."""
    samples = round(seconds * 16_000)
    head = bytearray(_silence())
    head[21] &= 0xF0
    head[22:26] = samples.to_bytes(4)
    _sparse(path, bytes(head), max(0, samples - len(head)))
    return samples / 16_000


@cache
def _silence() -> bytes:
    """Half a minute of silence as FLAC, 16 kHz: FFmpeg wants to see some frames."""
    file = BytesIO()
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=16_000, layout="mono")
        for _ in range(120):
            frame = av.AudioFrame(format="s16", layout="mono", samples=4096)
            frame.sample_rate = 16_000
            frame.planes[0].update(bytes(2 * 4096))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def amr(path: Path, seconds: float) -> float:
    """12.2 kbit/s, 50 frames a second."""
    frames = round(seconds * 50)
    path.write_bytes(b"#!AMR\n" + (b"\x3c" + bytes(31)) * frames)
    return frames / 50


def m4a(path: Path, seconds: float, kbps: int = 24, *, moov_first: bool = False) -> float:
    """AAC packets of zeros; the index stands at the end unless it is put first."""
    options = {"movflags": "faststart"} if moov_first else {}
    return _muxed(path, seconds, ("aac", 16000, 1024, kbps), options)


def webm(path: Path, seconds: float, kbps: int = 16) -> float:
    """Opus packets of zeros, with a duration in the header."""
    return _muxed(path, seconds, ("libopus", 48000, 960, kbps), {})


def ogg(path: Path, seconds: float, kbps: int = 16) -> float:
    """Opus packets of zeros; the last page has the time."""
    return _muxed(path, seconds, ("libopus", 48000, 960, kbps), {})


def from_a_browser(path: Path, seconds: float) -> float:
    """WebM as browsers record it: no duration, no index."""
    with path.open("wb") as file:
        return _muxed(_Pipe(file), seconds, ("libopus", 48000, 960, 16), {}, "webm")


def from_a_phone(path: Path, seconds: float) -> float:
    """MP4 in fragments of five seconds: the index in front is empty."""
    options = {"movflags": "frag_keyframe+empty_moov", "frag_duration": "5000000"}
    return _muxed(path, seconds, ("aac", 16000, 1024, 24), options)


def from_a_pipe(path: Path, seconds: float) -> float:
    """FLAC whose writer could not go back to say how long it became."""
    head, frames = _silence()[:18], _silence()[26:]
    path.write_bytes(head + (16_000 << 44 | 15 << 36).to_bytes(8) + frames)
    return 120 * 4096 / 16_000 + 0 * seconds


class _Pipe:
    """A file that can only be written on and on."""

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write


def _muxed(
    file: Path | _Pipe,
    seconds: float,
    codec: tuple[str, int, int, int],
    options: dict[str, str],
    kind: str | None = None,
) -> float:
    """Packets that nobody encoded, in a container that FFmpeg writes."""
    name, rate, samples, kbps = codec
    count = max(2, round(seconds * rate / samples))
    content = b"\x08" + bytes(max(1, kbps * 125 * samples // rate - 1))  # Opus: one frame of 20 ms
    with av.open(file, "w", format=kind, options=options) as container:
        stream = container.add_stream(name, rate=rate, layout="mono")
        stream.codec_context.open()
        for number in range(count):
            packet = av.Packet(content)
            packet.stream = stream
            packet.pts = packet.dts = number * samples
            packet.duration = samples
            packet.time_base = Fraction(1, rate)
            container.mux_one(packet)
    return count * samples / rate


def _sparse(path: Path, head: bytes, body: int) -> None:
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + max(0, body))


KINDS: tuple[tuple[float, str, Callable[[Path, float, Random], float]], ...] = (
    (0.34, "mp3", lambda path, seconds, _: mp3(path, seconds, 64)),
    (0.10, "mp3", lambda path, seconds, chance: mp3(path, seconds, chance.choice([32, 128, 320]))),
    (0.08, "mp3", lambda path, seconds, _: mp3(path, seconds, 128, "Xing")),
    (0.20, "wav", lambda path, seconds, _: wav(path, seconds)),
    (0.08, "wav", lambda path, seconds, _: wav(path, seconds, 44100, 2)),
    (0.02, "wav", lambda path, seconds, _: wav(path, seconds, 16000, 4)),
    (0.06, "flac", lambda path, seconds, _: flac(path, seconds)),
    (0.03, "amr", lambda path, seconds, _: amr(path, min(seconds, 600))),
    (0.04, "m4a", lambda path, seconds, _: m4a(path, min(seconds, 120))),
    (0.02, "ogg", lambda path, seconds, _: ogg(path, min(seconds, 120))),
    (0.02, "webm", lambda path, seconds, _: webm(path, min(seconds, 120))),
    (0.01, "mp3", lambda path, _seconds, _chance: float(path.write_bytes(b"no sound") * 0)),
)
"""The share of each kind of file, its extension, and what makes one of a length."""


def fill(folder: Path, count: int, seed: int) -> dict[str, float]:
    """Make so many recordings of skewed lengths; their true lengths in seconds by name."""
    chance = Random(seed)
    shares = [share for share, _, _ in KINDS]
    lengths = {}
    for number in range(count):
        _, extension, make = chance.choices(KINDS, shares)[0]
        seconds = min(14_000.0, max(1.0, chance.lognormvariate(4.0, 1.5)))
        name = f"{number:05}.{extension}"
        lengths[name] = make(folder / name, seconds, chance)
    return lengths
