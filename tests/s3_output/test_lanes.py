"""Several accounts for one output: each runs its own shards' jobs, and none is paid for twice."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.shards import Shard, lane_of
from pipeline.naming import job_name_prefix, parse_job_name
from pipeline.s3_output.claim import Description
from pipeline.s3_output.lanes import left_lanes
from tests.s3_output.conftest import FLAGS, OnS3
from tests.support.signing import KEYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import ScriptedCloud

LANES = ("account-a", "account-b")
BEATS = ("tasks", "beats")


@dataclass
class Accounts:
    """Runs whose calls go to one account, but Transcribe's to that of their lane; one bucket."""

    runs: OnS3
    of: dict[str, ScriptedCloud]

    def flags(self, number: int, count: int = 2, lanes: tuple[str, ...] = LANES) -> tuple[str, ...]:
        """The flags of a shard of so many."""
        settings = self.runs.run.folder / "lanes.toml"
        settings.write_text(f"[cluster]\nlanes = {json.dumps(lanes)}\n")
        return ("--config", "lanes.toml", "--shards", str(count), "--shard", str(number))

    def created(self) -> dict[str, Counter[bytes]]:
        """How often each account was told to start a job of each identity."""
        prefix = job_name_prefix("transcribe-pipeline", "audio")
        found = {}
        for lane, account in self.of.items():
            names = Counter(account.counts()["created"])
            parsed = {name: parse_job_name(prefix, name) for name in names}
            found[lane] = Counter({each[0]: names[n] for n, each in parsed.items() if each})
        return found

    def kill_with_jobs(self, number: int, most: int) -> None:
        """Start a shard, and kill it once its account has so many jobs; its beat is old then."""
        with self.runs.run.start(*self.runs.command(*self.flags(number))) as process:
            account = self.of[lane_of(LANES, number)]
            self.runs.wait_for(lambda: len(account.counts()["created"]) >= most)
            process.send_signal(signal.SIGKILL)
        for beat in self.runs.cloud.folder.joinpath(*BEATS).iterdir():
            os.utime(beat, (0, 0))


@pytest.fixture
def accounts(on_s3, cloud) -> Callable[..., Accounts]:
    """Starts an account for each lane beside that of the run, all over one bucket."""

    def start(*options: str) -> Accounts:
        runs = on_s3()
        of = {"": runs.cloud} | {lane: cloud(*options) for lane in LANES}
        profiles = [
            f"[{f'profile {name}' if name else 'default'}]\nregion = us-east-1\n"
            f"aws_access_key_id = {KEYS.access_key}\naws_secret_access_key = {KEYS.secret_key}\n"
            f"endpoint_url = {account.url}\n"
            for name, account in of.items()
        ]
        config = runs.run.folder.parent / "aws.ini"
        config.write_text("".join(profiles))
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            del runs.run.env[name]
        runs.run.use(AWS_CONFIG_FILE=str(config))
        return Accounts(runs, of)

    return start


def test_each_account_runs_the_jobs_of_its_own_shards(accounts):
    """Shard I takes lane I modulo their number; the run's own account is asked for none."""
    with_lanes = accounts()
    said = with_lanes.runs.add(24)

    for number in range(4):
        with_lanes.runs(*with_lanes.flags(number, 4))
    status = with_lanes.runs.run("status", *FLAGS[2:])
    shown = with_lanes.runs.run("status", *FLAGS[2:], "--json").summary

    created = with_lanes.created()
    assert {Shard.of(each, 4).number for each in created["account-a"]} <= {0, 2}
    assert {Shard.of(each, 4).number for each in created["account-b"]} <= {1, 3}
    assert sum(created.values(), Counter()).total() == 24
    assert with_lanes.runs.lines() == Counter(dict.fromkeys(said, 1))
    assert (
        with_lanes.of[""]
        .counts()["calls"]
        .keys()
        .isdisjoint({"StartTranscriptionJob", "ListTranscriptionJobs", "GetTranscriptionJob"})
    )
    assert "Lanes:     account-a (shard 0, 2); account-b (shard 1, 3)" in status.out
    assert [each["lane"] for each in shown["shards"]] == [*LANES, *LANES]


@pytest.mark.parametrize(
    ("count", "lanes"),
    [(2, LANES[::-1]), (3, LANES), (2, ())],
    ids=["swapped", "another number of shards", "no lanes"],
)
def test_what_would_leave_running_jobs_behind_is_refused(accounts, count, lanes):
    """The other account knows nothing of them: nothing is started, and the same lanes go on."""
    with_lanes = accounts("--seconds", "60")
    with_lanes.runs.add(16)
    with_lanes.kill_with_jobs(0, 2)
    before = with_lanes.created()

    outcome = with_lanes.runs.run(*with_lanes.runs.command(*with_lanes.flags(0, count, lanes)))

    assert outcome.code == 2
    assert "Jobs run in the account of the profile account-a, such as transcribe-pip" in outcome.err
    assert f"with lanes = {list(lanes)} and {count} shards their recordings would" in outcome.err
    assert "have ended, or go on with lanes = ['account-a', 'account-b'] and 2" in outcome.err
    assert with_lanes.created() == before
    assert with_lanes.runs.lines().total() == 0


