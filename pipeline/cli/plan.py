"""`plan SOURCE`: what a run would do, with nothing started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from pipeline.cli.flags import (
    AWS,
    ENGINE,
    FILES,
    JOBS,
    SELECTION,
    Given,
    refuse_idle,
    with_settings,
)
from pipeline.cli.options import Json, ManifestFile, Source, examples
from pipeline.cli.place import parse_source
from pipeline.config.shards import Engine
from pipeline.errors import BadSettings
from pipeline.launch.event_loop import in_event_loop, interruptible
from pipeline.launch.run import RunOptions
from pipeline.launch.services import services
from pipeline.terminal import answer, as_called, counted, style_for

if TYPE_CHECKING:
    from pipeline.config.schema import Config
    from pipeline.plan.forecast import Plan
    from pipeline.plan.sampling import Sample

EXAMPLES = examples(
    ("What would tonight's run cost, and how long would it take", "plan s3://bucket/calls/"),
    (
        "Exact to the cent: read the header of every recording, not of a sample",
        "plan s3://bucket/calls/ --exact",
    ),
    (
        "Of this year's MP3 files alone, as JSON",
        "plan s3://bucket/calls/ --include '2026/*.mp3' --json",
    ),
)


@with_settings(
    FILES,
    JOBS,
    SELECTION,
    ("max_in_flight", "start_rate", "list_parallel"),
    AWS,
    ("shards",),
    ENGINE,
    on_s3=True,
)
def command(
    *,
    source: Source,
    exact: Annotated[
        bool, typer.Option("--exact", help="Read the header of every recording, not of a sample.")
    ] = False,
    sample: Annotated[
        int, typer.Option(metavar="N", help="About how many recordings to sample.", min=1)
    ] = 1000,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Seed of the sample: another number takes others.")
    ] = 0,
    chosen: Config,
    given: Given,
    manifest: ManifestFile = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    json: Json = False,
) -> None:
    """Tell what `run` would do: hours, cost, time, refusals.

    It starts nothing. It reads the headers of a random sample of what is to be transcribed, a part
    or two of each file, so hours and cost have an error: the truth is within it 99 times in 100.
    The state file says what earlier runs have done, or what they left below an --output on S3: then
    it is a plan of all shards together. Budgets are not applied. With --engine ray the nodes of a
    cluster read the headers, each those of some shards.
    """
    from pipeline.plan.sampling import Sample
    from pipeline.plan.text_report import as_text
    from pipeline.recordings.manifest_file import parse_place

    if exact:
        refuse_idle(given, ("sample", "seed"), "--exact reads every header", "Leave one out.")
    named = parse_place(manifest) if manifest else None
    options = RunOptions(chosen, parse_source(source, chosen), style_for(quiet=quiet), named)
    probed = Sample(0 if exact else sample, seed)
    plans: list[Plan] = []
    if chosen.cluster.engine is Engine.RAY and (exact or "engine" in given):
        plans.append(_made_on_ray(options, exact=exact))
    elif received := in_event_loop(interruptible(lambda: _make(options, probed, plans))):
        raise typer.Exit(128 + received)
    if json:
        answer(msgspec.json.encode(plans[0]))
    else:
        typer.echo(as_called(as_text(plans[0])))


def _made_on_ray(options: RunOptions, *, exact: bool) -> Plan:
    """The plan, made by a cluster.

    Raises:
        BadSettings: it is of a sample.
        CannotRun: the run is not one for a cluster, or no cluster takes it.
    """
    if not exact:
        raise BadSettings(
            "--engine ray is for the headers of all recordings",
            "Add --exact, or leave it out: one machine reads a sample within minutes.",
        )
    from pipeline.launch.on_ray.work import plan_on_ray

    return plan_on_ray(options)


async def _make(options: RunOptions, sample: Sample, plans: list[Plan]) -> None:
    """Add the plan to the list."""
    from pipeline.jobs.rules import JobRules
    from pipeline.launch.on_s3 import known_of_earlier_runs
    from pipeline.net.wait_times import WaitTimes
    from pipeline.plan.forecast import forecast
    from pipeline.plan.planning import Probing, survey
    from pipeline.recordings.manifest import named_by

    async with services(options.config, options.place, WaitTimes()) as (config, whole, _, s3):
        source = named_by(options.manifest, whole, s3, config.metadata)
        rules = JobRules(config, source)
        with counted(options.style, sample.size or None, "probed") as tell:
            probing = Probing(sample, config.limits.collectors, tell)
            async with known_of_earlier_runs(config, rules, s3) as earlier:
                found, calls = await survey(rules, s3, earlier, probing)
                found.refuse_unread()
                plans.append(forecast(found, config, earlier, calls, source.uri))
