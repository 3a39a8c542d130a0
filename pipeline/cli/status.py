"""`status`: how far a run is, from its state file alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from pipeline.cli.options import ConfigFile, OutputFile, StateFile, examples, settings
from pipeline.errors import BadSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "status"
EXAMPLES = examples(
    ("How far is the run that writes tasks.jsonl", "status"),
    ("The same for another run, as JSON", "status --output calls.jsonl --json"),
    ("Watch it until it ends, with a look every five seconds", "status --watch 5"),
)

_WINDOW_SECONDS = 600
_SECONDS = 2.0


class StatusReport(msgspec.Struct, frozen=True):
    """The facts of a state file; counts of recordings.

    `rate` is per second over the last `rate_seconds`: ten minutes, or since the last run began.
    """

    source: str
    state: str
    pending: int
    in_flight: int
    written: int
    failed: int
    skipped: dict[str, int]
    failures: dict[str, int]
    rate: float
    rate_seconds: float
    oldest_in_flight_seconds: float | None


def command(
    seconds: Annotated[
        float | None,
        typer.Argument(
            metavar="SECONDS",
            min=0.1,
            max=3_600,
            help="How often --watch looks. [default: 2]",
            show_default=False,
        ),
    ] = None,
    output: OutputFile = None,
    state: StateFile = None,
    config: ConfigFile = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every few seconds, until the run ends.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Show how far a run is; it works beside the run and after it.

    Counts, rate, the oldest job in flight and the failures by reason, all from the state file.
    With --watch also the pace since the run began, its slots, and what holds it back: live on a
    terminal, else one line per look.
    """
    chosen = settings(config, output=output, state=state)
    if watch:
        from pipeline.cli.watch import follow

        follow(chosen.state_path, seconds or _SECONDS, json=json)
        return
    if seconds is not None:
        raise BadSettings(f"SECONDS ({seconds:g}) goes with --watch: status --watch {seconds:g}.")
    report = read_report(chosen.state_path, time.time())
    text = msgspec.json.encode(report).decode() if json else "\n".join(lines(report))
    typer.echo(text)


def read_report(path: Path, now: float) -> StatusReport:
    """Read the facts; `now` is in seconds since the epoch.

    Raises:
        StateUnusable: there is no such state file.
    """
    from pipeline.state.reader import read_state

    with read_state(path) as state:
        counts = state.counts()
        oldest = state.oldest_in_flight()
        failures = state.failures()
        begun = float(state.fact("begun") or now)
        window = max(1.0, min(_WINDOW_SECONDS, now - begun))
        return StatusReport(
            source=state.fact("source") or "",
            state=str(path),
            pending=counts.pending,
            in_flight=counts.in_flight,
            written=counts.written,
            failed=sum(failures.values()),
            skipped=state.skipped(),
            failures=failures,
            rate=round(state.written_since(now - window) / window, 3),
            rate_seconds=round(window, 1),
            oldest_in_flight_seconds=None if oldest is None else round(now - oldest, 1),
        )


def lines(report: StatusReport) -> Iterator[str]:
    """The report as people read it."""
    from pipeline.text import duration, printable

    yield f"Source:    {printable(report.source)}"
    yield (
        f"Tasks:     {report.written:,} written, {report.in_flight:,} in flight, "
        f"{report.pending:,} pending, {report.failed:,} failed"
    )
    yield f"Rate:      {report.rate:.1f}/s over the last {duration(report.rate_seconds)}"
    if report.oldest_in_flight_seconds is not None:
        yield f"Oldest:    in flight for {duration(report.oldest_in_flight_seconds)}"
    for title, counts in (("Skipped:", report.skipped), ("Failed:", report.failures)):
        if counts:
            yield f"{title:<10} " + ", ".join(f"{n:,} {reason}" for reason, n in counts.items())
