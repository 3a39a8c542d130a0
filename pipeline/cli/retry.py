"""`retry`: put failed recordings back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.flags import FILES, with_settings
from pipeline.cli.options import examples
from pipeline.errors import StateUnusable

if TYPE_CHECKING:
    from pipeline.config.schema import Config

NAME = "retry"
EXAMPLES = examples(
    ("Put every failed recording back", "retry"),
    (
        "Only those that failed inside the service, of another run",
        "retry --output calls.jsonl --reason 'fault at the service'",
    ),
)


@with_settings(FILES)
def command(
    *,
    chosen: Config,
    reason: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS", help="Only what failed for this reason; repeatable."),
    ] = None,
    new_job: Annotated[
        bool, typer.Option("--new-job", help="Start a new job for each, whatever the reason.")
    ] = False,
) -> None:
    """Put failed recordings back for the next run.

    Each gets a new job, under a new name, which costs money. Where the transcript could not be
    read, or the job did not end in time, the next run asks for the old job again, which costs
    nothing. The reasons are those that `run`, `status` and the failures file name.
    """
    from pipeline.state.reader import read_state
    from pipeline.state.run_state import open_state

    with read_state(chosen.state_path) as reader:  # a run's file must be there before it is locked
        known = reader.failures.reasons()
    unknown = sorted(set(reason or ()) - set(known))
    if unknown:
        raise StateUnusable(
            f"Nothing failed for the reason {unknown[0]!r}",
            f"The reasons are: {', '.join(known)}." if known else "Nothing failed at all.",
        )
    with open_state(chosen.state_path, "") as opened:
        anew, again = opened.retry(reason or (), new_jobs=new_job)
    typer.echo(
        f"{anew + again:,} put back ({anew:,} with a new job, {again:,} with the one they have); "
        "run the same command as before.",
        err=True,
    )
