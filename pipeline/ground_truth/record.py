"""`ground_truth.jsonl`: one line for each review of a recording.

A line is either `reviewed` (an annotation that a person submitted) or `auto` (a prediction so
certain that nobody was asked).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal, TypeVar

import msgspec

from pipeline.config.metadata import Values  # noqa: TC001 # msgspec reads the annotation
from pipeline.errors import OutputUnusable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REVIEWED: Literal["reviewed"] = "reviewed"
AUTO: Literal["auto"] = "auto"


LONGEST = 1_000_000
"""Seconds: no recording has a region later than that."""

Controls = dict[str, tuple[str, ...]]
"""What the reviewer chose or wrote in controls of a team's own, by the controls' names."""

Seconds = Annotated[float, msgspec.Meta(ge=0, le=LONGEST)]


class Segment(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A stretch of speech: `start` and `end` in seconds, as the reviewer left them.

    `predicted` is the text of the prediction's region of the same id, None where the reviewer drew
    the region; `predicted_speaker` is its speaker, only where the reviewer changed it. `channel` is
    the audio's, from 0. `score` is the region's confidence, 0..1, where the prediction has one.
    `controls` are what other controls say of the region.
    """

    start: Seconds
    end: Seconds
    text: str
    speaker: str | None = None
    channel: int | None = None
    predicted: str | None = None
    predicted_speaker: str | None = None
    score: float | None = None
    controls: Controls = {}

    @property
    def is_speech(self) -> bool:
        """Whether it has a speaker or a text, or was predicted."""
        return bool(self.speaker or self.text) or self.predicted is not None

    @property
    def who(self) -> str:
        """Who speaks: the speaker's label, else the channel, else ""."""
        channel = "" if self.channel is None else f"channel {self.channel}"
        return self.speaker or channel


class OtherReview(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A review of a part in whose place another counts.

    `text` is what it says, None where that can't be compared with the one that counts: it is of
    another transcript, says nothing, or that the part is unusable.
    """

    reviewer: str | None = None
    seconds_spent: float | None = None
    annotation_id: int = 0
    text: str | None = None


class ReviewedPart(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A part of a long recording that was a task of its own: from where to where, in seconds.

    `reviewer`, `seconds_spent`, the star and the numbers are those of its review that counts.
    `others` are its other reviews, the one that would count next first; only beside them there is
    the `text` of the one that counts, as of theirs.
    """

    start: Seconds
    end: Seconds
    reviewer: str | None = None
    seconds_spent: float | None = None
    task_id: int = 0
    annotation_id: int = 0
    starred: bool = False
    text: str | None = None
    others: tuple[OtherReview, ...] = ()


class GroundTruth(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One line: what is said in one recording, and what had been predicted.

    `audio` is the task's own URI, byte for byte; `job_id` the key by which the task is found
    ("" in tasks made by hand). `text` is the whole text, `predicted` the prediction's; None where
    there was no prediction. `segments` is empty where the task is one box of text; `deleted` holds
    the prediction's regions that the reviewer removed, their text as `predicted`. `duration` is in
    seconds. `reviewer` is the address or number of who submitted it, `seconds_spent` what Label
    Studio measured. `controls` are what other controls say of the whole; `metadata` what else the
    task says of its recording, under names that are not ours; `starred` is an annotation with Label
    Studio's star, its "ground truth"; `audit` a recording that needs no review and was drawn to see
    how good those are. `project` is the project's URL; `annotation_uid` the annotation's name
    everywhere, whatever the server is called; `updated_at` the server's words for when the
    annotation was last saved. `parts` are those of a recording that was several tasks: then the
    numbers are those of the first, and `reviewer` names all, with commas between. `transcript` is
    the key of that which the review of one part began from, as far as it is known, and `partial`
    what is only there for its `parts`, which are not the whole; no line has these two.
    """

    audio: str
    source: Literal["reviewed", "auto"]
    text: str
    job_id: str = ""
    language: str | None = None
    duration: Seconds | None = None
    segments: tuple[Segment, ...] = ()
    predicted: str | None = None
    deleted: tuple[Segment, ...] = ()
    score: float | None = None
    model_version: str | None = None
    reviewer: str | None = None
    seconds_spent: float | None = None
    controls: Controls = {}
    metadata: Values = {}
    starred: bool = False
    audit: bool = False
    project: str = ""
    task_id: int = 0
    annotation_id: int = 0
    annotation_uid: str = ""
    updated_at: str = ""
    parts: tuple[ReviewedPart, ...] = ()
    transcript: str = ""
    partial: bool = False

    @property
    def reviewers(self) -> tuple[str | None, ...]:
        """Who reviewed it: one, or that of each part."""
        return tuple(part.reviewer for part in self.parts) or (self.reviewer,)

    @property
    def recording(self) -> str:
        """What tells recordings apart, also where a task names none."""
        return self.audio or f"{self.project} {self.task_id}"

    @property
    def address(self) -> str:
        """Where its task is opened in Label Studio; "" where it is not a web page."""
        is_web = self.project.startswith(("http://", "https://"))
        return f"{self.project}/data?task={self.task_id}" if is_web else ""


_decode = msgspec.json.Decoder(GroundTruth).decode


def read_ground_truth(path: Path) -> Iterator[GroundTruth]:
    """The lines of the file, one at a time.

    Raises:
        OutputUnusable: there is no such file, or a line is not one of ours.
    """
    with opened_ground_truth(path) as file:
        yield from lines_of(file, path)


def opened_ground_truth(path: Path) -> BinaryIO:
    """The file, open for reading; a pull that replaces it does not change what is read here.

    Raises:
        OutputUnusable: there is no such file.
    """
    if not path.exists():
        raise OutputUnusable(
            f"There is no ground truth {path}",
            "`transcribe-pipeline pull` writes it; name it with --ground-truth.",
        )
    return _opened(path)


def lines_of(file: BinaryIO, path: Path) -> Iterator[GroundTruth]:
    """The lines of the open file, from where it stands.

    Raises:
        OutputUnusable: a line is not one of ours.
    """
    return (decoded for _, decoded in _each(file, path, _decode))


Line = TypeVar("Line")


def each_line(path: Path, decode: Callable[[bytes], Line]) -> Iterator[tuple[bytes, Line]]:
    """Each line of the file with its newline, and what it says; none where there is no file.

    Raises:
        OutputUnusable: the file can't be read, or a line is not one of ours.
    """
    if path.exists():
        with _opened(path) as file:
            yield from _each(file, path, decode)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise OutputUnusable(
            f"{path} can't be read: {error.strerror}", "Let this user read it, or name another one."
        ) from error


def _each(
    file: BinaryIO, path: Path, decode: Callable[[bytes], Line]
) -> Iterator[tuple[bytes, Line]]:
    for number, line in enumerate(file, 1):
        try:
            yield line if line.endswith(b"\n") else line + b"\n", decode(line)
        except Exception as error:
            raise OutputUnusable(
                f"Line {number} of {path} is no line of ground truth: {error}",
                "Repair or remove the line; or name another file with --ground-truth.",
            ) from error
