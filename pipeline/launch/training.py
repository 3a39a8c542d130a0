"""`convert lhotse`, `kaldi` and `datasets`: what is known to be right, with its audio, split."""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from pipeline.errors import BadSettings
from pipeline.ground_truth.convert import converted_lines
from pipeline.ground_truth.formats import Format
from pipeline.ground_truth.record import REVIEWED
from pipeline.ground_truth.splits import Side, is_named, sides, values_of
from pipeline.ground_truth.training import Recorded, is_kaldi_path, write_training
from pipeline.ground_truth.unusable import trainable
from pipeline.ground_truth.utterances import file_of, probed
from pipeline.launch.on_s3 import with_tasks_here
from pipeline.tasks.export import committed_lines
from pipeline.text import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.config.schema import Config
    from pipeline.ground_truth.record import GroundTruth
    from pipeline.ground_truth.splits import Splits

    Reader = Callable[[Counter[str]], Iterator[GroundTruth]]


class Training(NamedTuple):
    """What is wanted: `recordings` is the folder of the audio, `unreviewed` the least score."""

    wanted: Format
    folder: Path
    recordings: str
    splits: Splits
    reviewed: bool = False
    unreviewed: float | None = None


class TrainingData:
    """Writes training data; what is not in it is counted.

    `left_out` counts what reviewers marked as unusable, `missing` holds audio without a usable
    file, `unfit` audio whose file's name Kaldi can't hold, `alone` counts recordings that have
    nothing to be kept together by, `sides` those that are on each side.
    """

    def __init__(self, config: Config, training: Training) -> None:
        names = config.label_studio.speakers
        people = {label: name for label, name in names.items() if is_named(label)}
        self._roles = {label: name for label, name in names.items() if label not in people}
        self._known = replace(config.label_studio, speakers=people)
        self._training = training
        self._tasks = config
        self.left_out: Counter[str] = Counter()
        self.missing: list[str] = []
        self.unfit: list[str] = []
        self.alone = 0
        self.sides: Counter[Side] = Counter()

    def write(self) -> Iterator[Path]:
        """Write it; yield the files.

        Raises:
            BadSettings: a recording of a bucket has no file here.
            OutputUnusable: the ground truth can't be read, or nothing can be written.
        """
        training = self._training
        if training.splits.dev + training.splits.test > 1:
            raise BadSettings(
                "--dev and --test together are more than all", "Give shares such as 0.1 and 0.1."
            )
        read = self._reader()
        side = sides(lambda: read(Counter()), training.splits)

        def recorded() -> Iterator[Recorded]:
            for line in read(self.left_out):
                path = file_of(line.audio, training.recordings)
                if training.wanted is Format.KALDI and not is_kaldi_path(path):
                    self.unfit.append(line.audio)
                    continue
                sound = probed(Path(path))
                if sound is None:
                    self.missing.append(line.audio)
                    continue
                together = training.splits.keep_together
                self.alone += bool(together) and values_of(line, together) == (line.audio,)
                on = side(line)
                self.sides[on] += 1
                yield Recorded(on, line, path, sound, self._roles)
            if self.missing and not self.sides:
                raise self._all_missing()

        yield from write_training(recorded(), training.wanted, training.folder, training.splits)

    @property
    def empty(self) -> list[Side]:
        """The sides that were asked for and have no recording."""
        splits = self._training.splits
        asked = {Side.TRAIN: splits.dev + splits.test < 1, Side.DEV: splits.dev > 0}
        asked[Side.TEST] = splits.test > 0
        return [side for side, wanted in asked.items() if wanted and not self.sides[side]]

    def _all_missing(self) -> BadSettings:
        folder = self._training.recordings
        return BadSettings(
            f"None of {count_of(len(self.missing), 'recording')} has a file of audio"
            + (f" below {folder}" if folder else ""),
            "Nothing was written. --recordings names the folder that holds what the bucket holds: "
            f"{self.missing[0]} is looked for as {file_of(self.missing[0], folder)}.",
        )

    def _reader(self) -> Reader:
        """What reads the lines, as often as it is called, and counts what it leaves out."""
        path, training = Path(self._known.ground_truth), self._training
        least = training.unreviewed

        def reviews() -> Iterator[GroundTruth]:
            if least is not None and not path.exists():
                return iter(())
            lines = converted_lines(self._known, reviewed=training.reviewed)
            return (line for line in lines if least is None or _counts(line, least))

        if least is None:
            return lambda left_out: trainable(reviews(), left_out)
        from pipeline.label_studio.predictions import above

        here = with_tasks_here(self._tasks)
        tasks = partial(committed_lines, here.output_path, here.state_path)
        known = {each.audio for each in reviews()}
        return lambda left_out: trainable(chain(reviews(), above(tasks, least, known)), left_out)


def _counts(line: GroundTruth, least: float) -> bool:
    """Whether a person reviewed it, or its score is high enough."""
    return line.source == REVIEWED or (line.score is not None and line.score >= least)
