"""The first stage: list the source into the state file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pipeline.errors import Denied
from pipeline.logs import event
from pipeline.model import Recording
from pipeline.naming import REDACTED, as_folder, parse_job_name, result_place
from pipeline.net.retry import never_deferred
from pipeline.recordings.selection import ARCHIVED, ARCHIVES
from pipeline.stages.metadata_reader import READ_ANEW
from pipeline.stages.metadata_versions import WRITTEN_AT, versions_of
from pipeline.state.recordings import Standing
from pipeline.text import count_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from pipeline.aws.s3 import S3
    from pipeline.config.metadata import Metadata
    from pipeline.jobs.rules import JobRules
    from pipeline.model import SourceObject
    from pipeline.naming import S3Uri
    from pipeline.recordings.source import Source
    from pipeline.stages.counters import Counters
    from pipeline.stages.job_tracker import JobTracker
    from pipeline.state.listing import Noted
    from pipeline.state.reader import StateReader
    from pipeline.state.run_state import RunState

    Standings = Callable[[Sequence[tuple[Recording, bytes]]], list[Standing]]

_AT_ONCE = 100
"""Objects that are looked at at once."""


async def produce(metadata: Metadata, job_rules: JobRules, tracker: JobTracker) -> None:
    """Insert every recording of the source, page by page; count what is skipped, by reason."""
    counters, chosen = tracker.counters, metadata.source
    versions, kind = versions_of(chosen), WRITTEN_AT if chosen == "object" else ""
    async for listed in to_the_end(job_rules.source.pages()):
        page = await with_restored(listed, job_rules, tracker.state.recordings.standings)
        recordings = list(_recordings(page, job_rules, tracker))
        keys = [each.key for each in recordings]
        with tracker.state.metadata.page():
            tracker.state.add((each, job_rules.identity(each)) for each in recordings)
            tracker.state.metadata.note(versions(page, keys), kind)
        _count(counters, len(page), tracker.state.note_listed(keys))
        tracker.pending.wake()
        await asyncio.sleep(0)  # the next page may be there: its 40 ms are not to follow at once
    tracker.state.facts.note_skipped(counters.skipped, counters.not_audio)
    if untold := tracker.state.metadata.untold():
        tracker.note(_retold(untold, chosen))
        tracker.state.metadata.on_told()
    event("listing.ended", listed=counters.listed, skipped=dict(counters.skipped))
    counters.listing_done = True
    tracker.pending.wake()


async def take_over(earlier: StateReader, tracker: JobTracker) -> None:
    """Insert every recording that an earlier run has written, to be written from its result."""
    for page in earlier.recordings.written():
        keys = {job.row: job.recording.key for job in page}
        with tracker.state.metadata.page():
            tracker.state.take_over(page)
            found = earlier.metadata.of_rows(keys)
            tracker.state.metadata.note([(keys[row], facts) for row, facts in found])
        noted = tracker.state.note_listed([job.recording.key for job in page])
        _count(tracker.counters, len(page), noted)
        tracker.pending.wake()
        await asyncio.sleep(0)
    tracker.counters.listing_done = True
    tracker.pending.wake()


def _retold(recordings: int, source: str) -> str:
    rewriting = f"`transcripts{' --again' if source in READ_ANEW else ''}` rewrites"
    change = (
        f"{count_of(recordings, 'recording has', 'recordings have')} been written anew in S3 with "
        "the same content, "
        "and perhaps other metadata,"
        if source == "object"
        else f"The metadata of {count_of(recordings, 'recording')} has changed"
    )
    return (
        f"{change} since their tasks were written. "
        "--rebuild-output rewrites these without new jobs; for tasks on S3 name another --output. "
        f"{rewriting} their csv and json files."
    )


def _count(counters: Counters, listed: int, noted: Noted) -> None:
    counters.listed += listed
    counters.unchanged += noted.unchanged
    counters.duplicates += noted.duplicates


async def find_results(s3: S3, job_rules: JobRules, state: RunState) -> None:
    """Note which results exist, 1,000 a call, before the first recording of a new state file.

    So a lost state file costs neither a job nor a call per recording, and jobs whose records the
    service has dropped after 90 days are found too. It also shows whether the bucket is there.
    Redacted ones, which have other names, are looked for when they are first asked for. Without
    `--results` there is nothing to look for.

    Raises:
        NoSuchSource: the bucket of `--results` does not exist, or is in another region.
        Denied: it may not be listed, so that what exists in it might be paid for again.
    """
    if results := job_rules.results:
        await _find_results(s3, results, job_rules.name_prefix, state)
        if job_rules.redacts and not state.facts.results_are_known(redacted=True):
            await _find_results(s3, results, job_rules.name_prefix, state, redacted=True)


async def _find_results(
    s3: S3, results: S3Uri, name_prefix: str, state: RunState, *, redacted: bool = False
) -> None:
    if state.facts.results_are_known(redacted=redacted):
        await s3.check_bucket(as_folder(results))
        return
    start = result_place(results, name_prefix, redacted=redacted)
    names = start._replace(key=start.key.removesuffix(".json"))
    try:
        async for page in to_the_end(s3.pages(names)):
            files = (each.key.rpartition("/")[2] for each in page)
            stems = (each.removeprefix(REDACTED).removesuffix(".json") for each in files)
            state.note_results(filter(None, (parse_job_name(name_prefix, stem) for stem in stems)))
    except Denied as error:
        raise Denied(
            error.problem,
            f"{error.advice} A new state file needs it, to find the transcripts that are there "
            "already and would be paid for again.".lstrip(),
            action=error.action,
            message=error.message,
        ) from error
    state.facts.set_results_known(redacted=redacted)


async def to_the_end(pages: AsyncIterator[list[SourceObject]]) -> AsyncIterator[list[SourceObject]]:
    """The pages, of which none may be left to the next run as a recording may.

    Raises:
        ServiceUnreachable: one of several calls at once was given up.
    """
    with never_deferred("the source was listed"):
        async for page in pages:
            yield page


async def with_restored(
    page: list[SourceObject], job_rules: JobRules, standings: Standings
) -> list[SourceObject]:
    """The page, in which archived recordings that were restored are readable ones.

    A listing does not tell, so each that a run would start is asked about; no other is.
    """
    archived = [
        n
        for n, each in enumerate(page)
        if each.storage in ARCHIVES and job_rules.selection.why_skipped(each) == ARCHIVED
    ]
    if not archived:
        return page
    page = list(page)
    recordings = [Recording(*page[n][:3]) for n in archived]
    found = standings([(each, job_rules.identity(each)) for each in recordings])
    for n, each in zip(archived, found, strict=True):
        if each is Standing.FOUND:  # it was transcribed: nobody has to read it again
            page[n] = page[n]._replace(storage="")
    asked = [n for n, each in zip(archived, found, strict=True) if each is Standing.TO_START]
    with never_deferred("archived recordings were looked at"):
        for some in (asked[n : n + _AT_ONCE] for n in range(0, len(asked), _AT_ONCE)):
            looked_up = (_as_it_is(page[n], job_rules.source) for n in some)
            for n, entry in zip(some, await asyncio.gather(*looked_up), strict=True):
                page[n] = entry
    return page


async def _as_it_is(entry: SourceObject, source: Source) -> SourceObject:
    try:
        found = await source.look_up(entry.key) or entry
        return found._replace(metadata=entry.metadata, modified=entry.modified)
    except Denied:
        return entry


def _recordings(
    page: list[SourceObject], job_rules: JobRules, tracker: JobTracker
) -> Iterator[Recording]:
    for entry in page:
        reason = job_rules.selection.why_skipped(entry)
        if reason is None:
            yield Recording(entry.key, entry.etag, entry.size)
        else:
            tracker.counters.no_recordings.count(entry, reason)
