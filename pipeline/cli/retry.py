"""`retry`: put failed recordings back."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.flags import AWS, FILES, with_settings
from pipeline.cli.options import examples
from pipeline.errors import StateUnusable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.config.schema import Config
    from pipeline.state.run_state import RunState

EXAMPLES = examples(
    ("Put every failed recording back", "retry"),
    (
        "Only those that failed inside the service, of another run",
        "retry --output calls.jsonl --reason 'fault at the service'",
    ),
)


@with_settings(FILES, AWS, on_s3=True)
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
    from pipeline.launch.on_s3 import change_states
    from pipeline.state.reader import read_state
    from pipeline.state.run_state import open_state

    put_back = Counter[str]()

    def change(states: Sequence[RunState]) -> None:
        _check(reason or (), [known for each in states for known in each.failures.reasons()])
        for each in states:
            renewed, again = each.retry(reason or (), new_jobs=new_job)
            put_back.update(renewed=renewed, again=again)

    if chosen.s3_output:
        change_states(chosen, change)
    else:
        with read_state(chosen.state_path):  # a run's file must be there before it is locked
            pass
        with open_state(chosen.state_path, "") as opened:
            change([opened])
    typer.echo(
        f"{put_back.total():,} put back ({put_back['renewed']:,} with a new job, "
        f"{put_back['again']:,} with the one they have); run the same command as before.",
        err=True,
    )


def _check(asked: Sequence[str], failed: Sequence[str]) -> None:
    """Refuse a reason for which nothing has failed.

    Raises:
        StateUnusable: there is such a one.
    """
    known = sorted(set(failed))
    unknown = sorted(set(asked) - set(known))
    if unknown:
        raise StateUnusable(
            f"Nothing failed for the reason {unknown[0]!r}",
            f"The reasons are: {', '.join(known)}." if known else "Nothing failed at all.",
        )
