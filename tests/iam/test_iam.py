"""`iam policy` and `iam apply` against an emulator that enforces what policies say."""

from __future__ import annotations

import json
import os
import pty
import re
import uuid
from configparser import RawConfigParser
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.conftest import Cli, emulator, endpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("iam")]

ADMINISTRATOR = {"region_name": "us-east-1", "aws_access_key_id": "test",
                 "aws_secret_access_key": "test"}  # fmt: skip


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """The URL of an emulator that enforces policies and records every call."""
    folder = tmp_path_factory.mktemp("guarded")
    with emulator(folder, AUTH="true", CLOUDTRAIL_RECORDING="1") as url:
        yield url


class Account:
    """An account with two buckets, the commands of its administrator and those of its users."""

    def __init__(self, url: str, run: Cli) -> None:
        self.url, self.run = url, run
        self.credentials: Path = run.folder / "credentials"
        number = uuid.uuid4().hex[:8]
        self.audio, self.results = f"audio-{number}", f"results-{number}"
        self.user, self.role = f"nightly-{number}", f"queue-{number}"
        self.s3, self.iam = self.client("s3"), self.client("iam")
        for bucket in (self.audio, self.results):
            self.s3.create_bucket(Bucket=bucket)
        for key in ("calls/a.mp3", "calls/b.mp3", "private/c.mp3"):
            self.s3.put_object(Bucket=self.audio, Key=key, Body=key.encode())
        self.policy = f"arn:aws:iam::000000000000:policy/transcribe-pipeline-{self.user}"
        self.source, self.place = f"s3://{self.audio}/calls/", f"s3://{self.results}/t/"
        run.use(**endpoint(url), AWS_SHARED_CREDENTIALS_FILE=str(self.credentials))

    def client(self, service: str, **keys: str) -> Any:
        """A client of a service, with the keys of the administrator or others."""
        return boto3.client(service, endpoint_url=self.url, **(ADMINISTRATOR | keys))

    def flags(self, *more: str) -> list[str]:
        """What every command here is told of the buckets."""
        return ["--bucket", self.source, "--results", self.place, *more]

    def apply(self, *more: str, yes: bool = True) -> Any:
        """`iam apply` for a user and a role."""
        flags = self.flags("--user", self.user, "--role", self.role, *more)
        return self.run("iam", "apply", *flags, *["--yes"] * yes)

    def profiles(self) -> RawConfigParser:
        """The credentials file as AWS reads it."""
        parser = RawConfigParser()
        parser.read(self.credentials)
        return parser

    def as_user(self, folder: str = "user") -> Cli:
        """The command line with the user's own keys and no others."""
        user = Cli(self.run.folder / folder, dict(self.run.env))
        user.folder.mkdir(exist_ok=True)
        del user.env["AWS_ACCESS_KEY_ID"], user.env["AWS_SECRET_ACCESS_KEY"]
        user.use(AWS_PROFILE=self.user)
        return user

    def keys(self, user: str = "") -> dict[str, str]:
        """The keys of a user, the nightly one if none is named, as boto3 takes them."""
        found = self.profiles()[user or self.user]
        return {name: found[name] for name in ("aws_access_key_id", "aws_secret_access_key")}

    def document(self) -> dict[str, Any]:
        """The user's policy as it holds now."""
        version = self.iam.get_policy(PolicyArn=self.policy)["Policy"]["DefaultVersionId"]
        answer = self.iam.get_policy_version(PolicyArn=self.policy, VersionId=version)
        found: dict[str, Any] = answer["PolicyVersion"]["Document"]
        return found

    def allow(self, document: dict[str, Any]) -> None:
        """Put another document in the policy's place."""
        versions = self.iam.list_policy_versions(PolicyArn=self.policy)["Versions"]
        for each in versions:
            if not each["IsDefaultVersion"]:
                self.iam.delete_policy_version(PolicyArn=self.policy, VersionId=each["VersionId"])
        self.iam.create_policy_version(
            PolicyArn=self.policy, PolicyDocument=json.dumps(document), SetAsDefault=True
        )

    def know_no_jobs(self) -> None:
        """Allow looking at any job: the emulator knows no ARN of a job, and asks for `*`."""
        document = self.document()
        for statement in document["Statement"]:
            if "transcribe:GetTranscriptionJob" in statement["Action"]:
                statement["Resource"] = ["*"]
        self.allow(document)

    def everything(self) -> Any:
        """All that IAM holds and all that the machine holds, to be compared."""
        details = self.iam.get_account_authorization_details()
        del details["ResponseMetadata"]
        keys = self.iam.list_access_keys(UserName=self.user)["AccessKeyMetadata"]
        return json.dumps(details, default=str), keys, self.credentials.read_bytes()


