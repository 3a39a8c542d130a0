"""Read this first: what a run would do, found out without starting anything.

    list the source ─► sift: skipped, done,  ─► probe a random  ─► totals with ─► hours, cost,
    page by page       in flight, to start      sample, or all     their error    time, calls

Memory does not grow with the bucket: of what is to be started only a sample is kept, and of what
was found in it only sums.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from pipeline.config.pricing import billed_seconds, items_of
from pipeline.errors import Deferred, Denied, first_of
from pipeline.failures import GONE
from pipeline.model import Recording
from pipeline.recordings.probe import DOUBTFUL, Unreadable, why_refused
from pipeline.recordings.selection import Skipped
from pipeline.stages.producer import to_the_end, with_restored
from pipeline.state.recordings import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.jobs.rules import JobRules
    from pipeline.model import SourceObject
    from pipeline.plan.job_duration import JobDuration
    from pipeline.plan.sampling import Sample, Stratum
    from pipeline.recordings.prober import MediaProber

    Standings = Callable[[Sequence[tuple[Recording, bytes]]], list[Standing]]

SECONDS = "seconds of audio"
BILLED = "billed seconds"
WORKING = "seconds of jobs"
DOUBT = "over 4 hours"
REFUSED = "refused: "

_AT_ONCE = 1000


class Found:
    """What was found; counts are of recordings, but for `listed` and `skipped` objects.

    `sample` has the recordings that are probed, which are all where its size is 0.
    """

    def __init__(self, job: JobDuration, sample: Sample) -> None:
        self.listed = 0
        self.skipped = Skipped()
        self.recordings = 0
        self.bytes = 0
        self.bytes_to_start = 0
        self.standings: Counter[Standing] = Counter()
        self.longest_job = 0.0
        self.job = job
        self.sample = sample
        self.exact = not sample.size
        self.denied: Denied | None = None
        self.any_read = False

    def merge(self, other: Found) -> None:
        """Add what was found of other objects, of which all recordings were probed, too."""
        self.listed += other.listed
        self.skipped.merge(other.skipped)
        self.recordings += other.recordings
        self.bytes += other.bytes
        self.bytes_to_start += other.bytes_to_start
        self.standings.update(other.standings)
        self.longest_job = max(self.longest_job, other.longest_job)
        self.sample.merge(other.sample)
        self.denied = self.denied or other.denied
        self.any_read |= other.any_read

    def refuse_unread(self) -> None:
        """Refuse to tell of recordings none of which may be read.

        Raises:
            Denied: recordings were tried, and none could be read.
        """
        if self.denied and not self.any_read:  # it is of the account, and tells no length
            raise self.denied


class Survey:
    """Goes through a source, for what is `found` in it."""

    def __init__(self, job_rules: JobRules, job: JobDuration, sample: Sample) -> None:
        self.found = Found(job, sample)
        self._job_rules = job_rules

    async def complete(
        self, standings: Standings, prober: MediaProber, on_probed: Callable[[int], None]
    ) -> None:
        """List the source, and probe what a run would start; `on_probed` gets the count so far.

        Raises:
            CannotRun: the source can't be listed.
        """
        job_rules, sample = self._job_rules, self.found.sample
        async for listed in to_the_end(job_rules.source.pages()):
            page = await with_restored(listed, job_rules, standings)
            new = self._sift(page, standings)
            if self.found.exact:
                await self._probe_all(new, prober)
                on_probed(sample.probed)
        chosen = iter(() if self.found.exact else sample.chosen())
        while some := list(islice(chosen, _AT_ONCE)):
            await self._probe_all(some, prober)
            on_probed(sample.probed)

    def _sift(
        self, page: list[SourceObject], standings: Standings
    ) -> list[tuple[Stratum, Recording]]:
        """Count what a page holds; what a run would start has a stratum."""
        job_rules, sums = self._job_rules, self.found
        recordings = []
        for entry in page:
            if reason := job_rules.selection.why_skipped(entry):
                sums.skipped.count(entry, reason)
            else:
                recordings.append(Recording(entry.key, entry.etag, entry.size))
        sums.listed += len(page)
        sums.recordings += len(recordings)
        sums.bytes += sum(each.size for each in recordings)
        found = standings([(each, job_rules.identity(each)) for each in recordings])
        sums.standings.update(found)
        new = [
            each
            for each, standing in zip(recordings, found, strict=True)
            if standing is Standing.TO_START
        ]
        sums.bytes_to_start += sum(each.size for each in new)
        return [(sums.sample.add(each, items_of(job_rules.of(each.key))), each) for each in new]

    async def _probe_all(
        self, recordings: Iterable[tuple[Stratum, Recording]], prober: MediaProber
    ) -> None:
        """Probe these; the prober bounds how many at once."""
        try:
            async with asyncio.TaskGroup() as group:
                for stratum, recording in recordings:
                    group.create_task(self._probe(stratum, recording, prober))
        except BaseExceptionGroup as failed:
            raise first_of(failed) from failed

    async def _probe(self, stratum: Stratum, recording: Recording, prober: MediaProber) -> None:
        try:
            sound = await prober.probe(recording)
        except Unreadable as error:
            if isinstance(error.__cause__, Denied):
                self.found.denied = error.__cause__
            else:
                self.found.any_read |= error.reason != GONE
            stratum.record(recording, {f"{REFUSED}{error.reason}": 1})
            return
        except Deferred:
            return  # as if it had not been chosen
        self.found.any_read = True
        named = self._job_rules.named_format(recording.key)
        facts = {SECONDS: sound.seconds}
        if reason := why_refused(sound, named):
            facts[f"{REFUSED}{reason}"] = 1
        else:
            facts[BILLED] = billed_seconds(sound.seconds)
            facts[WORKING] = job = self.found.job.seconds(sound.seconds)
            self.found.longest_job = max(self.found.longest_job, job)
            facts[DOUBT] = int(sound.seconds > DOUBTFUL)
        stratum.record(recording, facts)
