"""Several accounts for one output: each runs its own shards' jobs, and none is paid for twice."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.config.shards import Shard, lane_of
from pipeline.errors import OutputUnusable
from pipeline.naming import S3Uri
from pipeline.s3_output.claim import Lanes
from pipeline.s3_output.lanes import refuse_another_account, refuse_other_lanes
from tests.s3_output.conftest import FLAGS, OnS3
from tests.support.amazon import Account
from tests.support.between import between
from tests.support.lanes import LANES, NUMBERS, created_in, lane_profiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Outcome, ScriptedCloud

pytestmark = pytest.mark.usefixtures("in_this_process")

ASKED = "sts:GetCallerIdentity"


@dataclass
class Accounts:
    """Runs whose calls go to one account, but Transcribe's to that of their lane; one bucket."""

    runs: OnS3
    of: dict[str, ScriptedCloud]
    doors: dict[str, Account]

    @property
    def tasks(self) -> Path:
        """What lies below --output."""
        return self.runs.cloud.folder / "tasks"

    def refused(self, *flags: str) -> Outcome:
        """A run that must not begin: no job is started, and nothing is written."""
        before = self.created(), {each: each.read_bytes() for each in self.tasks.rglob("*.*")}
        outcome = self.runs.run(*self.runs.command(*flags))
        assert outcome.code == 2, outcome.err
        after = self.created(), {each: each.read_bytes() for each in self.tasks.rglob("*.*")}
        assert after == before
        return outcome

    def checked(self, *flags: str) -> tuple[str, str]:
        """The verdict and sentence of `check` about what other runs have left."""
        found = self.runs.run("check", "s3://audio/calls/", *FLAGS, *flags, "--json").summary
        [line] = [each for each in found["lines"] if each["check"] == "other runs"]
        return line["verdict"], line["message"].rstrip(".")

    def flags(self, number: int, count: int = 2, lanes: tuple[str, ...] = LANES) -> tuple[str, ...]:
        """The flags of a shard of so many."""
        settings = self.runs.run.folder / "lanes.toml"
        settings.write_text(f"[cluster]\nlanes = {json.dumps(lanes)}\n")
        return ("--config", "lanes.toml", "--shards", str(count), "--shard", str(number))

    def created(self) -> dict[str, Counter[bytes]]:
        """How often each account was told to start a job of each identity."""
        return created_in(self.of)

    def kill_with_jobs(self, number: int, most: int) -> None:
        """Start a shard, and kill it once its account has so many jobs; its beat is old then."""
        with self.runs.run.start(*self.runs.command(*self.flags(number))) as process:
            account = self.of[lane_of(LANES, number)]
            self.runs.wait_for(lambda: len(account.counts()["created"]) >= most)
            process.send_signal(signal.SIGKILL)
        before = -1
        while before != (now := len(account.counts()["created"])):  # what it sent still arrives
            before = now
            time.sleep(0.2)
        for beat in (self.tasks / "beats").iterdir():
            os.utime(beat, (0, 0))


@pytest.fixture
def accounts(on_s3, cloud) -> Iterator[Callable[..., Accounts]]:
    """Starts an account for each lane beside that of the run, all over one bucket."""
    with ExitStack() as stack:

        def start(*options: str) -> Accounts:
            runs = on_s3()
            of = {"": runs.cloud} | {lane: cloud(*options) for lane in LANES}
            config = runs.run.folder.parent / "aws.ini"
            doors = stack.enter_context(lane_profiles(of, config))
            for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                del runs.run.env[name]
            runs.run.use(AWS_CONFIG_FILE=str(config), AWS_EC2_METADATA_DISABLED="true")
            return Accounts(runs, of, doors)

        yield start


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
    stands = json.loads((with_lanes.tasks / "cluster.json").read_text())["lanes"]
    assert stands == {"profiles": [*LANES], "accounts": [*NUMBERS.values()], "shards": 4}


OTHERS = [(2, LANES[::-1]), (3, LANES), (2, ())]


