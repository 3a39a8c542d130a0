"""The doctor in an account of an emulator that enforces what policies say."""

from __future__ import annotations

import json
import uuid

import boto3
import pytest

from pipeline.iam.policies import Owner, Scope, caller_policy
from pipeline.naming import S3Uri
from tests.conftest import emulator, endpoint
from tests.support.in_process import InProcess

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("guarded")]

SCOPE = Scope(
    Owner("000000000000", "us-east-1"),
    (S3Uri("audio", "calls/"),),
    S3Uri("results", "t/"),
    object_tags=True,
    checking=True,
)
SOURCE = ("s3://audio/calls/", "--results", "s3://results/t/", "--config", "night.toml")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """The URL of the emulator, with a recording in a bucket and another bucket for results."""
    with emulator(tmp_path_factory.mktemp("guarded"), AUTH="true") as url:
        s3 = administrator(url, "s3")
        for bucket in ("audio", "results"):
            s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket="audio", Key="calls/a.mp3", Body=b"x")
        yield url


def administrator(url, service):
    """A client with the rights of the root user."""
    return boto3.client(
        service, "us-east-1", endpoint_url=url,
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip


def allowed(without=""):
    """The policy of `iam policy --check` without one statement.

    The emulator has no ARNs of jobs and users: what is allowed of them alone is allowed of all.
    """
    policy = caller_policy(SCOPE)
    kept = [each for each in policy["Statement"] if each["Sid"] != without]
    for statement in kept:
        if statement["Sid"] in {"OwnJobs", "OwnRights"}:
            statement["Resource"] = "*"
    return json.dumps(policy | {"Statement": kept})


@pytest.fixture
def check(guarded, tmp_path, monkeypatch):
    """`check`, by a user whose policy lacks one statement; its lines by their names."""
    command = InProcess("check", tmp_path / "work", monkeypatch)
    (command.folder / "night.toml").write_text('[metadata]\nsource = "tags"')
    iam, name = administrator(guarded, "iam"), f"nightly-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]

    def look(without="", secret=key["SecretAccessKey"]):
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=allowed(without))
        command.use(
            **endpoint(guarded)
            | {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": secret}
        )
        outcome = command(*SOURCE, "--json")
        return outcome.code, {line["check"]: line for line in outcome.summary["lines"]}

    return look


def test_the_least_rights_are_enough(check, guarded):
    """With what `iam policy --check` allows no line is a problem, and nothing is left behind."""
    code, lines = check()

    assert code == 0, lines
    assert [n for n, line in lines.items() if line["verdict"] == "warning"] == []
    for name in ("credentials", "source list", "source read", "source tags", "results list",
                 "results write", "jobs list", "jobs get", "jobs start"):  # fmt: skip
        assert lines[name]["verdict"] == "ok", lines[name]
    assert administrator(guarded, "s3").list_objects_v2(Bucket="results")["KeyCount"] == 0
    assert administrator(guarded, "transcribe").list_transcription_jobs()[
        "TranscriptionJobSummaries"
    ] == []  # fmt: skip


@pytest.mark.parametrize(
    ("without", "problems"),
    [
        ("ListBelow1", ["source list"]),
        ("ReadRecordings", ["source read", "source tags"]),
        pytest.param("ListBelow2", ["results list"], marks=pytest.mark.long),
        ("Results", ["results write"]),
        pytest.param("StartAndListJobs", ["jobs list", "jobs start"], marks=pytest.mark.long),
        ("OwnJobs", ["jobs get"]),
    ],
)
def test_each_right_that_is_taken_away_is_a_problem_of_its_own_line(check, without, problems):
    """No statement of the policy is too many, and the line that needs it says so."""
    code, lines = check(without)

    assert code == 2
    assert [n for n, line in lines.items() if line["verdict"] == "problem"] == problems


def test_a_wrong_secret_is_told_as_one(check):
    """The service verifies signatures, and says which half of the key is wrong."""
    code, lines = check(secret="wrong")

    assert code == 2
    assert lines["credentials"]["verdict"] == "problem"
    assert "the secret key is wrong" in lines["credentials"]["message"]