@pytest.fixture
def account(guarded, run):
    return Account(guarded, run)


CORS = ("--cors", "https://labels.example.com")


@pytest.fixture(scope="module")
def applied(guarded, tmp_path_factory):
    """An account in which all parts are as they shall be, and are again after each test."""
    account = Account(guarded, Cli(tmp_path_factory.mktemp("applied")))
    assert account.apply(*CORS).code == 0
    return account


# What the policies allow


def test_from_an_empty_account_to_a_run(account):
    """A user made by one command transcribes a bucket, and the second run starts nothing."""
    applied = account.apply()
    user = account.as_user()

    outcome = user("run", account.source, "--results", account.place, "--json")
    again = user("run", account.source, "--results", account.place, "--json")

    assert applied.code == 0, applied.err
    assert outcome.code == 0, outcome.err
    assert outcome.counts["tasks"] == 2
    assert "StartTranscriptionJob" not in again.summary["calls"]


SERVICE = {"s3:PutObject", "iam:PassRole"}
"""What Transcribe does with the caller's rights, and the role that is handed to it."""

RECORDED = {
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "HeadObject": "GetObject",
    "HeadBucket": "ListBucket",
    "DeleteMessageBatch": "DeleteMessage",
}
"""Operations whose action has another name."""

UNNAMED = {"iam:POST.iam", "sts:POST.sts"}
"""Calls whose operation the emulator does not record: it enforces them, and that is all."""


def recorded(account: Account) -> list[dict[str, Any]]:
    """Every call that was signed with the user's key, as the emulator saw it."""
    trail, key = account.client("cloudtrail"), account.keys()["aws_access_key_id"]
    attribute = {"AttributeKey": "AccessKeyId", "AttributeValue": key}
    pages = trail.get_paginator("lookup_events").paginate(LookupAttributes=[attribute])
    return [json.loads(each["CloudTrailEvent"]) for page in pages for each in page["Events"]]


def action_of(event: dict[str, Any]) -> str:
    """The action that a recorded call has needed."""
    name = event["eventName"]
    return f"{event['eventSource'].partition('.')[0]}:{RECORDED.get(name, name)}"


def test_the_policy_is_what_runs_have_called(account):
    """Every action that is allowed was called, and every one that was called is allowed."""
    account.apply()
    document = account.document()
    account.know_no_jobs()
    account.as_user()("run", account.source, "--results", account.place)
    for each in account.s3.list_objects_v2(Bucket=account.results)["Contents"]:
        account.s3.delete_object(Bucket=account.results, Key=each["Key"])
    account.as_user("lost")("run", account.source, "--results", account.place)  # adopts the jobs

    calls = recorded(account)

    allowed = {each for part in document["Statement"] for each in part["Action"]}
    assert {action_of(each) for each in calls} - UNNAMED == allowed - SERVICE
    [own] = [each["Resource"][0] for each in document["Statement"] if each["Sid"] == "OwnJobs"]
    names = {each["requestParameters"].get("TranscriptionJobName") for each in calls} - {None}
    assert len(names) == 2
    assert all(fnmatchcase(name, own.rpartition("/")[2]) for name in names)