def test_other_lanes_are_refused_for_the_life_of_an_output(accounts):
    """Also where `cluster.json` is lost: the same lanes go on, and pay for nothing twice."""
    with_lanes = accounts("--seconds", "0.3")
    said = with_lanes.runs.add(16)
    with_lanes.kill_with_jobs(0, 2)
    stands = with_lanes.tasks / "cluster.json"
    before = stands.read_bytes()

    for lost in (False, True):
        if lost:
            stands.unlink()
        for count, lanes in OTHERS:
            refused = with_lanes.refused(*with_lanes.flags(0, count, lanes)).err
            has = f"lanes = {list(lanes)} and {count} shards" if lanes else "no lanes"
            assert "has lanes = ['account-a', 'account-b'] and 2 shards, and this run" in refused
            assert f"and this run has {has}: recordings would move" in refused
            assert "another --output and the same --results" in refused
    with_lanes.runs.lose_the_disk()
    for number in range(2):
        with_lanes.runs(*with_lanes.flags(number))

    assert stands.read_bytes() == before
    assert sum(with_lanes.created().values(), Counter()).total() == 16
    assert with_lanes.runs.lines() == Counter(dict.fromkeys(said, 1))


def test_another_output_on_other_lanes_pays_for_nothing_again(accounts):
    """The way out of lanes: the results of the first output are found by their jobs' names."""
    with_lanes = accounts("--seconds", "0.3")
    with_lanes.runs.add(16)
    with_lanes.runs(*with_lanes.flags(1))
    with_lanes.kill_with_jobs(0, 2)
    results = with_lanes.runs.cloud.folder / "results"
    started = with_lanes.created()
    paid: Counter[bytes] = sum(started.values(), Counter())
    with_lanes.runs.wait_for(lambda: len(list(results.glob("*.json"))) == paid.total())

    for number in range(2):
        flags = (*with_lanes.flags(number, 2, LANES[::-1]), "--output", "s3://audio/second/")
        assert with_lanes.runs(*flags)["exit_code"] == 0

    created = with_lanes.created()
    assert sum(created.values(), Counter()) == paid | sum(created.values(), Counter())
    assert set(sum(created.values(), Counter()).values()) == {1}
    assert sum(created.values(), Counter()).total() == 16
    assert created["account-a"] == started["account-a"]


def test_lanes_are_not_added_to_an_output_that_has_none(accounts):
    """Its jobs ran in the account of whoever asked; the number of its shards may still change."""
    with_lanes = accounts()
    with_lanes.runs.add(4)
    with_lanes.runs(*with_lanes.flags(0, 2, ()), "--limit", "2")

    refused = with_lanes.refused(*with_lanes.flags(0)).err
    (with_lanes.tasks / "cluster.json").unlink()
    without = with_lanes.refused(*with_lanes.flags(0)).err
    for beat in (with_lanes.tasks / "beats").iterdir():
        os.utime(beat, (0, 0))
    summary = with_lanes.runs(*with_lanes.flags(0, 1, ()))

    assert "has no lanes, and this run has lanes = ['account-a'" in refused
    assert "has no lanes, and this run has lanes = ['account-a'" in without
    assert summary["exit_code"] == 0


def test_parts_of_unknown_lanes_are_gone_on_with_by_nobody(accounts):
    """Without `cluster.json` and beats nothing tells which account has the jobs."""
    with_lanes = accounts()
    with_lanes.runs.add(4)
    with_lanes.runs(*with_lanes.flags(0))
    for each in (with_lanes.tasks / "cluster.json", *(with_lanes.tasks / "beats").iterdir()):
        each.unlink()

    refused = with_lanes.refused(*with_lanes.flags(0)).err

    assert "which accounts have the jobs of s3://audio/tasks/ is not known" in refused


def test_a_profile_of_another_account_than_before_is_refused(accounts):
    """A name says nothing: keys that were changed, or a machine's role, lead elsewhere."""
    with_lanes = accounts()
    with_lanes.runs.add(4)
    with_lanes.runs(*with_lanes.flags(0))
    door = with_lanes.doors["account-b"]
    door.arn = door.arn.replace("222222222222", "333333333333")

    verdict, message = with_lanes.checked(*with_lanes.flags(1))
    other = with_lanes.checked(*with_lanes.flags(0))
    refused = with_lanes.refused(*with_lanes.flags(1)).err
    clean = ("clean", *FLAGS[2:], "--older-than", "0h", "--yes")
    door.arn = door.arn.replace("333333333333", "222222222222")
    with_lanes.runs(*with_lanes.flags(1))
    door.arn = door.arn.replace("222222222222", "333333333333")
    cleaned = with_lanes.runs.run(*clean)

    for said in (refused, cleaned.err):
        assert "The profile account-b is of the account 333333333333, but the jobs of" in said
        assert "are in 222222222222" in said
    assert (verdict, other[0], cleaned.code) == ("problem", "ok", 2)
    assert message in refused
    assert "transcribe:DeleteTranscriptionJob" not in door.calls


