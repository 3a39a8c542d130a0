"""A plan from its source to its figures: what earlier runs did, the survey, the forecast."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipeline.jobs.rules import JobRules
from pipeline.naming import job_name_prefix, parse_s3_uri
from pipeline.plan.forecast import Plan, forecast
from pipeline.plan.job_duration import fitted
from pipeline.plan.survey import Survey
from pipeline.recordings.prober import open_prober
from pipeline.recordings.selection import Selection
from pipeline.stages.producer import find_results
from pipeline.state.reader import StateReader, read_state
from pipeline.state.run_state import open_state

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pipeline.aws.s3 import S3
    from pipeline.config.schema import Config
    from pipeline.plan.sampling import Sample
    from pipeline.recordings.source import Source


async def make_plan(
    config: Config, source: Source, s3: S3, sample: Sample, tell: Callable[[int], None]
) -> Plan:
    """Survey the source and forecast a run over it.

    Args:
        config: the settings of the run.
        source: where the recordings are.
        s3: what the source is read with, and where results may be.
        sample: which of the recordings are probed.
        tell: is told how many were probed.

    Raises:
        CannotRun: the source can't be listed or read.
    """
    place = parse_s3_uri(source.uri)
    selection = Selection(place.key if place else "", config.input)
    job_rules = JobRules(config, source)
    async with (
        _earlier(job_rules, source, s3) as state,
        open_prober(source, config.limits.collectors) as prober,
    ):
        survey = Survey(selection, job_rules, fitted(state.statistics.job_times()), sample)
        await survey.complete(source, state, prober, tell)
        listing = {each.name: each.calls for each in (s3.list_calls, s3.head_calls)}
        return forecast(survey, config, state, listing, source.uri)


@asynccontextmanager
async def _earlier(job_rules: JobRules, source: Source, s3: S3) -> AsyncIterator[StateReader]:
    """What earlier runs have done: their state file, else which results are there already."""
    config = job_rules.config
    name_prefix = job_name_prefix(config.transcribe.job_prefix, source.bucket)
    if config.state_path.is_file():
        with read_state(config.state_path) as known:
            known.facts.check_belongs(source.uri, name_prefix)
            yield known
        return
    with TemporaryDirectory() as folder, open_state(Path(folder) / "state", name_prefix) as state:
        if results := parse_s3_uri(config.output.results):
            await find_results(s3, results, name_prefix, state)
            if job_rules.redacts:
                await find_results(s3, results, name_prefix, state, redacted=True)
        yield state.reader