@pytest.mark.timeout(300)
def test_a_whole_night_needs_what_was_asked_for(account):
    """With the flags for it: events, check, plan, run and clean, each call of them allowed."""
    queue = account.run("events", "setup", f"s3://{account.audio}/", "--yes").out.strip()
    account.apply("--events-queue", queue, "--check", "--clean-results")
    allowed = {each for part in account.document()["Statement"] for each in part["Action"]}
    account.know_no_jobs()
    user = account.as_user()
    user.use(
        TRANSCRIBE_PIPELINE_EVENTS=queue,
        TRANSCRIBE_PIPELINE_RESULTS=account.place,
        TRANSCRIBE_PIPELINE_OUTPUT="tasks.jsonl",
    )

    commands = {
        "check": (account.source,),
        "plan": (account.source,),
        "run": (account.source,),
        "status": (),
        "report": (),
        "clean": ("--older-than", "0h", "--results-too", "--yes"),
    }
    ended = {name: user(name, *more) for name, more in commands.items()}

    assert {name: outcome.err for name, outcome in ended.items() if outcome.code} == {}
    called = {action_of(each) for each in recorded(account)}
    assert called - UNNAMED <= allowed
    assert {"sqs:ReceiveMessage", "s3:DeleteObject"} <= called
    assert "transcribe:DeleteTranscriptionJob" in called


@pytest.mark.parametrize(
    "action",
    [
        "s3:ListBucket",
        "transcribe:StartTranscriptionJob",
        pytest.param("s3:GetObject", marks=pytest.mark.long),
        pytest.param("transcribe:ListTranscriptionJobs", marks=pytest.mark.long),
    ],
)
def test_no_action_can_be_left_out(account, action):
    """Without any of them the run stops, and names the one to allow."""
    account.apply()
    account.know_no_jobs()
    document = account.document()
    for statement in document["Statement"]:
        statement["Action"] = [each for each in statement["Action"] if each != action] or ["s3:Get"]
    account.allow(document)

    outcome = account.as_user()("run", account.source, "--results", account.place)

    assert outcome.code == 2
    assert action in outcome.err


def beyond(account: Account, service: str) -> dict[str, Callable[[], Any]]:
    """Calls of a service that a run has no need of, with the user's keys."""
    client = account.client(service, **account.keys())
    audio, results = {"Bucket": account.audio}, {"Bucket": account.results}
    return {
        "s3": {
            "list all": lambda: client.list_objects_v2(**audio),
            "list elsewhere": lambda: client.list_objects_v2(**audio, Prefix="private/"),
            "read elsewhere": lambda: client.get_object(**audio, Key="private/c.mp3"),
            "write recordings": lambda: client.put_object(**audio, Key="calls/x", Body=b""),
            "write elsewhere": lambda: client.put_object(**results, Key="x", Body=b""),
            "delete": lambda: client.delete_object(**audio, Key="calls/a.mp3"),
            "delete results": lambda: client.delete_object(**results, Key="t/a.json"),
            "open the bucket": lambda: client.put_bucket_cors(
                **audio, CORSConfiguration={"CORSRules": []}
            ),
        },
        "transcribe": {
            "delete a job": lambda: client.delete_transcription_job(
                TranscriptionJobName="transcribe-pipeline-x"
            ),
            "delete a vocabulary": lambda: client.delete_vocabulary(VocabularyName="x"),
        },
        "iam": {
            "more rights": lambda: client.attach_user_policy(
                UserName=account.user, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
            ),
            "more keys": lambda: client.create_access_key(UserName=account.user),
        },
    }[service]


@pytest.mark.parametrize("service", ["s3", "transcribe", "iam"])
def test_nothing_beyond_is_allowed(applied, service):
    """Other prefixes, other operations and more rights are all denied."""
    allowed = []
    for name, call in beyond(applied, service).items():
        try:
            call()
        except ClientError as error:
            if error.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}:
                continue
        allowed.append(name)

    assert allowed == []


def test_label_studio_s_user_only_reads_the_recordings(account):
    """It opens the bucket as a storage does, plays what reviewers shall hear, and no transcript."""
    labels = f"labels-{account.user}"
    account.run("iam", "apply", *account.flags("--label-studio-user", labels, "--yes"))
    s3 = account.client("s3", **account.keys(labels))

    s3.head_bucket(Bucket=account.audio)
    assert s3.get_object(Bucket=account.audio, Key="calls/a.mp3")["Body"].read()
    for bucket, key in ((account.audio, "private/c.mp3"), (account.results, "t/x.json")):
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.get_object(Bucket=bucket, Key=key)
    with pytest.raises(ClientError, match="403"):
        s3.head_bucket(Bucket=account.results)


# What apply changes, and what it leaves


def test_applied_twice_nothing_changes(applied):
    """The second time the plan is empty, and neither account nor file is another."""
    before = applied.everything()

    again = applied.apply(*CORS)

    assert again.code == 0
    assert again.err.endswith("Nothing to change.\n")
    assert "+ " not in again.err
    assert applied.everything() == before


