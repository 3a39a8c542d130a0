import wave
from pathlib import Path
from typing import Any, cast

import av
import pytest

from pipeline.local import MediaRefused, MediaSettings, messages
from pipeline.local.media import open_media, sound

DETECT = MediaSettings()


def heard(path: Path | str, settings: MediaSettings = DETECT, *, apart: bool = False) -> Any:
    """The samples of each channel, or the reason for which there are none."""
    try:
        with open_media(str(path), settings) as media:
            pieces = list(sound(media, apart=apart))
    except MediaRefused as refused:
        return refused.reason
    return [b"".join(channel) for channel in zip(*pieces, strict=True)]


def encode(path: Path, codec: str, container: str, rate: int = 16000) -> Path:
    """One second of silence."""
    with av.open(str(path), "w", format=container) as output:
        stream = cast("av.AudioStream", output.add_stream(codec, rate=rate))
        stream.layout = "mono"
        size = stream.codec_context.frame_size or 1024
        for start in range(0, rate, size):
            frame = av.AudioFrame(format=stream.codec_context.format.name, layout="mono",
                                  samples=size)  # fmt: skip
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.sample_rate, frame.pts = rate, start
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("codec", "container", "found"),
    [
        ("pcm_s16le", "wav", "wav"),
        ("flac", "flac", "flac"),
        ("aac", "ipod", "m4a"),
        ("aac", "mp4", "mp4"),
        ("libmp3lame", "mp3", "mp3"),
        ("libopus", "webm", "webm"),
        ("libopus", "ogg", "ogg"),
    ],
)
def test_each_of_the_services_containers_is_detected_and_decoded(tmp_path, codec, container, found):
    """The name is no help: the content tells."""
    rate = 48000 if codec == "libopus" else 16000
    path = encode(tmp_path / "no-suffix", codec, container, rate)

    with open_media(str(path), MediaSettings()) as media:
        samples = sum(len(piece) // 2 for (piece,) in sound(media, apart=False))

    assert (media.media_format, media.sample_rate) == (found, rate)
    assert 16000 <= samples < 20000


@pytest.mark.parametrize("container", ["matroska", "aiff", "avi"])
def test_any_other_container_is_an_unsupported_format(tmp_path, container):
    """What FFmpeg could read but the service does not take is refused."""
    path = encode(
        tmp_path / "a.wav", "pcm_s16be" if container == "aiff" else "pcm_s16le", container
    )

    assert heard(path) == messages.UNSUPPORTED_FORMAT


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        bytes(range(256)) * 64,
        b"RIFF\xff\xff\xff\xffWAVEfmt ",
        b"ID3\x04" + b"\0" * 99,
    ],
    ids=["empty", "text", "bytes", "half a head", "only a tag"],
)
def test_what_is_no_sound_is_not_valid_data(tmp_path, content):
    """Garbage ends in the service's sentence, not in an error."""
    path = tmp_path / "a.wav"
    path.write_bytes(content)

    assert heard(path) == messages.DATA_NOT_VALID


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.wav\n#EXT-X-ENDLIST\n"),
        ("a.wav", "ffconcat version 1.0\nfile secret.wav\n"),
    ],
)
def test_a_file_can_not_make_the_decoder_open_another(tmp_path, write_wav, name, content):
    """Playlists are not followed."""
    write_wav("secret.wav")
    (tmp_path / name).write_text(content)

    assert heard(tmp_path / name) == messages.DATA_NOT_VALID


def test_a_name_is_never_a_protocol(tmp_path, write_wav, monkeypatch):
    """A file whose name looks like an address of FFmpeg's is that file."""
    write_wav("concat:a.wav")
    monkeypatch.chdir(tmp_path)

    assert isinstance(heard("concat:a.wav"), list)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"media_format": "mp3"}, messages.FORMAT_MISMATCH),
        ({"sample_rate": 8000}, messages.SAMPLE_RATE_MISMATCH),
        ({"media_format": "wav", "sample_rate": 16000}, None),
    ],
)
def test_what_the_job_says_must_agree_with_the_file(write_wav, settings, reason):
    """Format and rate are detected, and compared where the job names them."""
    found = heard(write_wav("a.wav"), MediaSettings(**settings))

    assert (found == reason) if reason else isinstance(found, list)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ({"seconds": 0.49}, messages.AUDIO_TOO_SHORT),
        ({"channels": 3}, messages.TOO_MANY_CHANNELS),
        ({"rate": 7999}, messages.BAD_SAMPLE_RATE),
        ({"rate": 48001}, messages.BAD_SAMPLE_RATE),
    ],
)
def test_sound_outside_the_services_bounds_is_refused(write_wav, shape, reason):
    """Half a second at least, two channels at most, 8 to 48 kHz."""
    assert heard(write_wav("a.wav", **shape)) == reason


def test_half_a_second_is_enough(write_wav):
    """The shortest file the service takes is taken."""
    (samples,) = heard(write_wav("a.wav", seconds=0.5))

    assert len(samples) == 16000


def test_more_than_four_hours_are_refused_by_the_head(tmp_path):
    """Nobody waits for a recognition that can't be delivered."""
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\x80" * (4 * 3600 * 8000 + 16000))

    with pytest.raises(MediaRefused, match="Maximum audio duration is 4"):
        open_media(str(path), DETECT).__enter__()


def test_channels_are_kept_apart_or_mixed(tmp_path):
    """A tone on the right only is silence on the left, and half as loud when mixed."""
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(b"\0\0\x00\x10" * 16000)

    left, right = heard(path, apart=True)
    (mixed,) = heard(path)

    assert not any(left)
    assert right == b"\x00\x10" * 16000
    assert mixed == b"\x00\x08" * 16000


def test_a_file_that_breaks_off_is_heard_as_far_as_it_goes(write_wav):
    """A truncated download still has its beginning."""
    path = write_wav("a.wav", seconds=5)
    path.write_bytes(path.read_bytes()[: 44 + 32000])

    (samples,) = heard(path)

    assert len(samples) == 32000


def test_a_title_in_another_alphabet_does_no_harm(write_wav):
    """Metadata that is not UTF-8 says nothing about the sound."""
    path = write_wav("a.wav")
    path.write_bytes(path.read_bytes() + b"LIST\x0e\0\0\0INFOINAM\x02\0\0\0\xe9\0")

    assert isinstance(heard(path), list)
