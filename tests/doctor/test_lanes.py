"""`check` with lanes: each account is looked at by itself, and nothing of the run's own is."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest

from tests.conftest import end, start_cloud
from tests.support.amazon import ARN, Account
from tests.support.between import between
from tests.support.in_process import InProcess
from tests.support.signing import KEYS
from tests.support.state_files import begun, running

OTHER = ARN.replace("123456789012", "222222222222")
SOURCE = ("s3://audio/calls/", "--results", "s3://audio/t/", "--output", "s3://audio/tasks/")
SETTINGS = ("--config", "lanes.toml", "--json")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A cloud with one recording in its bucket."""
    process, cloud = start_cloud(tmp_path_factory.mktemp("cloud") / "audio")
    cloud.put("calls/one.mp3", "the first text")
    yield cloud
    end(process)


@pytest.fixture
def looked_at(tmp_path, monkeypatch, service):
    """Runs `check` over accounts by profile, default among them; its lines by name."""
    check = InProcess("check", tmp_path / "work", monkeypatch)
    lanes = '[cluster]\nlanes = ["account-a", "account-b"]\n'
    (check.folder / "lanes.toml").write_text(lanes)

    def run(*flags, **accounts):
        with ExitStack() as stack:
            profiles = []
            for name, account in accounts.items():
                url = stack.enter_context(between(service, account))
                section = "default" if name == "default" else f"profile {name.replace('_', '-')}"
                profiles.append(
                    f"[{section}]\nregion = us-east-1\nendpoint_url = {url}\n"
                    f"aws_access_key_id = {KEYS.access_key}\n"
                    f"aws_secret_access_key = {KEYS.secret_key}\n"
                )
            (tmp_path / "aws.ini").write_text("".join(profiles))
            check.use(AWS_CONFIG_FILE=str(tmp_path / "aws.ini"))
            outcome = check(*SOURCE, *SETTINGS, *flags)
        return {line["check"]: line for line in outcome.summary["lines"]}

    return run


def test_each_lane_is_tried_and_the_runs_own_account_runs_no_job(looked_at, service):
    """Its own lines name the profile; what is written as a trial is removed."""
    own, one, two = Account(service), Account(service), Account(service, arn=OTHER)

    lines = looked_at(default=own, account_a=one, account_b=two)

    assert {name for name, each in lines.items() if each["verdict"] != "ok"} == {"Label Studio"}
    assert lines["lanes"]["message"].startswith("The lanes are 2 accounts")
    for lane in ("account-a", "account-b"):
        of_jobs = ("jobs list", "jobs get", "jobs start")
        tried = ("credentials", "source read", "results write", *of_jobs)
        assert {f"{lane} {each}" for each in tried} <= lines.keys()
    assert "jobs list" not in lines
    assert not any(call.startswith("transcribe:") for call in own.calls)
    assert not (service.folder / "t").exists() or not list((service.folder / "t").iterdir())


def test_the_lane_of_a_shard_is_asked_about_its_jobs_in_flight(tmp_path, looked_at, service):
    """No other account knows them, and the state file of another shard has none of them."""
    with begun(tmp_path / "work" / "tasks.s0001-of-0002.jsonl.state") as state:
        running(state, "calls/one.mp3", "calls/two.mp3")
    accounts = {name: Account(service) for name in ("default", "account_a", "account_b")}

    found = [looked_at("--shards", "2", "--shard", shard, **accounts) for shard in ("0", "1")]

    told = [{n: each["message"] for n, each in lines.items() if "flight" in n} for lines in found]
    verdicts = [each["verdict"] for n, each in found[1].items() if "flight" in n]
    said = "The service knows none of the jobs in flight, so nothing of their transcripts."
    assert told == [{}, {"account-b jobs in flight": said}]
    assert verdicts == ["skipped"]


def test_shards_of_which_none_is_named_are_not_all_fine(looked_at, service):
    """What other runs have left was looked at for the first one alone."""
    accounts = {name: Account(service) for name in ("default", "account_a", "account_b")}

    line, named = (
        looked_at("--shards", "4", *flags, **accounts)["other runs"]
        for flags in ((), ("--shard", "0"))
    )

    assert (line["verdict"], named["verdict"]) == ("skipped", "ok")
    assert "Name one with --shard" in line["message"]