def other_trust(account: Account) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "transcribe.amazonaws.com"},
             "Action": "sts:AssumeRole"}  # fmt: skip
    account.iam.update_assume_role_policy(
        RoleName=account.role, PolicyDocument=json.dumps({"Version": "2012-10-17",
                                                          "Statement": [trust]})
    )  # fmt: skip


def more_rights_of_the_role(account: Account) -> None:
    account.iam.put_role_policy(
        RoleName=account.role,
        PolicyName="transcribe-pipeline",
        PolicyDocument=json.dumps(EVERYTHING_OF_S3),
    )


EVERYTHING_OF_S3 = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}
TAMPERED: dict[str, Callable[[Account], Any]] = {
    "role": other_trust,
    "tags of the role": lambda a: a.iam.untag_role(RoleName=a.role, TagKeys=["managed-by"]),
    "rights of the role": more_rights_of_the_role,
    "policy": lambda a: a.allow(EVERYTHING_OF_S3),
    "tags of the policy": lambda a: a.iam.untag_policy(PolicyArn=a.policy, TagKeys=["managed-by"]),
    "tags of the user": lambda a: a.iam.tag_user(
        UserName=a.user, Tags=[{"Key": "managed-by", "Value": "hand"}]
    ),
    "policy of the user": lambda a: a.iam.detach_user_policy(UserName=a.user, PolicyArn=a.policy),
    "CORS rule of the bucket": lambda a: a.s3.delete_bucket_cors(Bucket=a.audio),
}


@pytest.mark.parametrize("part", TAMPERED)
def test_each_part_is_compared_and_mended(applied, part):
    """What somebody changed is the one thing in the plan, and is mended as planned."""
    document, keys = applied.document(), applied.credentials.read_bytes()
    TAMPERED[part](applied)

    mended = applied.apply(*CORS)
    again = applied.apply(*CORS, yes=False)

    changed = [line for line in mended.err.split("\n") if re.match(r"[+~] ", line)]
    assert len(changed) == 1
    assert re.match(rf"[+~] {part} [\w-]+", changed[0])
    assert again.err.endswith("Nothing to change.\n"), again.err
    assert (applied.document(), applied.credentials.read_bytes()) == (document, keys)


def test_a_policy_is_changed_more_often_than_it_may_have_versions(account):
    """IAM keeps five versions; the oldest makes room, and the newest is the one that holds."""
    for number in range(6):
        account.place = f"s3://{account.results}/t{number}/"
        assert account.apply().code == 0

    versions = account.iam.list_policy_versions(PolicyArn=account.policy)["Versions"]
    assert sorted(each["VersionId"] for each in versions) == ["v2", "v3", "v4", "v5", "v6"]
    assert f"{account.results}/t5/*" in json.dumps(account.document())


def test_what_others_made_stays(account):
    """Their CORS rules, tags and policies are left alone; what gives more rights is named."""
    theirs = {"AllowedMethods": ["PUT"], "AllowedOrigins": ["https://other.example.com"]}
    account.s3.put_bucket_cors(Bucket=account.audio, CORSConfiguration={"CORSRules": [theirs]})
    account.iam.create_user(UserName=account.user, Tags=[{"Key": "team", "Value": "speech"}])
    account.iam.put_user_policy(
        UserName=account.user, PolicyName="mine", PolicyDocument=json.dumps(EVERYTHING_OF_S3)
    )

    outcome = account.apply(*CORS)

    rules = account.s3.get_bucket_cors(Bucket=account.audio)["CORSRules"]
    tags = account.iam.list_user_tags(UserName=account.user)["Tags"]
    assert theirs in rules
    assert len(rules) == 2
    assert {"Key": "team", "Value": "speech"} in tags
    assert f"! {account.user} also has the policy mine; that stays as it is." in outcome.err
    assert account.iam.list_user_policies(UserName=account.user)["PolicyNames"] == ["mine"]


