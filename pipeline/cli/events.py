"""`events setup` and `events remove`: the rule and the queue that tell when jobs end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.flags import AWS, with_settings
from pipeline.cli.options import examples
from pipeline.errors import BadSettings
from pipeline.event_loop import in_event_loop
from pipeline.terminal import confirm
from pipeline.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.config.schema import Config
    from pipeline.events.setup_plan import Found, Step, Wanted

GROUP = "events"
HELP = "Have a queue tell when jobs end: make it for `run --events`, take it away."
SETUP, REMOVE = "setup", "remove"
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
Yes = Annotated[bool, typer.Option("--yes", help="Change it without asking.")]


@with_settings(AWS)
def setup(
    *,
    source: Source = None,
    yes: Yes = False,
    chosen: Config,
) -> None:
    """Make the queue that tells a run when its jobs end, and print its URL for `run --events`.

    Amazon EventBridge sends an event when a job has ended. This makes a rule for the jobs whose
    names begin with job_prefix, a queue that only the rule may write to, and has the one send to
    the other. It shows what it would change and asks first; what is there already and differs is
    put right, and a second time nothing is left to do. The URL goes to stdout.
    """
    from pipeline.events.setup_plan import setup as plan

    url = _change(chosen, source, plan, yes=yes)
    typer.echo(url)


@with_settings(AWS)
def remove(
    *,
    source: Source = None,
    yes: Yes = False,
    chosen: Config,
) -> None:
    """Take away the rule and the queue that `events setup` made, and nothing else.

    It shows what it would delete and asks first. Targets that others gave to the rule stay, and
    with them the rule. A run that uses the queue goes on by listing its jobs.
    """
    from pipeline.events.setup_plan import remove as plan

    _change(chosen, source, plan, yes=yes)


def _change(
    config: Config,
    source: str | None,
    plan: Callable[[Wanted, Found], list[Step]],
    *,
    yes: bool,
) -> str:
    """Look at what there is, agree on the steps and take them; return the queue's URL."""
    prefix = _prefix(config, source)

    async def work() -> str:
        from pipeline.aws.session import connect
        from pipeline.events.setup import Eventing
        from pipeline.net.wait_times import WaitTimes

        async with connect(config.aws, 1, limits=config.limits) as session:
            eventing = Eventing(session, WaitTimes())
            wanted = await eventing.wanted(prefix)
            steps = plan(wanted, await eventing.find(wanted))
            _agree(wanted, steps, yes=yes)
            await eventing.take(steps)
            return (await eventing.find(wanted)).url or ""

    return in_event_loop(work())


def _prefix(config: Config, source: str | None) -> str:
    """What the names of the jobs begin with.

    Raises:
        BadSettings: SOURCE is no bucket.
    """
    from pipeline.naming import job_name_prefix, parse_s3_uri

    if source is None:
        return f"{config.transcribe.job_prefix}-"
    place = parse_s3_uri(source)
    if place is None:
        raise BadSettings(f"SOURCE {source!r}: write it as s3://bucket/.")
    return job_name_prefix(config.transcribe.job_prefix, place.bucket)


def _agree(wanted: Wanted, steps: list[Step], *, yes: bool) -> None:
    """Say what is going to be changed, and ask.

    Raises:
        BadSettings: there is nobody to ask.
    """
    place = f"{wanted.region}, account {wanted.account}"
    if not steps:
        typer.echo(f"Nothing to do for {wanted.name} in {place}.", err=True)
        return
    typer.echo(f"To do in {place}:", err=True)
    for step in steps:
        typer.echo(printable(f"  {step.message}"), err=True)
    confirm("Do it?", "Nothing was changed: agree to it with --yes.", yes=yes)
