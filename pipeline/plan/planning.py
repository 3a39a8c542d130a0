"""A plan from its source to its figures: what earlier runs did, the survey, the forecast."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from pipeline.jobs.rules import JobRules
from pipeline.naming import job_name_prefix, parse_s3_uri
from pipeline.plan.forecast import Earlier
from pipeline.plan.job_duration import fitted
from pipeline.plan.survey import Found, Survey
from pipeline.recordings.prober import open_prober
from pipeline.recordings.selection import Selection
from pipeline.stages.producer import find_results
from pipeline.state.reader import read_state
from pipeline.state.run_state import open_state

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pipeline.aws.s3 import S3
    from pipeline.config.schema import Config
    from pipeline.plan.sampling import Sample
    from pipeline.recordings.source import Source
    from pipeline.state.reader import StateReader
    from pipeline.state.run_state import RunState


class Probing(NamedTuple):
    """Which of the recordings are probed, and who is told how many were."""

    sample: Sample
    on_probed: Callable[[int], None]


class Surveyed(NamedTuple):
    """What was found in a source, and which calls that took besides probing, by operation."""

    found: Found
    calls: dict[str, int]

    def merge(self, other: Surveyed) -> Surveyed:
        """Both together: each has listed all of the source, and looked at its own objects."""
        self.found.merge(other.found)
        return Surveyed(
            self.found, {name: max(n, other.calls[name]) for name, n in self.calls.items()}
        )


async def survey(
    config: Config, source: Source, s3: S3, earlier: Earlier, probing: Probing
) -> Surveyed:
    """Go through a source as a run would, and start nothing.

    Args:
        config: the settings of the run.
        source: where the recordings are.
        s3: what the source is read with.
        earlier: what earlier runs have done.
        probing: how closely it is looked.

    Raises:
        CannotRun: the source can't be listed or read.
    """
    place = parse_s3_uri(source.uri)
    job_rules = JobRules(config, source)
    selection = Selection(place.key if place else "", config.input, job_rules.takes_bare)
    async with open_prober(source, config.limits.collectors) as prober:
        going = Survey(selection, job_rules, fitted(earlier.job_times), probing.sample)
        await going.complete(source, earlier.standings, prober, probing.on_probed)
    return Surveyed(going.found, {each.name: each.calls for each in (s3.list_calls, s3.head_calls)})


@asynccontextmanager
async def earlier_runs(config: Config, source: Source, s3: S3) -> AsyncIterator[Earlier]:
    """What earlier runs have done: their state file, else which results are there already.

    Raises:
        CannotRun: the state file is another source's, or the results can't be listed.
    """
    name_prefix = job_name_prefix(config.transcribe.job_prefix, source.bucket)
    if config.state_path.is_file():
        with read_state(config.state_path) as known:
            known.facts.check_belongs(source.uri, name_prefix)
            yield known_from(str(config.state_path), known)
        return
    with TemporaryDirectory() as folder, open_state(Path(folder) / "state", name_prefix) as state:
        await note_results(s3, config, name_prefix, state)
        yield known_from(str(config.state_path), state.reader)


def known_from(name: str, state: StateReader) -> Earlier:
    """What a state file of this name knows of earlier runs."""
    facts = state.facts
    return Earlier(
        name,
        state.recordings.standings,
        state.statistics.job_times(),
        facts.output_lines,
        facts.output_size,
    )


async def note_results(s3: S3, config: Config, name_prefix: str, state: RunState) -> None:
    """Note in a new state file which results are there already.

    Raises:
        CannotRun: they can't be listed.
    """
    if results := parse_s3_uri(config.output.results):
        await find_results(s3, results, name_prefix, state)
        if any(options.redaction for options in config.options):
            await find_results(s3, results, name_prefix, state, redacted=True)
