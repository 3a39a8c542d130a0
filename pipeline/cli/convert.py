"""`convert`: the ground truth in the formats of tools that train, subtitle and label text."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.flags import GROUND_TRUTH, with_settings
from pipeline.cli.options import examples
from pipeline.errors import OutputUnusable
from pipeline.ground_truth.formats import Format  # noqa: TC001 # typer reads the annotations at run time
from pipeline.terminal import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.schema import Config

_NAMED = 3
NAME = "convert"
EXAMPLES = examples(
    ("Subtitles for each recording, at the place of its key below srt/", "convert srt"),
    (
        "A manifest for NeMo, over the recordings as `aws s3 sync` fetched them",
        "convert nemo --recordings /data/calls --reviewed",
    ),
    ("The next Label Studio project's tasks, on the reviewed text", "convert text-tasks --to ner/"),
)


@with_settings(GROUND_TRUTH)
def command(
    *,
    wanted: Annotated[
        Format,
        typer.Argument(metavar="FORMAT", help="What to write.", show_default=False),
    ],
    chosen: Config,
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
            help="nemo: a folder with what the bucket holds; its paths replace s3://.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Write the ground truth in another tool's format.

    It has every segment of every recording. nemo is a manifest with an entry for each segment; srt
    and vtt are subtitles; textgrid is Praat's, with a tier for each speaker; text-tasks are tasks
    on the reviewed text, for another Label Studio project (entities, sentiment). nemo and
    text-tasks leave out what reviewers marked as unusable. Of several reviews of a recording the
    one with Label Studio's star counts, else the newest. It prints the names of the files, and
    names those that an earlier convert left in FOLDER. It deletes nothing.
    """
    path = Path(chosen.label_studio.ground_truth)
    from pipeline.ground_truth.choice import one_each
    from pipeline.ground_truth.convert import convert, left_over
    from pipeline.ground_truth.record import REVIEWED

    lines = one_each(path)
    if reviewed:
        lines = (line for line in lines if line.source == REVIEWED)
    folder = to or Path(wanted)
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
    if failed:
        for error in failed[:_NAMED]:
            say(str(error))
        say(f"{len(failed):,} of {len(failed) + len(written):,} files could not be written.")
        raise typer.Exit(1)


def _notes(left_out: Counter[str], left: list[Path], folder: Path) -> Iterator[str]:
    """What this convert left out, and what an earlier one left in the folder, in sentences."""
    if left_out.total():
        yield (
            f"Left out, as reviewers marked them as unusable: {left_out['recordings']:,} "
            f"recordings, and {left_out['segments']:,} segments of others."
        )
    if left:
        yield (
            f"{len(left):,} files in {folder} are of an earlier convert and not part of this one: "
            f"{', '.join(map(str, left[:_NAMED]))}{', …' * (len(left) > _NAMED)}"
        )
