"""`vocabulary build` and `vocabulary apply`: from corrections to a custom vocabulary."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.command import Command
from pipeline.cli.flags import AWS, GROUND_TRUTH, with_settings
from pipeline.cli.options import examples, group
from pipeline.launch.event_loop import in_event_loop, interruptible
from pipeline.launch.services import vocabularies
from pipeline.terminal import as_called
from pipeline.text import count_of

if TYPE_CHECKING:
    from pipeline.config.schema import Config

commands = group("Custom vocabularies: build one from reviews, apply it.")
BUILD_EXAMPLES = examples(
    ("Write or extend vocabulary.txt from the corrections pulled so far", "vocabulary build"),
    (
        "A table of its own for German, from what was missed five times and more",
        "vocabulary build --language de-DE --table de.txt --least 5",
    ),
)
APPLY_EXAMPLES = examples(
    (
        "Make the reviewed table the vocabulary `calls`, and wait until it can be used",
        "vocabulary apply vocabulary.txt --name calls --upload s3://bucket/v/",
    ),
    ("Use it", "run s3://bucket/calls/ --vocabulary calls"),
)


@commands.command("build", cls=Command, epilog=BUILD_EXAMPLES)
@with_settings(GROUND_TRUTH, ("language",))
def build(
    *,
    chosen: Config,
    table: Annotated[
        Path, typer.Option(metavar="FILE", help="The table; its rows stay as they are.")
    ] = Path("vocabulary.txt"),
    least: Annotated[
        int, typer.Option(metavar="N", help="Corrections that make an entry.", min=1)
    ] = 2,
) -> None:
    """Collect the phrases that reviewers corrected most.

    It writes them into a table: each phrase that was corrected N times or more, and was wrong more
    often than right. Rows that are in the table already stay as they are, in their order; new rows
    follow, most corrected first. Look through them: delete what is no name or term, and correct how
    it is written (DisplayAs). Rows that you delete do not come back: FILE.offered remembers them.
    """
    from pipeline.quality.vocabulary_rows import as_lines, candidates
    from pipeline.vocabulary.service import one_language
    from pipeline.vocabulary.table_file import extend_table

    code = one_language(chosen.transcribe)
    found = candidates(chosen.label_studio, code, least)
    merged = extend_table(table, [each.row for each in found if each.row])
    typer.echo(as_called("\n".join(as_lines(found, merged, table, code))), err=True)


@commands.command("apply", cls=Command, epilog=APPLY_EXAMPLES)
@with_settings(
    ("vocabulary", "language"),
    AWS,
    vocabulary=typer.Option(
        "--name", metavar="NAME", help="The vocabulary's name. [default: the setting]"
    ),
)
def apply(
    *,
    table: Annotated[
        Path, typer.Argument(metavar="TABLE", help="The table, once you have looked through it.")
    ],
    upload: Annotated[
        str | None,
        typer.Option(
            metavar="S3URI",
            help="s3://bucket/prefix/ where the service reads the table. [default: --results]",
        ),
    ] = None,
    chosen: Config,
    minutes: Annotated[
        float, typer.Option(metavar="N", help="How long to wait for the service.", min=0.05)
    ] = 30.0,
) -> None:
    """Create or update a custom vocabulary from a table.

    It checks the table, uploads it to S3URI/NAME.txt, and waits until the service has the
    vocabulary READY. A vocabulary that has the same content already stays as it is. The next run
    with --vocabulary NAME uses it.
    """
    from pipeline.vocabulary.service import wanted_vocabulary

    wanted = wanted_vocabulary(chosen.transcribe, table, upload or chosen.output.results)

    async def work() -> None:
        async with vocabularies(chosen, wanted.place) as service:
            outcome = await service.apply(wanted, minutes, partial(typer.echo, err=True))
        count = f"{count_of(len(wanted.rows), 'phrase')}, {wanted.language}"
        typer.echo(f"Vocabulary {wanted.name} is READY ({count}): {outcome}.", err=True)

    if received := in_event_loop(interruptible(work)):
        raise typer.Exit(128 + received)
