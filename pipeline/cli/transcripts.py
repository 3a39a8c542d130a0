"""`transcripts`: a file for each recording, in the formats that people and tools read."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from pipeline.cli.flags import (
    AWS,
    FILES,
    TRANSCRIPTS,
    FlagGroup,
    Given,
    refuse_idle,
    with_settings,
)
from pipeline.cli.options import Json, Quiet, examples, told
from pipeline.cli.place import parse_transcripts
from pipeline.errors import BadSettings
from pipeline.launch.event_loop import in_event_loop
from pipeline.terminal import CANNOT_RUN, answer, counted, say, style_for
from pipeline.text import count_of, duration, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.schema import Config
    from pipeline.launch.transcripts import Ended, Wanted
    from pipeline.state.reader import StateReader

EXAMPLES = examples(
    (
        "Text and subtitles of every recording, at the place of its key below texts/",
        "transcripts --to texts/ --format txt,srt",
    ),
    (
        "Every night after the run, into a bucket: only what is new is written",
        "transcripts --to s3://my-bucket/texts/ --format json -q",
    ),
    (
        "Tables for DuckDB, Athena and Spark; the same command again adds what is new",
        "transcripts --to s3://my-bucket/tables/ --format parquet",
    ),
    (
        "Subtitles for a phone: one line of 32 characters",
        "transcripts --to phone/ --format vtt --line-length 32 --lines 1",
    ),
)


@dataclass(frozen=True)
class LayoutFlags(FlagGroup):
    """How subtitles are laid out."""

    line_length: Annotated[
        int, typer.Option(metavar="N", min=10, max=200, help="srt, vtt: characters of a line.")
    ] = 42
    lines: Annotated[
        int, typer.Option(metavar="N", min=1, max=4, help="srt, vtt: lines shown at once.")
    ] = 2
    reading_speed: Annotated[
        float,
        typer.Option(metavar="N", min=5, max=50, help="srt, vtt: characters read in a second."),
    ] = 20.0


@with_settings(
    TRANSCRIPTS,
    FILES,
    ("results",),
    AWS,
    on_s3=True,
    transcripts=typer.Option(
        "--to",
        metavar="PLACE",
        help="Where the files are written: a folder, or s3://bucket/prefix/.",
        show_default=False,
    ),
    transcript_format=typer.Option(
        "--format",
        metavar="LIST",
        help="Some of txt, srt, vtt, csv, json, rttm, ctm, textgrid; or parquet. [default: txt]",
        show_default=False,
    ),
)
def command(
    *,
    chosen: Config,
    given: Given,
    layout: LayoutFlags,
    again: Annotated[
        bool, typer.Option("--again", help="Write what is written already as well.")
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write the transcripts as text, subtitles or tables.

    There is a file for each recording and format. It reads every transcript that the run has
    written where it is stored, below --results, else with the service, which keeps it for 90
    days. No job is started. calls/a.mp3 becomes calls/a.txt. What was written once is left
    alone, also where you moved it away: a list of it is kept next to the state file
    (STATE.transcripts). It works during a run, and continues where it was interrupted. It
    replaces only what it wrote itself, and deletes nothing. parquet is three tables of all
    recordings, whose files never change.

    Exit codes: 0 every file is written; 1 some recordings lack one; 2 it can't read or write; 130
    or 143 interrupted. After 1, 130 and 143 the same command continues.
    """
    from pipeline.launch.on_s3 import with_written_here
    from pipeline.launch.transcripts import Wanted
    from pipeline.transcripts.captions import Layout
    from pipeline.transcripts.formats import TranscriptFormat

    place, formats = parse_transcripts(chosen)
    if again and not formats:
        raise BadSettings(
            "--again does not go with parquet: files of tables never change",
            "Write the tables to another place.",
        )
    if not {TranscriptFormat.SRT, TranscriptFormat.VTT} & {*formats}:
        names = [each.name for each in fields(LayoutFlags)]
        refuse_idle(given, names, "no subtitles are written", "Add --format srt, or vtt.")
    laid_out = Layout(layout.line_length, layout.lines, layout.reading_speed)
    wanted = Wanted(place, formats, laid_out, again)
    with with_written_here(chosen) as run:
        ended = _written(chosen, run.state, wanted, quiet=quiet)
    raise typer.Exit(_report(ended, chosen, quiet=quiet, json=json))


def _written(chosen: Config, state: StateReader, wanted: Wanted, *, quiet: bool) -> Ended:
    from pipeline.launch.transcripts import write_transcripts
    from pipeline.state.transcript_ledger import ledger_path, open_ledger

    with ExitStack() as opened:
        ledger = opened.enter_context(open_ledger(ledger_path(chosen.state_path)))
        count = opened.enter_context(counted(style_for(quiet=quiet), None, "recordings"))
        work = write_transcripts(chosen, state, ledger, wanted, told(count))
        return in_event_loop(work)


def _report(ended: Ended, chosen: Config, *, quiet: bool, json: bool) -> int:
    """Print what was done where it is wanted; return the exit code."""
    to, are_files = printable(chosen.output.transcripts), bool(parse_transcripts(chosen)[1])
    if ended.exit_code == CANNOT_RUN:
        say(ended.stopped)
    if json:
        answer(msgspec.json.encode({**ended._asdict(), "seconds": round(ended.seconds, 3)}))
    elif not quiet or ended.exit_code == 1:
        typer.echo("\n".join(_sentences(ended, to, again_helps=are_files)), err=True)
    return ended.exit_code


def _sentences(ended: Ended, to: str, *, again_helps: bool) -> Iterator[str]:
    done = "Stopped" if ended.stopped else "Done"
    yield (
        f"{done} in {duration(ended.seconds)}: {count_of(ended.written, 'file')} written below "
        f"{to}, of {count_of(ended.recordings, 'recording')}."
    )
    if not ended.recordings and not ended.stopped:
        again = "; --again writes them again" if again_helps else ""
        known = count_of(ended.known, "file was", "files were")
        yield f"Nothing is new: {known} written before{again}."
    if ended.failed:
        why = ", ".join(f"{count:,} {reason}" for reason, count in ended.failed.items())
        yield f"Left without a file: {sum(ended.failed.values()):,} of them ({why})."
    if ended.exit_code:
        yield "Next: the same command again; it goes on where it stopped."
