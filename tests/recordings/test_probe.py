"""How long a recording is: read off a part or two of the file, whatever the container."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.failures import (
    FORMAT_MISMATCH,
    NOT_VALID,
    SAMPLE_RATE,
    TOO_LONG,
    TOO_MANY_CHANNELS,
    TOO_SHORT,
    UNSUPPORTED,
)
from pipeline.recordings.probe import AudioInfo, Unreadable, read_audio, why_refused
from pipeline.recordings.range_reader import Piece, RangeReader, SplicedReader
from tests.conftest import RECORDINGS
from tests.support import made_media as made
from tests.support.decoding import decoded_seconds

if TYPE_CHECKING:
    from pathlib import Path

MIB = 2**20
bytes_and_reads = st.tuples(
    st.binary(min_size=1, max_size=400),
    st.lists(st.tuples(st.integers(0, 450), st.integers(1, 200))),
)


class Fetches:
    """Gives parts of a file, and keeps what was asked for."""

    def __init__(self, path: Path) -> None:
        self.asked: list[tuple[int, int]] = []
        self._path = path

    def __call__(self, first: int, last: int) -> bytes:
        """A part of the file."""
        self.asked.append((first, last))
        with self._path.open("rb") as file:
            file.seek(first)
            return file.read(last - first + 1)


def look(path: Path) -> tuple[AudioInfo, Fetches]:
    fetches = Fetches(path)
    return read_audio(RangeReader(path.stat().st_size, fetches)), fetches


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in sorted(RECORDINGS.rglob("*.*"))
        if path.suffix in {".wav", ".mp3", ".flac", ".ogg", ".m4a", ".webm"}
        and path.parent.name != "broken"
    ],
    ids=lambda path: path.name,
)
def test_bundled_recordings_are_as_long_as_they_sound(path):
    """The header of each bundled recording says what decoding all of it says, within 1 %."""
    sound, _ = look(path)

    assert sound.seconds == pytest.approx(decoded_seconds(path), rel=0.01)
    assert sound.channels == (2 if "two-channels" in path.name else 1)
    assert why_refused(sound, path.suffix[1:]) is None


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (made.wav, "a.wav"),
        (made.mp3, "cbr.mp3"),
        (lambda path, s: made.mp3(path, s, 128, "Xing"), "xing.mp3"),
        (lambda path, s: made.mp3(path, s, 128, "VBRI"), "vbri.mp3"),
        (made.flac, "a.flac"),
        (made.m4a, "end.m4a"),
        (lambda path, s: made.m4a(path, s, moov_first=True), "front.m4a"),
        (made.webm, "a.webm"),
        (made.ogg, "a.ogg"),
        (made.from_a_browser, "browser.webm"),
        (made.from_a_phone, "phone.mp4"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_an_hour_is_read_off_a_few_parts(tmp_path, make, name):
    """Of an hour of any container three parts are read at the most, and its length is right."""
    path = tmp_path / name
    truth = make(path, 3600)

    sound, fetches = look(path)

    assert sound.seconds == pytest.approx(truth, rel=0.01)
    assert sound.media_format == path.suffix[1:]
    assert len(fetches.asked) <= 3
    assert sum(last - first + 1 for first, last in fetches.asked) < 2 * MIB


def test_flac_from_a_pipe_tells_its_length_by_its_end(tmp_path):
    """A FLAC that says it has 0 samples is as long as its last frame says."""
    truth = made.from_a_pipe(tmp_path / "a.flac", 0)

    assert look(tmp_path / "a.flac")[0].seconds == pytest.approx(truth, rel=0.01)


@pytest.mark.parametrize(("seconds", "most"), [(60, 1), (5400, 5)])
def test_amr_is_counted(tmp_path, seconds, most):
    """Packets of AMR are counted; of a very long one the rest is taken to be as its beginning."""
    truth = made.amr(tmp_path / "a.amr", seconds)

    sound, fetches = look(tmp_path / "a.amr")

    assert sound.seconds == pytest.approx(truth, rel=0.001)
    assert sum(last - first + 1 for first, last in fetches.asked) <= most * MIB + 2**16


def test_pictures_in_front_of_the_sound_are_not_read(tmp_path):
    """An ID3 tag of three megabytes is passed over."""
    truth = made.mp3(tmp_path / "a.mp3", 600)
    size = 3_000_000
    length = bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127])
    tag = b"ID3\x03\0\0" + length + bytes(size)
    (tmp_path / "b.mp3").write_bytes(tag + (tmp_path / "a.mp3").read_bytes())

    sound, fetches = look(tmp_path / "b.mp3")

    assert sound.seconds == pytest.approx(truth, rel=0.01)
    assert sum(last - first + 1 for first, last in fetches.asked) < MIB // 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"no media at all" * 9,
        b"RIFF\xff\xff\xff\xffWAVE",
        b"ID3\x03\0\0\x7f\x7f\x7f\x7f",
        b"\x1a\x45\xdf\xa3" + b"\x1f\x43\xb6\x75" * 99,
        b"\0\0\0\x18ftypisom" + b"\0\0\0\x08moof" * 99,
        b"fLaC\x80\0\0\x22" + bytes(34) + b"\xff\xf8" * 99,
    ],
)
def test_what_is_no_media_is_told(tmp_path, content):
    """A file that holds no sound is one with a reason, whatever it looks like."""
    (tmp_path / "a").write_bytes(content)

    with pytest.raises(Unreadable) as refused:
        look(tmp_path / "a")

    assert refused.value.reason in {NOT_VALID, UNSUPPORTED}


@pytest.mark.parametrize("codec", [0x0000, 0x9999, 0xFFFE])
def test_sound_that_nobody_can_decode_is_told(tmp_path, codec):
    """A WAV file of a codec that FFmpeg does not know is one that the service does not take."""
    path = tmp_path / "a.wav"
    made.wav(path, 60)
    content = path.read_bytes()
    path.write_bytes(content[:20] + codec.to_bytes(2, "little") + content[22:])

    with pytest.raises(Unreadable) as refused:
        look(path)

    assert refused.value.reason == UNSUPPORTED


@given(st.sampled_from(["a.mp3", "a.m4a", "a.webm", "a.ogg", "a.flac", "a.wav"]), st.data())
def test_damaged_files_end_in_a_length_or_a_reason(tmp_path, name, data):
    """A recording with any bytes changed, or cut anywhere, never ends in another error."""
    path = tmp_path / name
    if not path.exists():
        getattr(made, name[2:])(path, 3)
    content = bytearray(path.read_bytes()[:20_000])
    for place, byte in data.draw(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)))):
        content[place] = byte
    (tmp_path / "damaged").write_bytes(content[: data.draw(st.integers(0, len(content)))])

    with suppress(Unreadable):
        sound, _ = look(tmp_path / "damaged")

        assert sound.seconds >= 0


def test_an_error_of_fetching_is_that_error(tmp_path):
    """What goes wrong on the way is not taken for a damaged file."""
    made.mp3(tmp_path / "a.mp3", 60)

    def refuse(first: int, last: int) -> bytes:
        raise ConnectionRefusedError(first, last)

    with pytest.raises(ConnectionRefusedError):
        read_audio(RangeReader(1000, refuse))


@given(bytes_and_reads)
def test_parts_read_as_the_whole_file_would(content_and_reads):
    """Wherever one reads, a file in parts gives the bytes that are there."""
    content, reads = content_and_reads
    file = RangeReader(len(content), lambda first, last: content[first : last + 1])

    for place, most in reads:
        file.seek(place)
        found = file.read(most)

        assert content[place : place + most].startswith(found)
        assert bool(found) == (place < len(content))


@given(bytes_and_reads, st.integers(0, 400), st.integers(0, 400))
def test_a_hole_leaves_everything_else_in_its_place(content_and_reads, first, second):
    """A file with a hole is as long as before, and holds the same bytes around it."""
    content, reads = content_and_reads
    start, end = sorted(min(each, len(content)) for each in (first, second))
    whole = RangeReader(len(content), lambda a, b: content[a : b + 1])
    pieces = [Piece(0, start), Piece(start, end, b"!"), Piece(end, len(content))]
    expected = content[:start] + b"!".ljust(end - start, b"\0")[: end - start] + content[end:]
    file = SplicedReader(whole, pieces)

    for place, most in reads:
        file.seek(place)
        found = file.read(most)

        assert expected[place : place + most].startswith(found)
        assert bool(found) == (place < len(content))
    assert file.seek(0, 2) == len(content)


@pytest.mark.parametrize(
    ("sound", "named", "reason"),
    [
        (AudioInfo(60, 1, 8000, "wav"), "wav", None),
        (AudioInfo(60, 1, 8000, "wav"), "", None),
        (AudioInfo(60, 2, 48000, "m4a"), "mp4", None),
        (AudioInfo(60, 1, 8000, ""), "wav", UNSUPPORTED),
        (AudioInfo(60, 1, 8000, "mp3"), "wav", FORMAT_MISMATCH),
        (AudioInfo(60, 3, 8000, "wav"), "wav", TOO_MANY_CHANNELS),
        (AudioInfo(60, 1, 7999, "wav"), "wav", SAMPLE_RATE),
        (AudioInfo(60, 1, 96000, "wav"), "wav", SAMPLE_RATE),
        (AudioInfo(0.49, 1, 8000, "wav"), "wav", TOO_SHORT),
        (AudioInfo(0.5, 1, 8000, "wav"), "wav", None),
        (AudioInfo(8 * 3600, 1, 8000, "wav"), "wav", None),
        (AudioInfo(8 * 3600 + 1, 1, 8000, "wav"), "wav", TOO_LONG),
    ],
)
def test_what_the_service_refuses_is_known_before(sound, named, reason):
    """Format, channels, sample rate and length are held against the service's limits."""
    assert why_refused(sound, named) == reason
