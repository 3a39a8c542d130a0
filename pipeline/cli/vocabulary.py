"""`vocabulary build` and `vocabulary apply`: from corrections to a custom vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.flags import AWS, GROUND_TRUTH, with_settings
from pipeline.cli.options import examples
from pipeline.errors import BadSettings
from pipeline.launch import in_event_loop, interruptible, services
from pipeline.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.config.schema import Config
    from pipeline.quality.missed_phrases import Missed
    from pipeline.vocabulary.service import Outcome, Wanted
    from pipeline.vocabulary.table import Merged, Row

GROUP = "vocabulary"
HELP = "Make a custom vocabulary from the corrections: build its table, then apply it."
BUILD, APPLY = "build", "apply"
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
_SHOWN = 20


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
    """Write a table of the phrases that reviewers corrected most, for a person to look through.

    Taken is what was corrected N times or more, and wrong more often than right. Rows that are in
    the table already stay as they are, in their order; new ones follow, most corrected first. Look
    them through: delete what is no name or term, and mend how it is written (DisplayAs). What was
    deleted does not come back: FILE.offered remembers it.
    """
    from pipeline.vocabulary.service import one_language

    code = one_language(chosen)
    from pipeline.files import replacing
    from pipeline.ground_truth.record import read_ground_truth
    from pipeline.quality.missed_phrases import missed_phrases, pairs, reviews
    from pipeline.quality.normalise import has_words
    from pipeline.vocabulary.table import as_table, merge, row_for

    if not has_words(code):
        raise BadSettings(
            f"language = {code!r}: it has no spaces between words, so corrections show no words",
            "Write the table by hand, and use `vocabulary apply`.",
        )
    found = reviews(read_ground_truth(Path(chosen.label_studio.ground_truth)), code)
    missed = missed_phrases(list(pairs(found.values())), code, least)
    rows = {each: row for each in missed if (row := row_for(each.text, code))}
    memory = table.with_name(f"{table.name}.offered")
    offered = _offered(memory)
    merged = merge(
        _read(table) if table.exists() else [],
        [row for row in rows.values() if row.phrase not in offered],
    )
    if merged.added:
        with replacing(table) as file:
            file.write(as_table(merged.rows))
        with replacing(memory) as file:
            file.write("\n".join(sorted(offered | {row.phrase for row in merged.rows})).encode())
    _tell(table, merged, rows)
    for each in missed:
        if each not in rows:
            typer.echo(f"Can't be written in {code}'s characters: {printable(each.text)}", err=True)


def _offered(memory: Path) -> set[str]:
    """The phrases that earlier tables had: what is missing from the table was deleted."""
    try:
        return set(memory.read_text(encoding="utf-8").split("\n"))
    except FileNotFoundError:
        return set()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"{memory} can't be read: {error}.") from error


def _tell(table: Path, merged: Merged, rows: dict[Missed, Row]) -> None:
    """Say on stderr what is new, with the evidence for it."""
    new = set(merged.rows[len(merged.rows) - merged.added :])
    shown = [(each, row) for each, row in rows.items() if row in new][:_SHOWN]
    for each, row in shown:
        heard = ", ".join(filter(None, each.heard)) or "nothing"
        typer.echo(
            f"{each.missed:>5} of {each.missed + each.right:<5} "
            + printable(f"{row.phrase}  (heard: {heard})"),
            err=True,
        )
    if merged.left_out:
        typer.echo(f"{merged.left_out:,} more found no room: a table holds 50 KB.", err=True)
    typer.echo(
        f"{merged.added:,} new rows in {table}, {len(merged.rows):,} in all"
        + (
            "; look them through, then `transcribe-pipeline vocabulary apply`." * (merged.added > 0)
        ),
        err=True,
    )


def _read(table: Path) -> list[Row]:
    """The rows of a table's file.

    Raises:
        BadSettings: it can't be read, or is no table.
    """
    from pipeline.vocabulary.table import parse_table

    try:
        return parse_table(table.read_bytes())
    except OSError as error:
        raise BadSettings(f"The table {table} can't be read: {error.strerror}.") from error
    except BadSettings as error:
        raise BadSettings(f"{table}: {error}") from error


@with_settings(
    ("vocabulary", "language"),
    AWS,
    vocabulary=typer.Option(
        "--name", metavar="NAME", help="The vocabulary's name. [default: the setting]"
    ),
)
def apply(
    *,
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="The table, looked through.")],
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
    """Create or update the service's custom vocabulary from a table, and wait until it is READY.

    The table is checked first, put at S3URI/NAME.txt and named to the service. A vocabulary that
    holds the same already is left alone. The next run with --vocabulary NAME uses it.
    """
    wanted = _wanted(chosen, table, upload or chosen.output.results)

    received = in_event_loop(_apply(chosen, wanted, minutes))
    raise typer.Exit(128 + received if received else 0)


def _wanted(config: Config, table: Path, upload: str) -> Wanted:
    """The vocabulary of a table, with every complaint about it in one message.

    Raises:
        BadSettings: so it is.
    """
    from pipeline.naming import as_folder, parse_s3_uri
    from pipeline.vocabulary.service import Wanted, one_language
    from pipeline.vocabulary.table import complaints

    name, language = config.transcribe.vocabulary, one_language(config)
    place = parse_s3_uri(upload)
    if not name:
        raise BadSettings("Name the vocabulary with --name, or as vocabulary in [transcribe].")
    if place is None:
        raise BadSettings(
            "The service reads the table from a bucket: name s3://bucket/prefix/ with --upload."
        )
    rows = _read(table)
    if found := complaints(rows, language):
        raise BadSettings("\n".join(f"{table}: {each}" for each in found))
    folder = as_folder(place)
    return Wanted(name, language, rows, folder._replace(key=f"{folder.key}{name}.txt"))


async def _apply(config: Config, wanted: Wanted, minutes: float) -> int:
    """Apply it; returns the signal that ended it, or 0."""
    from pipeline.net.wait_times import WaitTimes
    from pipeline.vocabulary.service import Vocabularies

    waiting = WaitTimes()
    done: list[Outcome] = []
    async with services(config, wanted.place, waiting) as (_, _, session, s3):

        async def work() -> None:
            vocabularies = Vocabularies(session, s3, waiting)
            done.append(await vocabularies.apply(wanted, minutes, _say_once()))

        received = await interruptible(work)
    if done:
        count = f"{len(wanted.rows):,} phrases, {wanted.language}"
        typer.echo(f"Vocabulary {wanted.name} is READY ({count}): {done[0]}.", err=True)
    return received


def _say_once() -> Callable[[str], None]:
    """Say each thing once: the same is waited for many times."""
    said: set[str] = set()

    def say(sentence: str) -> None:
        if sentence not in said:
            said.add(sentence)
            typer.echo(sentence, err=True)

    return say
