"""Reviewers whose work is known: who hears, who slips, and who only presses the button; pure."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from pipeline.ground_truth.record import AUTO, REVIEWED, GroundTruth
from pipeline.label_studio.selection import Selection
from pipeline.label_studio.task_lines import Prediction, TaskLine

SELECTION = Selection(review_below=0.9, audit=0.05)
HONEST = ("anna", "ben", "carla", "dora")
STAMPERS = ("emil", "franz")
_SLIPS = 0.0005  # of the words that a reviewer hears are written down wrongly
_WORDS = [f"word{number}" for number in range(500)]


class Simulated(NamedTuple):
    """A ground truth, and the true error rates: of the lines that nobody reviewed, and of all."""

    lines: list[GroundTruth]
    auto: float
    whole: float


class _Said(NamedTuple):
    """A recording: what was said, what was heard, and how sure the service was."""

    audio: str
    said: list[str]
    heard: list[str]
    score: float

    @property
    def errors(self) -> int:
        return sum(one != other for one, other in zip(self.said, self.heard, strict=True))


def simulated(tasks: int, seed: int, selection: Selection = SELECTION) -> Simulated:
    """Tasks of which the uncertain ones and the audit's were reviewed.

    A recording's own error rate is about 1 - score, and differs from one to the next. One review
    in five is of somebody who submits what is there within seconds.
    """
    chance = random.Random(seed)
    recordings = [_recording(chance, f"s3://calls/{seed}/{number}.mp3") for number in range(tasks)]
    lines = [_line(chance, each, selection) for each in recordings]
    pairs = list(zip(recordings, lines, strict=True))
    return Simulated(
        lines, _rate([each for each, line in pairs if line.source == AUTO]), _rate(recordings)
    )


def _rate(recordings: list[_Said]) -> float:
    return sum(each.errors for each in recordings) / sum(len(each.said) for each in recordings)


def _recording(chance: random.Random, audio: str) -> _Said:
    score = chance.betavariate(12, 1.2)
    wrong = min(0.9, (1 - score) * chance.gammavariate(2, 0.4))  # calls differ, and errors cluster
    said = chance.choices(_WORDS, k=1 + int(chance.expovariate(1 / 25)))
    heard = [f"not-{word}" if chance.random() < wrong else word for word in said]
    return _Said(audio, said, heard, score)


def _line(chance: random.Random, each: _Said, selection: Selection) -> GroundTruth:
    task = TaskLine(b"", 0, each.audio, {"audio": each.audio}, [Prediction(score=each.score)])
    seconds = len(each.said) / 2.5
    about: dict[str, Any] = {
        "audio": each.audio,
        "job_id": each.audio,
        "language": "en-US",
        "score": each.score,
    }
    heard, is_audited = " ".join(each.heard), selection.is_audited(task)
    if not selection.is_for_review(task):
        return GroundTruth(source=AUTO, text=heard, **about)
    stamps = chance.random() < 0.2
    return GroundTruth(
        source=REVIEWED,
        text=heard if stamps else _corrected(chance, each.said),
        predicted=heard,
        duration=seconds,
        reviewer=chance.choice(STAMPERS if stamps else HONEST),
        seconds_spent=seconds * (chance.uniform(0.02, 0.3) if stamps else chance.uniform(0.8, 4)),
        audit=is_audited,
        **about,
    )


def _corrected(chance: random.Random, said: list[str]) -> str:
    return " ".join("slip" if chance.random() < _SLIPS else word for word in said)
