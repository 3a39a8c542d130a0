"""What shards tell each other on S3: whose word counts, and what follows where nothing is heard."""

from __future__ import annotations

import asyncio
import json
import os
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import formatdate

import pytest

from pipeline.aws.s3 import open_s3
from pipeline.aws.session import connect
from pipeline.config.schema import Aws, Limits
from pipeline.config.shards import Shard
from pipeline.local import CloudOptions, local_cloud
from pipeline.naming import S3Uri
from pipeline.net.wait_times import WaitTimes
from pipeline.s3_output.account_share import AccountShare
from pipeline.s3_output.beats import Beats, next_beat
from pipeline.s3_output.claim import Lanes
from pipeline.s3_output.layout import Layout
from pipeline.s3_output.overview import Beat, read_all
from pipeline.stages.job_tracker import JobTracker
from tests.conftest import ScriptedCloud
from tests.support.between import between, refusal
from tests.support.signing import KEYS
from tests.support.state_files import begun, listed

pytestmark = pytest.mark.usefixtures("no_proxies")

MOST = 100
LAYOUT = Layout(S3Uri("audio", "tasks/"), Shard(0, 4))


@pytest.fixture
async def cloud(tmp_path):
    async with local_cloud(tmp_path, CloudOptions(bucket="audio", keys=(KEYS,))) as opened:
        yield ScriptedCloud(tmp_path, opened.url)


@pytest.fixture
def tracker(tmp_path):
    """A run that has a thousand recordings to start, and lists no more."""
    with begun(tmp_path / "state") as state:
        listed(state, *(f"{n}.mp3" for n in range(1_000)))
        found = JobTracker(state, MOST)
        found.counters.listing_done = True
        yield found


@asynccontextmanager
async def opened_s3(url):
    """The bucket as a run has it."""
    async with (
        connect(Aws(region="us-east-1", endpoint_url=url), 20, KEYS) as session,
        open_s3(session, Limits(retry_seconds=1), WaitTimes()) as s3,
    ):
        yield s3


@asynccontextmanager
async def beating(url, tracker, every=0.05, lanes=()):
    """The beats of shard 0 of 4, so often."""
    async with opened_s3(url) as s3:
        share = AccountShare(LAYOUT.shard, tracker.slots, [], Lanes(lanes))
        first = Beat(datetime.now(UTC), 0, every, lanes=Lanes(lanes))
        async with Beats(s3, LAYOUT, tracker, share, first).going_on():
            yield


def tell(cloud, name="s0001-of-0004", age=0.0, clock=0.0, **claim):
    """Put the beat of another shard there, written so long ago by a machine whose clock is off."""
    path = cloud.folder / "tasks" / "beats" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    at = datetime.now(UTC) + timedelta(seconds=clock - age)
    beat = {"at": at.isoformat(), "tasks": 0, "every": 30.0, "claim": {"wanted": 500, **claim}}
    path.write_text(json.dumps(beat))
    os.utime(path, (time.time() - age,) * 2)


async def until(met) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(20):
        while not met():  # noqa: ASYNC110 # what is waited for tells nobody
            await asyncio.sleep(0.02)


async def heard(tracker, ceiling: int) -> None:
    """Wait until the run may have so many slots."""
    await until(lambda: tracker.slots.limit.ceiling == ceiling)


def own_beat(cloud):
    return json.loads((cloud.folder / "tasks" / "beats" / "s0000-of-0004.json").read_text())


async def test_who_has_only_begun_leaves_the_others_their_parts(cloud, tracker):
    """An array's shards begin together, each before the others can be heard; then it has all."""
    async with beating(cloud.url, tracker):
        first = tracker.slots.limit.ceiling
        await heard(tracker, MOST)

    assert first == MOST / 4


@pytest.mark.parametrize(
    ("told", "ceiling"),
    [
        ({}, 50),
        ({"held": 60}, 40),  # it is to give back ten first
        ({"clock": 3_600.0}, 50),  # its clock is an hour fast: S3's own tells how old the beat is
        ({"clock": -3_600.0}, 50),
        ({"age": 100.0}, 50),  # three beats late
        ({"age": 300.0}, MOST),
        ({"age": 300_000.0, "held": 60}, MOST),  # days old
        ({"wanted": 3}, 97),  # it has only three left to do
        ({"wanted": 0}, MOST),  # it has ended
        ({"name": "s0001-of-0008"}, MOST),  # of an output that was cut otherwise
        ({"name": "notes"}, MOST),
        ({"lanes": ("a", "b")}, MOST),  # it has an account of its own
        ({"lanes": ("a", "b"), "name": "s0002-of-0004"}, 50),
    ],
)
async def test_the_share_is_what_those_that_go_on_leave(cloud, tracker, told, ceiling):
    """A beat counts for as long as four would have come since, by S3's clock."""
    told = dict(told)
    lanes = told.pop("lanes", ())
    tell(cloud, **told)

    async with beating(cloud.url, tracker, lanes=lanes):
        await heard(tracker, ceiling)
        await asyncio.sleep(0.2)

        assert tracker.slots.limit.ceiling == ceiling


