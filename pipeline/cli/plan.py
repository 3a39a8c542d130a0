"""`plan SOURCE`: what a run would do, with nothing started."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
import typer

from pipeline.cli.flags import AWS, FILES, JOBS, SELECTION, with_settings
from pipeline.cli.options import ManifestFile, examples
from pipeline.cli.place import parse_source
from pipeline.config.schema import (
    Config,  # the flags are made from the annotations
)
from pipeline.launch import in_event_loop, interruptible, services
from pipeline.naming import S3Uri, job_name_prefix, parse_s3_uri

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.aws.s3 import S3
    from pipeline.config.schema import Config
    from pipeline.jobs.rules import JobRules
    from pipeline.plan.forecast import Plan
    from pipeline.recordings.source import Source
    from pipeline.state.reader import StateReader
    from pipeline.terminal import Style

NAME = "plan"
EXAMPLES = examples(
    ("What would tonight's run cost, and how long would it take", "plan s3://bucket/calls/"),
    (
        "The same to the cent: look into every recording, not into a sample",
        "plan s3://bucket/calls/ --exact",
    ),
    (
        "Of this year's MP3 files alone, as JSON",
        "plan s3://bucket/calls/ --include '2026/*.mp3' --json",
    ),
)


class Wish(NamedTuple):
    """What is to be planned, and how closely: `sample` recordings are looked into, 0 is all."""

    config: Config
    place: S3Uri | Path
    manifest: S3Uri | Path | None
    sample: int
    seed: int
    style: Style


@with_settings(FILES, JOBS, SELECTION, ("max_in_flight", "start_rate", "list_parallel"), AWS)
def command(
    *,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="s3://bucket/prefix, or a folder.")
    ],
    exact: Annotated[
        bool, typer.Option("--exact", help="Look into every recording, not into a sample.")
    ] = False,
    sample: Annotated[
        int, typer.Option(metavar="N", help="Recordings to look into, about.", min=1)
    ] = 1000,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Which ones: another number takes others.")
    ] = 0,
    chosen: Config,
    manifest: ManifestFile = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Tell what `run` would do with SOURCE: hours, refusals, jobs, cost and time. Start nothing.

    A random sample of what is to be transcribed is looked into: the header of each file, by reading
    a part or two of it. So hours and cost have an error, within which the truth lies 99 times in
    100. What earlier runs have done is known from the state file. Budgets are not applied.
    """
    from pipeline.plan.text_report import as_text
    from pipeline.recordings.manifest_file import parse_place
    from pipeline.terminal import style_for

    place = parse_source(source, chosen)
    named = parse_place(manifest) if manifest else None
    wish = Wish(chosen, place, named, 0 if exact else sample, seed, style_for(quiet=quiet))
    plans: list[Plan] = []
    received = in_event_loop(interruptible(lambda: _make(wish, plans)))
    if received:
        raise typer.Exit(128 + received)
    typer.echo(msgspec.json.encode(plans[0]) if json else as_text(plans[0]))


async def _make(wish: Wish, plans: list[Plan]) -> None:
    """Survey the source and add the plan that follows to the list."""
    from pipeline.jobs.rules import JobRules
    from pipeline.net.wait_times import WaitTimes
    from pipeline.plan.forecast import forecast
    from pipeline.plan.job_duration import fitted
    from pipeline.plan.sampling import Sample
    from pipeline.plan.survey import Survey
    from pipeline.recordings.manifest import named_by
    from pipeline.recordings.prober import open_prober
    from pipeline.recordings.selection import Selection
    from pipeline.terminal import counted

    base = wish.place.key if isinstance(wish.place, S3Uri) else ""
    async with services(wish.config, wish.place, WaitTimes()) as (config, whole, _, s3):
        source = named_by(wish.manifest, whole, s3) if wish.manifest else whole
        selection = Selection(base, config.input)
        job_rules = JobRules(config, source)
        async with (
            _earlier(job_rules, source, s3) as state,
            open_prober(source, config.limits.collectors) as prober,
        ):
            job = fitted(state.statistics.job_times())
            survey = Survey(selection, job_rules, job, Sample(wish.sample, wish.seed))
            with counted(wish.style, wish.sample or None, "looked into") as tell:
                await survey.complete(source, state, prober, tell)
            listing = {each.name: each.calls for each in (s3.list_calls, s3.head_calls)}
            plans.append(forecast(survey, config, state, listing, source.uri))


@asynccontextmanager
async def _earlier(job_rules: JobRules, source: Source, s3: S3) -> AsyncIterator[StateReader]:
    """What earlier runs have done: their state file, else which results are there already."""
    from pipeline.stages.producer import find_results
    from pipeline.state.reader import read_state
    from pipeline.state.run_state import open_state

    config = job_rules.config
    tag = job_name_prefix(config.transcribe.job_prefix, source.bucket)
    if config.state_path.is_file():
        with read_state(config.state_path) as known:
            known.facts.check_belongs(source.uri, tag)
            yield known
        return
    with TemporaryDirectory() as folder, open_state(Path(folder) / "state", tag) as state:
        if results := parse_s3_uri(config.output.results):
            await find_results(s3, results, tag, state)
            if job_rules.redacts:
                await find_results(s3, results, tag, state, redacted=True)
        yield state.reader
