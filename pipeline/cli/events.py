"""`events setup` and `events remove`: the rule and the queue that tell when jobs end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.command import Command
from pipeline.cli.flags import AWS, with_settings
from pipeline.cli.options import Yes, examples, group
from pipeline.launch.event_loop import in_event_loop
from pipeline.terminal import confirm

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.config.schema import Config
    from pipeline.events.setup_plan import Found, Step, Wanted

commands = group("The queue that tells a run when its jobs end.")
SETUP_EXAMPLES = examples(
    ("Make the rule and the queue, and print the URL for --events", "events setup"),
    (
        "A queue of its own for one bucket, where several runs go on at once",
        "events setup s3://bucket/ --yes",
    ),
)
REMOVE_EXAMPLES = examples(
    ("Take away what `events setup` made", "events remove"),
    ("The queue of one bucket, from a script", "events remove s3://bucket/ --yes"),
)

Source = Annotated[
    str | None,
    typer.Argument(
        metavar="SOURCE", help="Only the jobs of this bucket, s3://bucket/; else of all."
    ),
]


@commands.command("setup", cls=Command, epilog=SETUP_EXAMPLES)
@with_settings(AWS)
def setup(
    *,
    source: Source = None,
    yes: Yes = False,
    chosen: Config,
) -> None:
    """Create the queue that tells a run when jobs end.

    Amazon EventBridge sends an event when a job has ended. This creates a rule for the jobs whose
    names begin with job_prefix, and a queue that only the rule may write to. It shows what it would
    change and asks first. It corrects what is there already and differs; run it again and nothing
    is left to do. It prints the queue's URL, for `run --events`, on stdout.
    """
    from pipeline.events import setup_plan

    typer.echo(_change(chosen, source, setup_plan.setup, yes=yes))


@commands.command("remove", cls=Command, epilog=REMOVE_EXAMPLES)
@with_settings(AWS)
def remove(
    *,
    source: Source = None,
    yes: Yes = False,
    chosen: Config,
) -> None:
    """Delete the queue and the rule of `events setup`.

    It shows what it would delete and asks first. If others gave the rule targets of their own,
    these and the rule stay. A run that uses the queue continues by listing its jobs.
    """
    from pipeline.events import setup_plan

    _change(chosen, source, setup_plan.remove, yes=yes)


def _change(
    config: Config,
    source: str | None,
    plan: Callable[[Wanted, Found], list[Step]],
    *,
    yes: bool,
) -> str:
    """Look at what there is, agree on the steps and take them; return the queue's URL."""
    from pipeline.events.setup import change
    from pipeline.events.setup_plan import as_lines, prefix_of_jobs

    def agree(wanted: Wanted, steps: list[Step]) -> None:
        typer.echo("\n".join(as_lines(wanted, steps)), err=True)
        if steps:
            confirm("Do it?", "Nothing was changed", "Agree to it with --yes.", yes=yes)

    prefix = prefix_of_jobs(config.transcribe.job_prefix, source)
    return in_event_loop(change(config.aws, config.limits, prefix, plan, agree))