def test_a_role_of_another_service_is_not_taken_over(account):
    """Its trust would be lost, so nothing at all is changed."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
             "Action": "sts:AssumeRole"}  # fmt: skip
    account.iam.create_role(
        RoleName=account.role,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )

    outcome = account.apply()

    assert outcome.code == 2
    assert "lambda.amazonaws.com may take it on" in outcome.err
    with pytest.raises(ClientError, match="NoSuchEntity"):
        account.iam.get_user(UserName=account.user)


def test_cors_of_a_bucket_that_is_not_there_is_one_sentence(account):
    """It is found out before anything is made."""
    account.source = "s3://no-such-bucket-anywhere/"

    outcome = account.apply(*CORS)

    assert outcome.code == 2
    assert "NoSuchBucket" in outcome.err
    assert len(outcome.err.strip().split("\n")) == 1


def test_tags_of_yours_are_on_all_that_is_made(account):
    """With --tag a bill or an audit finds user, policy and role."""
    account.apply("--tag", "team=speech")

    wanted = {"Key": "team", "Value": "speech"}
    assert wanted in account.iam.list_user_tags(UserName=account.user)["Tags"]
    assert wanted in account.iam.list_policy_tags(PolicyArn=account.policy)["Tags"]
    assert wanted in account.iam.list_role_tags(RoleName=account.role)["Tags"]


# Keys


THEIRS = "# mine\n[default]\naws_access_key_id=AKIADEFAULT\naws_secret_access_key = s\n\n\n[x]"


def test_the_key_goes_into_the_file_and_nowhere_else(account):
    """Under its profile, for the owner alone; others stay byte for byte, none is shown."""
    account.credentials.write_text(THEIRS, encoding="utf-8")
    account.credentials.chmod(0o644)

    outcome = account.apply()

    key = account.keys()
    assert account.credentials.read_text(encoding="utf-8").startswith(THEIRS)
    assert account.credentials.stat().st_mode & 0o777 == 0o600
    assert not outcome.out
    assert f"use it with --profile {account.user}\n" in outcome.err
    assert not any(value in outcome.err for value in key.values())


def test_a_new_key_is_shown_when_that_is_asked_for(account):
    """With --show-key it is on stdout too, as the credentials file has it."""
    shown = account.apply("--show-key")
    again = account.apply("--show-key")

    assert shown.out == account.credentials.read_text(encoding="utf-8")
    assert again.out == ""


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("[{user}]\naws_access_key_id = AKIAOTHER\n", "stays as it is"),
        ("[{user}]\nrole_arn = arn:aws:iam::123456789012:role/x\n", "role_arn"),
        ("[{user}\n", "Unable to parse config file"),
    ],
)
def test_a_profile_of_other_keys_is_not_overwritten(account, file, said):
    """Neither the file nor the account is changed."""
    account.credentials.write_text(file.format(user=account.user), encoding="utf-8")
    before = account.credentials.read_bytes()

    outcome = account.apply()

    assert outcome.code == 2
    assert said in outcome.err
    assert account.credentials.read_bytes() == before
    with pytest.raises(ClientError, match="NoSuchEntity"):
        account.iam.get_user(UserName=account.user)


def test_where_no_file_can_be_written_no_key_is_made(account):
    """A key that nobody has the secret of would only take up one of the user's two."""
    account.run.use(AWS_SHARED_CREDENTIALS_FILE=os.devnull)

    outcome = account.apply()

    assert outcome.code == 2
    assert "no access key is made" in outcome.err
    with pytest.raises(ClientError, match="NoSuchEntity"):
        account.iam.get_user(UserName=account.user)


def test_a_key_that_could_not_be_written_is_deleted_again(account):
    """Nobody has its secret then; the file stays as it is, and the next time goes well."""
    account.credentials.write_text(THEIRS, encoding="utf-8")
    in_the_way = account.credentials.with_name(f".{account.credentials.name}.part")
    in_the_way.mkdir()

    outcome = account.apply()
    keys = account.iam.list_access_keys(UserName=account.user)["AccessKeyMetadata"]
    left = account.credentials.read_text(encoding="utf-8")
    in_the_way.rmdir()
    again = account.apply()

    assert outcome.code == 2
    assert "can't be written" in outcome.err
    assert (keys, left) == ([], THEIRS)
    assert again.code == 0
    assert "Done: 1 of" in again.err


