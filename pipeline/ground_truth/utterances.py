"""A line of ground truth and its audio ─► what is said from when to when, as training takes it."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from pipeline.errors import BadSettings
from pipeline.ground_truth.convert import name_of
from pipeline.ground_truth.splits import is_named
from pipeline.ground_truth.subtitles import all_segments
from pipeline.ground_truth.unusable import without_marks
from pipeline.recordings.probe import AudioInfo, Unreadable, read_audio
from pipeline.recordings.range_reader import RangeReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipeline.ground_truth.record import GroundTruth, Segment

_SHORTEST = 0.01
"""Seconds: less is no speech, and Kaldi cuts times to hundredths."""

_LONGEST_NAME = 60


class Utterance(NamedTuple):
    """What one person says without a break; `start` and `end` are seconds of the recording.

    `id` begins with `speaker`, so that both have one order. `channel` is from 0, None where it is
    not known or there is only one.
    """

    id: str
    speaker: str
    start: float
    end: float
    text: str
    channel: int | None = None


def id_of(name: str) -> str:
    """A name as one field in any tool, apart from every other: letters, digits, and a hash."""
    content = name.encode("utf-8", "surrogatepass")
    tag = hashlib.blake2b(content, digest_size=5).hexdigest()
    letters = re.sub("[^A-Za-z0-9]+", "_", name.partition("://")[2] or name)
    return f"{letters[-_LONGEST_NAME:].strip('_')}-{tag}"


def utterances(
    line: GroundTruth, sound: AudioInfo, roles: Mapping[str, str] | None = None
) -> Iterator[Utterance]:
    """What is said in a recording, as far as that reaches: speech with a text and a length.

    `roles` names its own speakers by label or channel: the same name in another is another person.
    """
    recording = id_of(line.audio)
    whole = not any(each.is_speech for each in line.segments)
    for number, segment in enumerate(all_segments(line)):
        text = " ".join(without_marks(segment.text).split())
        end = sound.seconds if whole else min(segment.end, sound.seconds)
        if text and end - segment.start >= _SHORTEST:
            named, speaker = _speaker(segment, recording, roles or {})
            yield Utterance(
                f"{speaker}-{recording}-{number:06}" if named else f"{speaker}-{number:06}",
                speaker,
                segment.start,
                end,
                text,
                _channel(segment, sound),
            )


def file_of(audio: str, recordings: str) -> str:
    """The file of a recording: of a bucket's the one that lies in `recordings` as in the bucket.

    Raises:
        BadSettings: it is in a bucket, and no folder is named.
    """
    scheme, _, rest = audio.partition("://")
    if scheme == "file":
        return unquote(rest)
    if not recordings:
        raise BadSettings(
            f"{audio} is in a bucket, and length, rate and channels are read off a file here",
            "Copy the recordings with `aws s3 sync`, and name their folder with --recordings.",
        )
    return f"{recordings.rstrip('/')}/{rest.partition('/')[2]}"


def probed(path: Path) -> AudioInfo | None:
    """What a file says of its sound; None where it is not there or is no audio."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:

            def fetch(first: int, last: int) -> bytes:
                file.seek(first)
                return file.read(last - first + 1)

            sound = read_audio(RangeReader(size, fetch))
    except (OSError, ValueError, Unreadable):
        return None
    return sound if sound.seconds > 0 and sound.channels and sound.sample_rate else None


def _speaker(segment: Segment, recording: str, roles: Mapping[str, str]) -> tuple[bool, str]:
    """Whether it is a name, the same person everywhere, and not a label of its recording alone."""
    name = (segment.speaker or "").strip()
    if is_named(name):
        return True, id_of(name)
    called = (name_of(segment, roles) or segment.who).strip()
    return False, f"{recording}-{re.sub('[^A-Za-z0-9]+', '_', called) or 'unknown'}"


def _channel(segment: Segment, sound: AudioInfo) -> int | None:
    known = segment.channel is not None and segment.channel < sound.channels
    return segment.channel if known and sound.channels > 1 else None