@pytest.mark.parametrize(
    ("call", "line"),
    [
        ("s3:GetObject", "source read"),
        ("s3:PutObject", "results write"),
        ("transcribe:ListTranscriptionJobs", "jobs list"),
    ],
)
def test_what_one_lane_may_not_is_told_of_it_alone(looked_at, service, call, line):
    """The bucket lets each account in by itself, so each is tried."""
    accounts = {name: Account(service) for name in ("default", "account_a", "account_b")}
    accounts["account_b"] = Account(service, refused={call: "AccessDenied"})

    lines = looked_at(**accounts)

    assert [name for name, each in lines.items() if each["verdict"] == "problem"] == [
        f"account-b {line}"
    ]
    assert lines[f"account-b {line}"]["message"].startswith(call)


def test_a_lane_that_may_start_no_job_is_a_problem(looked_at, service):
    """IAM is asked of the credentials of each lane, as no job is started to try it."""
    start = "transcribe:StartTranscriptionJob"
    accounts = {name: Account(service) for name in ("default", "account_a")}
    denied = Account(service, arn=OTHER, decisions={start: "implicitDeny"})

    lines = looked_at(**accounts, account_b=denied)

    assert lines["account-a jobs start"]["verdict"] == "ok"
    assert lines["account-b jobs start"]["verdict"] == "problem"
    assert start in lines["account-b jobs start"]["message"]


def test_two_profiles_of_one_account_are_worth_a_warning(looked_at, service):
    """They share one quota, and their shards do not know of each other."""
    lines = looked_at(
        default=Account(service), account_a=Account(service), account_b=Account(service)
    )

    assert lines["lanes"]["verdict"] == "warning"
    assert (
        "account-a, account-b are profiles of one account, 123456789012"
        in lines["lanes"]["message"]
    )


def test_trials_do_not_take_each_others_object_away(looked_at, service):
    """The run's own credentials and each lane write the same object: one after the other."""

    class Slow(Account):
        """Thinks about what it reads."""

        def __call__(self, asked):
            if asked.method == "GET" and "-pipeline-check" in asked.path:
                time.sleep(0.2)
            return super().__call__(asked)

    lines = looked_at(default=Slow(service), account_a=Account(service), account_b=Account(service))

    written = [each for name, each in lines.items() if name.endswith("results write")]
    assert [each["verdict"] for each in written] == ["ok"] * 3


def test_a_lane_whose_account_can_not_be_told_is_a_problem(looked_at, service):
    """No run would begin: it writes down whose account each lane is."""
    silent = Account(service, refused={"sts:GetCallerIdentity": "AccessDenied"})

    lines = looked_at(default=Account(service), account_a=silent, account_b=Account(service))

    assert lines["lanes"]["verdict"] == "problem"
    assert "Of which account account-a is can't be told" in lines["lanes"]["message"]


def test_a_transcript_that_the_run_may_not_read_is_a_problem_of_the_lane(looked_at, service):
    """In a bucket with access lists what another account writes is that account's."""
    (service.folder / "t").mkdir(exist_ok=True)
    written: list[str] = []

    class Owner(Account):
        """May read only what it wrote itself."""

        def __call__(self, asked):
            if asked.method == "GET" and "-pipeline-check" in asked.path and written:
                self.refused = {"s3:GetObject": "AccessDenied"}
            answer = super().__call__(asked)
            self.refused = {}
            return answer

    class Writer(Account):
        """Notes that it has written."""

        def __call__(self, asked):
            answer = super().__call__(asked)
            if asked.method == "PUT":
                written.append(asked.path)
            return answer

    lines = looked_at(default=Owner(service), account_a=Writer(service), account_b=Account(service))
    for each in (service.folder / "t").iterdir():
        each.unlink()

    assert lines["account-a results write"]["verdict"] == "problem"
    assert (
        "the run's own credentials may not read it" in lines["account-a results write"]["message"]
    )
    assert "Bucket owner enforced" in lines["account-a results write"]["advice"]


def test_a_profile_that_is_not_there_is_a_problem_of_its_lane(looked_at, service):
    """The other lane is looked at all the same."""
    lines = looked_at(default=Account(service), account_a=Account(service))

    assert lines["account-b credentials"]["verdict"] == "problem"
    assert "account-b" in lines["account-b credentials"]["message"]
    assert lines["account-a jobs list"]["verdict"] == "ok"