def test_a_user_has_two_keys_at_most(account):
    """What IAM would refuse half way is known before."""
    account.iam.create_user(UserName=account.user)
    for _ in range(2):
        account.iam.create_access_key(UserName=account.user)

    outcome = account.apply()
    without = account.apply("--no-key")

    assert outcome.code == 2
    assert "as many as it may" in outcome.err
    assert without.code == 0
    assert not account.credentials.exists()


def test_a_key_that_was_made_inactive_is_left_so(account):
    """Somebody had a reason; it is not activated and no second one is made."""
    account.apply()
    key = account.keys()["aws_access_key_id"]
    account.iam.update_access_key(UserName=account.user, AccessKeyId=key, Status="Inactive")

    outcome = account.apply()

    assert outcome.code == 2
    assert "was made inactive" in outcome.err
    assert len(account.iam.list_access_keys(UserName=account.user)["AccessKeyMetadata"]) == 1


# Asking


def test_without_a_terminal_nothing_is_changed(account):
    """The plan is shown, and --yes is asked for."""
    outcome = account.apply(yes=False)

    assert outcome.code == 2
    assert f"+ user {account.user}" in outcome.err
    assert outcome.err.endswith("Nothing was changed. Agree to the plan with --yes.\n")
    assert not account.credentials.exists()
    with pytest.raises(ClientError, match="NoSuchEntity"):
        account.iam.get_user(UserName=account.user)


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_on_a_terminal_it_asks(account, answer, code):
    """Only a yes changes anything."""
    ours, its = pty.openpty()
    try:
        command = ("iam", "apply", *account.flags("--user", account.user))
        process = account.run.start(*command, stdin=its)
        os.write(ours, f"{answer}\n".encode())
        _, err = process.communicate(timeout=60)
    finally:
        os.close(ours)
        with suppress(OSError):
            os.close(its)

    assert process.returncode == code
    assert "Make these changes? [y/N]" in err
    assert account.credentials.exists() == (answer == "y")


def test_apply_with_nothing_to_make_says_what_there_is(account):
    """Buckets alone are nothing that could be made."""
    outcome = account.run("iam", "apply", *account.flags())

    assert outcome.code == 2
    assert "--user" in outcome.err


def test_without_the_rights_to_do_so_it_names_the_action(applied):
    """Who may not look into IAM is told which right is missing, and nothing is changed."""
    outcome = applied.as_user()("iam", "apply", *applied.flags("--user", "someone", "--yes"))

    assert outcome.code == 2
    assert "iam:GetPolicy is not allowed" in outcome.err


# Printing


def test_a_policy_is_printed_without_credentials(run):
    """With --account and --region it is pure: no credentials, no call, JSON on stdout."""
    place = ("--account", "123456789012", "--region", "eu-central-1")

    outcome = run("iam", "policy", "--bucket", "audio", *place)
    all_of_them = run(
        "iam", "policy", "--bucket", "audio", *place, "--document", "all", "--cors", "https://x.org"
    )

    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["Version"] == "2012-10-17"
    assert not outcome.err
    assert list(json.loads(all_of_them.out)) == [
        "caller", "role", "role-trust", "label-studio", "cors",
    ]  # fmt: skip
    assert json.loads(all_of_them.out)["caller"] == json.loads(outcome.out)


def test_what_is_printed_is_what_is_applied(applied):
    """The policy for other tools is the one that `iam apply` makes."""
    printed = applied.run("iam", "policy", *applied.flags("--role", applied.role))

    assert json.loads(printed.out) == applied.document()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--bucket", "a/"), "no place in S3"),
        (("--bucket", "s3://audio/c/*.mp3"), "Name what is in front of it: s3://audio/c/"),
        (("--bucket", "audio", "--manifest", "s3://lists/?/"), "not as a pattern"),
        (("--bucket", "audio", "--account", "1"), "12 digits"),
        (("--bucket", "audio", "--document", "cors"), "--cors"),
        (("--bucket", "audio", "--results-key", "alias/x"), "alias"),
        (("--bucket", "audio", "--vocabularies", "a b"), "no name of a vocabulary"),
    ],
)
def test_what_makes_no_policy_is_one_sentence(run, flags, said):
    """Wrong flags are told in one line, with what to write instead."""
    outcome = run("iam", "policy", "--account", "123456789012", "--region", "eu-central-1", *flags)

    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