async def test_a_start_that_is_refused_while_a_beat_is_read_is_not_forgotten(cloud, tracker):
    """The account is full: what was believed when the reading began would start too many again."""
    tell(cloud)
    limit = tracker.slots.limit
    for _ in range(3):
        tracker.slots.adopt()
    starts = iter([limit.take_anyway])

    def refused_meanwhile(asked):
        if asked.method == "GET" and "s0001-of-0004" in asked.path:
            for start in starts:
                start()
                limit.refused(time.monotonic())
        return asked.forward()

    with between(cloud, refused_meanwhile) as url:
        async with beating(url, tracker, 30.0):
            assert limit.limit == 3


async def test_a_beat_tells_what_the_run_has_and_wants_and_the_last_one_that_it_wants_none(
    cloud, tracker
):
    """So that the others have its slots at once."""
    tracker.slots.adopt()
    async with beating(cloud.url, tracker):
        await heard(tracker, MOST)
        claim = own_beat(cloud)["claim"]

    assert (claim["held"], claim["wanted"]) == (1, 1_000)
    assert own_beat(cloud)["claim"] == {"held": 1}  # a job that goes on at the service


@pytest.mark.parametrize(
    ("last", "every", "in_motion", "seconds"),
    [(0.5, 30, False, 1), (20, 30, False, 30), (20, 30, True, 7.5), (2, 1, True, 0.5)],
)
def test_beats_come_sooner_at_first_and_while_slots_change_hands(last, every, in_motion, seconds):
    """Slots that one gives up are idle until the next one hears of them."""
    assert next_beat(last, every, 0.5, in_motion=in_motion) == seconds


async def test_who_waits_for_slots_asks_for_them_soon(cloud, tracker):
    """Another shard holds all: what it gives up is heard of in half a second, not in two."""
    tell(cloud, held=MOST, limit=MOST)
    moments = set()

    def fourth() -> bool:
        moments.add(datetime.fromisoformat(own_beat(cloud)["at"]))
        return len(moments) == 4

    async with beating(cloud.url, tracker, every=2):
        await until(fourth)
    before, last = sorted(moments)[2:]

    assert (last - before).total_seconds() < 1.5


@pytest.mark.parametrize("method", ["PUT", "GET"])
async def test_who_cannot_hear_or_be_heard_says_so_and_goes_on(cloud, tracker, method):
    """A right that is taken away ends no run: who hears nobody keeps the share it has."""
    tell(cloud)
    denied: list[str] = []

    def reply(asked):
        if denied and asked.method == method and "/beats/" in asked.path:
            denied.append(asked.path)
            return refusal(asked, "AccessDenied", "No rights today", 403)
        return asked.forward()

    with between(cloud, reply) as url:
        async with beating(url, tracker):
            await heard(tracker, 50)
            denied.append("")
            tell(cloud, wanted=0)
            await until(lambda: len(denied) > 3)
            kept = tracker.slots.limit.ceiling
            denied.clear()
            await heard(tracker, MOST)

    assert kept == (50 if method == "GET" else MOST)
    [note] = tracker.counters.notes
    assert note.startswith("The shards could not hear of each other for a while")


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b'{"at": "2026-01-01T00:00:00Z"}'])
async def test_a_beat_that_is_none_changes_nothing(cloud, tracker, content):
    """Foreign text is no share: the run keeps its own until the text is gone."""
    tell(cloud)
    async with beating(cloud.url, tracker):
        await heard(tracker, 50)
        path = cloud.folder / "tasks" / "beats" / "s0002-of-0004.json"
        path.write_bytes(content)
        tell(cloud, wanted=0)
        await asyncio.sleep(0.3)
        kept = tracker.slots.limit.ceiling
        path.unlink()
        await heard(tracker, MOST)

    assert kept == 50


@pytest.mark.parametrize("claim", [{"held": -1}, {"wanted": 10**12}, {"limit": "many"}])
async def test_a_beat_with_figures_that_no_run_tells_changes_nothing(cloud, tracker, claim):
    """A shard that held a negative number of slots would give the others more than there are."""
    tell(cloud)
    async with beating(cloud.url, tracker):
        await heard(tracker, 50)
        tell(cloud, **claim)
        await asyncio.sleep(0.3)

        assert tracker.slots.limit.ceiling == 50


async def test_a_beat_whose_answer_comes_late_makes_no_other_one_younger(cloud):
    """Each is so many seconds old as of its own answer, not of when the last one is here."""
    tell(cloud, "s0001-of-0004")
    tell(cloud, "s0002-of-0004")

    def reply(asked):
        if "/beats/s" not in asked.path:
            return asked.forward()
        time.sleep(0.3 if "s0002" in asked.path else 0)
        date, written = (formatdate(each, usegmt=True) for each in (1_000_000_002, 1_000_000_000))
        return asked.forward()._replace(headers={"Date": date, "Last-Modified": written})

    with between(cloud, reply) as url:
        async with opened_s3(url) as s3:
            told = await read_all(s3, LAYOUT.beats, Beat)

    assert max(told, key=lambda shard: told[shard].moment).number == 2
