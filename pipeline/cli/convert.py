"""`convert`: the ground truth in the formats of tools that train, subtitle and label text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.flags import (
    FILES,
    GROUND_TRUTH,
    FlagGroup,
    Given,
    refuse_idle,
    with_settings,
)
from pipeline.cli.options import examples
from pipeline.errors import OutputUnusable
from pipeline.ground_truth.formats import TRAINING, Format
from pipeline.terminal import say
from pipeline.text import count_of, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.schema import Config
    from pipeline.launch.training import Training

_NAMED = 3
EXAMPLES = examples(
    ("Subtitles for each recording, at the place of its key below srt/", "convert srt"),
    (
        "A manifest for NeMo, over the recordings as `aws s3 sync` fetched them",
        "convert nemo --recordings /data/calls --reviewed",
    ),
    (
        "Training data for Lhotse, with each customer's calls on one side",
        "convert lhotse --recordings /data/calls --keep-together customer",
    ),
    ("The next Label Studio project's tasks, on the reviewed text", "convert text-tasks --to ner/"),
)


@dataclass(frozen=True)
class TrainingFlags(FlagGroup):
    """What lhotse, kaldi and datasets are made of, and how they are split."""

    keep_together: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Training: keep what has the same value on one side: a name of metadata, or "
            "`speaker`.",
            show_default=False,
        ),
    ] = ""
    dev: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Training: for development.")
    ] = 0.1
    test: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Training: for testing.")
    ] = 0.1
    seed: Annotated[
        str,
        typer.Option(
            metavar="TEXT", help="Training: another text, other sides.", show_default=False
        ),
    ] = ""
    unreviewed: Annotated[
        float | None,
        typer.Option(
            metavar="SCORE",
            min=0,
            max=1,
            help="Training: add the transcripts of --output that nobody reviewed, from this score.",
        ),
    ] = None

    def wanted(self, wanted: Format, folder: Path, recordings: str, reviewed: bool) -> Training:  # noqa: FBT001 # a flag
        """All that is wanted."""
        from pipeline.ground_truth.splits import Splits
        from pipeline.launch.training import Training

        splits = Splits(self.dev, self.test, self.seed, self.keep_together)
        return Training(wanted, folder, recordings, splits, reviewed, self.unreviewed)


@with_settings(GROUND_TRUTH, FILES, on_s3=True)
def command(
    *,
    wanted: Annotated[
        Format,
        typer.Argument(
            metavar="FORMAT", help=f"What to write: {', '.join(Format)}.", show_default=False
        ),
    ],
    chosen: Config,
    given: Given,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", metavar="FOLDER", help="Where the files are written. [default: FORMAT]"
        ),
    ] = None,
    reviewed: Annotated[
        bool, typer.Option("--reviewed", help="Leave out what nobody reviewed.")
    ] = False,
    recordings: Annotated[
        str,
        typer.Option(
            metavar="FOLDER",
            help="nemo, training: a folder with what the bucket holds; its paths replace s3://.",
            show_default=False,
        ),
    ] = "",
    training: TrainingFlags,
) -> None:
    """Write the ground truth in another tool's format.

    It has every segment of every recording. nemo is a manifest with an entry for each segment; srt
    and vtt are subtitles; textgrid is Praat's, with a tier for each speaker; text-tasks are tasks
    on the reviewed text, for another Label Studio project (entities, sentiment). nemo and
    text-tasks leave out what reviewers marked as unusable. Of several reviews of a recording the
    one with Label Studio's star counts, else that of the first reviewer of `prefer` in the
    settings, also an empty one, else the newest that says something. Speakers are called what
    `speakers` in the settings says. It prints the names of the files, and names those that an
    earlier convert left in FOLDER. It deletes nothing.

    lhotse (recordings and supervisions), kaldi (data folders) and datasets (of Hugging Face) are
    split into train, dev and test by a hash, so a recording keeps its side when others come. They
    leave out the same, and need --recordings: length, rate and channels are read off the files.
    """
    _refuse_idle(given, wanted)
    folder = to or Path(wanted)
    if wanted in TRAINING:
        raise typer.Exit(_trained(chosen, training.wanted(wanted, folder, recordings, reviewed)))
    path = Path(chosen.label_studio.ground_truth)
    from pipeline.ground_truth.convert import convert, converted_lines, left_over

    lines = converted_lines(chosen.label_studio, reviewed=reviewed)
    written = set()
    left_out: Counter[str] = Counter()
    failed = []
    for made in convert(lines, wanted, folder, recordings, left_out):
        if isinstance(made, OutputUnusable):
            failed.append(made)
            continue
        typer.echo(made)
        written.add(made)
    if not written and not failed:
        typer.echo(f"There is nothing to convert in {path} yet.", err=True)
    for sentence in _notes(left_out, left_over(folder, wanted, written), folder):
        typer.echo(sentence, err=True)
    for error in failed[:_NAMED]:
        say(str(error))
    if failed:
        files = count_of(len(failed) + len(written), "file")
        say(f"{len(failed):,} of {files} could not be written.")
        raise typer.Exit(1)


def _refuse_idle(given: Given, wanted: Format) -> None:
    """Refuse flags of other formats."""
    if wanted not in TRAINING:
        of_training = [each.name for each in fields(TrainingFlags)]
        refuse_idle(given, of_training, f"{wanted} is not split", "Leave it out.")
    if wanted not in {*TRAINING, Format.NEMO}:
        refuse_idle(given, ["recordings"], f"{wanted} names no file of audio", "Leave it out.")
    if "unreviewed" not in given:
        refuse_idle(given, FILES, "only reviews are converted", "Add --unreviewed SCORE.")


def _trained(chosen: Config, training: Training) -> int:
    """Write training data, and say what is not in it; the exit code."""
    from pipeline.launch.training import TrainingData

    data = TrainingData(chosen, training)
    for path in data.write():
        typer.echo(path)
    for sentence in _notes(data.left_out, [], training.folder):
        typer.echo(sentence, err=True)
    if data.alone:
        name = training.splits.keep_together
        alone = count_of(data.alone, "recording has", "recordings have")
        typer.echo(f"{alone} no {name!r}: each stands alone.", err=True)
    if data.empty:
        typer.echo(
            f"No recording is in {' and '.join(data.empty)}: there are too few of them, or too few "
            "groups that are kept together. Another --seed or share may fill it.",
            err=True,
        )
    for audio, what in (
        (data.missing, f"no file of audio in {training.recordings}"),
        (data.unfit, "a line break in the name, which Kaldi's lines can't hold"),
    ):
        if audio:
            named = ", ".join(map(printable, audio[:_NAMED]))
            have = count_of(len(audio), "recording has", "recordings have")
            say(f"{have} {what}: {named}{', …' * (len(audio) > _NAMED)}")
    return int(bool(data.missing or data.unfit))


def _notes(left_out: Counter[str], left: list[Path], folder: Path) -> Iterator[str]:
    """What this convert left out, and what an earlier one left in the folder, in sentences."""
    if left_out.total():
        yield (
            "Left out, as reviewers marked them as unusable: "
            f"{count_of(left_out['recordings'], 'recording')}, and "
            f"{count_of(left_out['segments'], 'segment')} of others."
        )
    if left:
        files = count_of(len(left), f"file in {folder} is", f"files in {folder} are")
        yield (
            f"{files} of an earlier convert and not part of this one: "
            f"{', '.join(map(str, left[:_NAMED]))}{', …' * (len(left) > _NAMED)}"
        )
