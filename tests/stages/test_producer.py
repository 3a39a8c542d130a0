"""The source's listing on its way into the state file."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import pytest

from pipeline.aws.s3 import open_s3
from pipeline.aws.session import connect
from pipeline.config.loading import resolve
from pipeline.config.metadata import Metadata
from pipeline.config.schema import Aws, Limits
from pipeline.errors import Deferred, Denied, ServiceUnreachable
from pipeline.jobs.rules import JobRules
from pipeline.model import SourceObject
from pipeline.naming import S3Uri
from pipeline.net.wait_times import WaitTimes
from pipeline.recordings.bucket import S3Source
from pipeline.stages.job_tracker import JobTracker
from pipeline.stages.producer import find_results, produce, to_the_end, with_restored
from pipeline.state.recordings import Standing
from tests.support.between import Answer, Asked, between
from tests.support.state_files import begun, written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


pytestmark = pytest.mark.usefixtures("no_proxies")


async def test_a_page_that_is_given_up_stops_the_run():
    """What a listing lacks would seem to be deleted: it is no recording that the next run takes."""

    async def pages() -> AsyncIterator[list[SourceObject]]:
        yield []
        raise Deferred("s3://calls answers with HTTP status 503", action="s3:ListBucket")

    with pytest.raises(ServiceUnreachable, match=r"503, while the source was listed\. Wait a wh"):
        _ = [page async for page in to_the_end(pages())]


class TwoPages:
    """A source whose second page is there at once."""

    uri, bucket = "s3://calls/", "calls"

    def __init__(self) -> None:
        self.turns = 0
        self.turns_before_the_second = 0

    async def pages(self) -> AsyncIterator[list[SourceObject]]:
        """A recording and a text, then another recording."""
        yield [SourceObject("a.mp3", "1", 7), SourceObject("a.txt", "1", 7)]
        self.turns_before_the_second = self.turns
        yield [SourceObject("b.mp3", "1", 7)]

    async def take_turns(self) -> None:
        """What another stage would do meanwhile."""
        while True:
            self.turns += 1
            await asyncio.sleep(0)


class ManifestThatEnds:
    """A source with metadata whose listing is given up after its first page, or goes on."""

    uri, bucket = "s3://calls/", "calls"

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole

    async def pages(self) -> AsyncIterator[list[SourceObject]]:
        """One recording with other metadata than before, and perhaps another without."""
        yield [SourceObject("a.mp3", "1", 7, metadata=b'{"agent":"y"}')]
        if not self._whole:
            raise Deferred("no answer")
        yield [SourceObject("b.mp3", "1", 7)]


async def test_a_change_of_metadata_is_told_by_the_next_run_if_this_one_ends_before(tmp_path):
    """Its page is noted, so the next run finds the same: it tells all the same, and once."""
    notes = []
    for whole in (False, True, True):
        with begun(tmp_path / "state") as state:
            if not whole:
                written(state, "a.mp3")
            tracker = JobTracker(state, 9)
            rules = JobRules(resolve({}, {}), cast("Any", ManifestThatEnds(whole=whole)))
            with suppress(ServiceUnreachable):
                await produce(Metadata(source="manifest"), rules, tracker)
            notes.append(tracker.counters.notes)

    assert [len(each) for each in notes] == [0, 1, 0]
    assert notes[1][0].startswith("The metadata of 1 recording has changed")


async def test_what_is_skipped_was_listed_and_others_have_their_turn(tmp_path):
    """Every object of a page counts as listed; between two pages the other stages go on."""
    source = TwoPages()
    with begun(tmp_path / "state") as state:
        tracker = JobTracker(state, 9)
        other = asyncio.create_task(source.take_turns())
        rules = JobRules(resolve({}, {}), cast("Any", source))
        await produce(Metadata(), rules, tracker)
        other.cancel()

        assert (tracker.counters.listed, state.recordings.counts().pending) == (3, 2)
        assert source.turns_before_the_second > 0


class Archive:
    """A source of which some recordings are archived, and say so when they are asked."""

    uri, bucket, names_each = "s3://calls/", "calls", False

    def __init__(self, **storage: str) -> None:
        self.asked: list[str] = []
        self._storage = storage

    async def pages(self) -> AsyncIterator[list[SourceObject]]:
        """All are listed as archived; one of them is excluded, and one no recording."""
        keys = [f"{name}.mp3" for name in self._storage]
        yield [SourceObject(key, "1", 7, "GLACIER") for key in [*keys, "a.txt", "no.wav"]]

    async def look_up(self, key: str) -> SourceObject | None:
        """What HeadObject says."""
        self.asked.append(key)
        storage = self._storage[key.removesuffix(".mp3")]
        if storage == "denied":
            raise Denied("It may not be read")
        return None if storage == "gone" else SourceObject(key, "1", 7, storage)


async def test_a_restored_recording_is_taken_and_only_archived_ones_are_asked_about(tmp_path):
    """HeadObject is asked of archived recordings that a run would start; of a written one not."""
    source = Archive(here="", there="GLACIER", denied="denied", gone="gone")
    rules = JobRules(resolve({"exclude": ["no.*"]}, {}), cast("Any", source))
    with begun(tmp_path / "state") as state:
        tracker = JobTracker(state, 9)
        await produce(Metadata(), rules, tracker)
        job = state.claim(1)[0]
        state.started(job)
        assert state.output.mark_written([job]) == [True]
        archived = [SourceObject("here.mp3", "1", 7, "GLACIER")]
        again = await with_restored(archived, rules, state.recordings.standings)

    assert source.asked == ["here.mp3", "there.mp3", "denied.mp3", "gone.mp3"]
    assert job.recording.key == "here.mp3"
    assert tracker.counters.skipped == {"archived in Glacier": 3, "not audio": 1, "excluded": 1}
    assert again[0].storage == "GLACIER"


async def test_an_archived_recording_that_was_transcribed_needs_nobody_to_read_it():
    """With a new state file its result is there: its task is written, and it is not asked about."""
    source = Archive(a="GLACIER")
    rules = JobRules(resolve({}, {}), cast("Any", source))
    page = [SourceObject("a.mp3", "1", 7, "GLACIER")]

    [taken] = await with_restored(page, rules, lambda _: [Standing.FOUND])

    assert (taken.storage, source.asked) == ("", [])


async def test_results_are_listed_once_and_their_bucket_is_looked_at_ever_after(tmp_path):
    """A later run makes one call: it fails before anything is paid for where the bucket is gone."""
    asked = []
    listing = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"

    def reply(each: Asked) -> Answer:
        asked.append("max-keys=1&" in each.path)
        return Answer(200, listing, {})

    config = resolve({"results": "s3://results/t/"}, {})
    rules = JobRules(config, S3Source(S3Uri("calls", ""), cast("Any", None)))
    with between(None, reply) as url, begun(tmp_path / "state") as state:
        settings = Aws(region="us-east-1", endpoint_url=url)
        async with (
            connect(settings, 1, ("key", "secret")) as session,
            open_s3(session, Limits(), WaitTimes()) as s3,
        ):
            for _ in range(3):
                await find_results(s3, rules, state)

    assert asked == [False, True, True]