@pytest.mark.parametrize("disk", ["kept", pytest.param("lost", marks=pytest.mark.long)])
def test_lanes_may_be_swapped_when_no_job_runs(accounts, disk):
    """What the killed run had started has its results: they are taken, and not paid for again."""
    with_lanes = accounts("--seconds", "0.3")
    said = with_lanes.runs.add(24)
    with_lanes.kill_with_jobs(0, 3)
    results = with_lanes.runs.cloud.folder / "results"
    started = with_lanes.created()["account-a"]
    with_lanes.runs.wait_for(lambda: len(list(results.glob("*.json"))) >= len(started))
    if disk == "lost":
        with_lanes.runs.lose_the_disk()

    for number in range(2):
        with_lanes.runs(*with_lanes.flags(number, 2, LANES[::-1]))

    created = with_lanes.created()
    assert created["account-a"] & created["account-b"] == Counter()
    assert sum(created.values(), Counter()) == Counter(dict.fromkeys(created["account-a"], 1)) + (
        Counter(dict.fromkeys(created["account-b"], 1))
    )
    assert {Shard.of(each, 2).number for each in created["account-b"]} <= {0}
    assert with_lanes.runs.lines() == Counter(dict.fromkeys(said, 1))


def test_results_of_another_lane_are_looked_for_again(accounts):
    """What a state file calls pending may be transcribed: its account alone knows the job."""
    with_lanes = accounts()
    with_lanes.runs.add(12)
    with_lanes.runs(*with_lanes.flags(0), "--limit", "2")
    with_lanes.runs.run(*with_lanes.runs.command(*with_lanes.flags(0)), "--output", "s3://audio/o/")
    before = with_lanes.created()

    swapped = with_lanes.runs(*with_lanes.flags(0, 2, LANES[::-1]))

    assert swapped["counts"]["pending"] == 0
    assert with_lanes.created() == before
    assert with_lanes.runs.lines().total() == before["account-a"].total()


def test_other_lanes_wait_for_shards_that_go_on(accounts):
    """Two runs that believe in different lanes would not see each other's jobs."""
    with_lanes = accounts("--seconds", "60")
    with_lanes.runs.add(4)
    beat = with_lanes.runs.cloud.folder.joinpath(*BEATS, "s0000-of-0002.json")

    with with_lanes.runs.run.start(*with_lanes.runs.command(*with_lanes.flags(0))) as process:
        with_lanes.runs.wait_for(beat.exists)
        flags = with_lanes.flags(1, 2, LANES[::-1])
        outcome = with_lanes.runs.run(*with_lanes.runs.command(*flags))
        process.kill()

    assert outcome.code == 2
    assert "was heard of" in outcome.err
    assert "take the lanes ['account-b', 'account-a'] and not ['account-a'," in outcome.err


def test_a_profile_that_is_not_there_is_written_down_nowhere(accounts):
    """A slip of the pen must not become a list that can't be changed any more."""
    with_lanes = accounts()
    with_lanes.runs.add(1)

    flags = with_lanes.flags(0, 2, ("account-a", "acount-b"))
    outcome = with_lanes.runs.run(*with_lanes.runs.command(*flags))

    assert outcome.code == 2
    assert "acount-b" in outcome.err
    assert not (with_lanes.runs.cloud.folder / "tasks").exists()


def test_lanes_without_a_shard_are_refused(accounts):
    """An account that would have nothing to do is a mistake in the number of shards."""
    with_lanes = accounts()
    with_lanes.runs.add(1)

    outcome = with_lanes.runs.run(*with_lanes.runs.command(*with_lanes.flags(0, 1)))

    assert outcome.code == 2
    assert "lanes names 2 profiles, and the last ones would have no shard" in outcome.err


def test_an_account_that_can_not_be_asked_is_not_taken_for_an_idle_one(accounts):
    """Where it can't be told whether jobs run, nothing is changed."""
    with_lanes = accounts()
    with_lanes.runs.add(4)
    with_lanes.runs(*with_lanes.flags(0))
    described = with_lanes.runs.cloud.folder / "tasks" / "cluster.json"
    described.write_text(described.read_text().replace("account-b", "closed"))

    outcome = with_lanes.runs.run(*with_lanes.runs.command(*with_lanes.flags(1)))

    assert outcome.code == 2
    assert "whether their jobs run there can't be told" in outcome.err
    assert "closed" in described.read_text()


def test_the_jobs_of_each_lane_are_deleted_in_its_account(accounts):
    """`clean` asks the account that ran a shard's jobs."""
    with_lanes = accounts()
    with_lanes.runs.add(12)
    for number in range(2):
        with_lanes.runs(*with_lanes.flags(number))
    with_lanes.runs.lose_the_disk()

    cleaned = with_lanes.runs.run("clean", *FLAGS[2:], "--older-than", "0h", "--yes", "--json")

    assert (cleaned.summary["deleted"], cleaned.summary["gone"]) == (12, 0)
    for lane, created in with_lanes.created().items():
        deletions = with_lanes.of[lane].counts()["calls"].get("DeleteTranscriptionJob", 0)
        assert deletions == created.total()


def described(lanes: tuple[str, ...], shards: int) -> Description:
    """What an output with these lanes says of itself."""
    return Description("s3://audio/", "transcript", "", "p-", lanes=lanes, shards=shards)


ARRANGED = st.builds(
    described, st.lists(st.sampled_from("abcd"), unique=True).map(tuple), st.integers(1, 16)
)


@given(ARRANGED, ARRANGED, st.binary(min_size=1, max_size=1))
def test_an_account_is_left_where_some_recording_has_another_one(before, now, identity):
    """Of any two arrangements exactly the accounts are asked that a recording would leave."""
    left = left_lanes(before, now)
    lanes = [lane_of(each.lanes, Shard.of(identity, each.shards).number) for each in (before, now)]

    assert lanes[0] == lanes[1] or lanes[0] in left
    assert set(left) <= set(before.lanes or [""])
    assert left_lanes(before, before) == []


def test_another_number_of_shards_leaves_no_account_where_there_is_one():
    """Without lanes, or with one, shards may be counted anew at any time."""
    for lanes in ((), ("a",)):
        assert left_lanes(described(lanes, 4), described(lanes, 3)) == []