@pytest.mark.parametrize("code", ["AccessDenied", "ServiceUnavailable"])
def test_an_account_that_can_not_be_told_is_not_taken_for_the_same(accounts, code):
    """Before the first run nothing is written down of it; later its shards do not go on."""
    with_lanes = accounts()
    with_lanes.runs.add(4)
    with_lanes.runs.run.use(TRANSCRIBE_PIPELINE_RETRY_SECONDS="0.5")
    with_lanes.doors["account-b"].refused[ASKED] = code

    first = with_lanes.refused(*with_lanes.flags(0)).err
    assert not with_lanes.tasks.exists()
    with_lanes.doors["account-b"].refused.clear()
    with_lanes.runs(*with_lanes.flags(0))
    with_lanes.doors["account-b"].refused[ASKED] = code
    later = with_lanes.refused(*with_lanes.flags(1)).err

    for said in (first, later):
        assert "Which account the profile account-b of lanes is of can't be told" in said


@pytest.mark.parametrize("wrong", ["acount-b", "empty"])
def test_a_profile_that_can_not_be_used_is_written_down_nowhere(accounts, wrong):
    """A slip of the pen must not become a list that can't be changed any more."""
    with_lanes = accounts()
    with_lanes.runs.add(1)
    config = with_lanes.runs.run.folder.parent / "aws.ini"
    config.write_text(f"{config.read_text()}[profile empty]\nregion = us-east-1\n")

    refused = with_lanes.refused(*with_lanes.flags(0, 2, ("account-a", wrong))).err

    assert f"The profile {wrong} of lanes can't be used" in refused
    assert "--profile" not in refused
    assert not with_lanes.tasks.exists()


def test_lanes_without_a_shard_are_refused(accounts):
    """An account that would have nothing to do is a mistake in the number of shards."""
    with_lanes = accounts()
    with_lanes.runs.add(1)

    outcome = with_lanes.runs.run(*with_lanes.runs.command(*with_lanes.flags(0, 1)))

    assert outcome.code == 2
    assert "lanes names 2 profiles, and the last ones would have no shard" in outcome.err


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


def test_a_lost_result_stops_nothing_where_the_runs_own_account_runs_no_jobs(accounts):
    """It is lost below --results, and no account need be asked: the others are read."""
    with_lanes = accounts()
    with_lanes.runs.add(4)
    for number in range(2):
        with_lanes.runs(*with_lanes.flags(number))
    next((with_lanes.runs.cloud.folder / "results").glob("*.json")).unlink()
    config = with_lanes.runs.run.folder.parent / "aws.ini"
    denied = Account(with_lanes.runs.cloud, refused={"transcribe:*": "AccessDeniedException"})

    with between(with_lanes.runs.cloud, denied) as url:
        config.write_text(config.read_text().replace(with_lanes.runs.cloud.url, url))
        found = with_lanes.runs.run("search", "number", *FLAGS[2:])
        texts = with_lanes.runs.run("transcripts", "--to", "t/", *FLAGS[2:], "--json")
        rebuilt = with_lanes.runs.run("tasks", "rebuild", "--to", "new.jsonl", *FLAGS[2:])

    assert found.out.count("number") == 3, found.err
    assert (texts.code, texts.summary["failed"]) == (1, {"job or transcript lost": 1})
    assert len(with_lanes.runs.run.tasks("new.jsonl")) == 3, rebuilt.err
    assert not any(call.startswith("transcribe:") for call in denied.calls)


LANES_OF_ANY = st.builds(
    Lanes,
    st.lists(st.sampled_from("ab"), min_size=1, unique=True).map(tuple),
    st.just(("1", "2")),
    st.integers(2, 4),
)


@given(LANES_OF_ANY, LANES_OF_ANY)
def test_whatever_would_move_a_recording_is_refused(there, ours):
    """Lanes that agree give each recording the account it had; all others are refused."""
    place = S3Uri("audio", "tasks/cluster.json")
    agree = (there.profiles, there.shards) == (ours.profiles, ours.shards)
    try:
        refuse_other_lanes(place, there, ours)
    except OutputUnusable:
        assert not agree
    else:
        assert agree


def test_an_account_that_is_written_down_nowhere_is_not_the_same():
    """Unknown is never equal."""
    lanes = Lanes(("a", "b"), ("1",), 2)

    refuse_another_account(lanes, "a", "1")
    for there, profile in ((lanes, "b"), (replace(lanes, accounts=()), "a"), (lanes, "c")):
        with pytest.raises(OutputUnusable, match="one that is not known"):
            refuse_another_account(there, profile, "1")
