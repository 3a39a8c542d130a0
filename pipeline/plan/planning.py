"""A plan from its source to its figures: what earlier runs did, the survey, the forecast."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from pipeline.plan.forecast import Earlier
from pipeline.plan.job_duration import fitted
from pipeline.plan.survey import Found, Survey
from pipeline.recordings.prober import open_prober
from pipeline.stages.producer import find_results
from pipeline.state.reader import read_state
from pipeline.state.run_state import open_state

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pipeline.aws.s3 import S3
    from pipeline.jobs.rules import JobRules
    from pipeline.plan.sampling import Sample
    from pipeline.state.reader import StateReader


class Probing(NamedTuple):
    """Which of the recordings are probed, how many at once, and who is told how many were."""

    sample: Sample
    at_once: int
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


async def survey(job_rules: JobRules, s3: S3, earlier: Earlier, probing: Probing) -> Surveyed:
    """Go through a source as a run would, and start nothing.

    Raises:
        CannotRun: the source can't be listed or read.
    """
    async with open_prober(job_rules.source, probing.at_once) as prober:
        going = Survey(job_rules, fitted(earlier.job_times), probing.sample)
        await going.complete(earlier.standings, prober, probing.on_probed)
    return Surveyed(going.found, {each.name: each.calls for each in (s3.list_calls, s3.head_calls)})


@asynccontextmanager
async def earlier_runs(path: Path, job_rules: JobRules, s3: S3) -> AsyncIterator[Earlier]:
    """What earlier runs have done: the state file of this path, else which results are there.

    Raises:
        CannotRun: the state file is another source's, or the results can't be listed.
    """
    name_prefix = job_rules.name_prefix
    if await asyncio.to_thread(path.is_file):
        with read_state(path) as known:
            known.facts.check_belongs(job_rules.source.uri, name_prefix)
            yield known_from(str(path), known)
        return
    with TemporaryDirectory() as folder, open_state(Path(folder) / "state", name_prefix) as state:
        await find_results(s3, job_rules, state)
        yield known_from(str(path), state.reader)


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
