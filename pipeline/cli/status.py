"""`status`: how far a run is, from its state file alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from pipeline.cli.flags import AWS, FILES, with_settings
from pipeline.cli.options import Json, examples
from pipeline.errors import BadSettings
from pipeline.terminal import answer

if TYPE_CHECKING:
    from pipeline.config.schema import Config

EXAMPLES = examples(
    ("How far is the run that writes tasks.jsonl", "status"),
    ("The same for another run, as JSON", "status --output calls.jsonl --json"),
    ("Watch it until it ends, with a look every five seconds", "status --watch 5"),
)

_SECONDS = 2.0


@with_settings(FILES, AWS, on_s3=True)
def command(
    *,
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
    chosen: Config,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every few seconds, until the run ends.")
    ] = False,
    json: Json = False,
) -> None:
    """Show how far a run is, during the run and after it.

    It shows counts, rate, the oldest job in flight and the failures by reason, all from the state
    file. With --watch it also shows the pace since the run began, its slots and what holds it back:
    live on a terminal, else one line per look.
    """
    if seconds is not None and not watch:
        raise BadSettings(
            f"SECONDS ({seconds:g}) goes with --watch", f"Write `status --watch {seconds:g}`."
        )
    from pipeline.monitoring.status import follow, status

    if chosen.s3_output:
        _show_shards(chosen, watch=watch, json=json)
        return
    path, show = chosen.state_path, answer if json else typer.echo
    if watch:
        follow(path, seconds or _SECONDS, show, json=json)
    else:
        show(status(path, json=json))


def _show_shards(chosen: Config, *, watch: bool, json: bool) -> None:
    if watch:
        raise BadSettings(
            f"--watch looks at a state file on this machine, and {chosen.output_name} is on S3",
            "Leave it out, or name the run's state file with --state and no --output.",
        )
    from pipeline.launch.on_s3 import overview_of
    from pipeline.s3_output.overview import lines

    found = overview_of(chosen)
    if json:
        answer(msgspec.json.encode(found))
    else:
        typer.echo("\n".join(lines(found)))
