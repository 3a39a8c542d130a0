"""The doctor through the command line, before an account in which one thing at a time is wrong."""

from __future__ import annotations

import json
import os
import pty
import socket
import sys
import time
from contextlib import contextmanager
from email.utils import formatdate

import pytest

from pipeline.naming import S3Uri, trial_place
from tests.conftest import COMMAND, clean_environment, end, endpoint, start_cloud
from tests.support.amazon import ARN, Account
from tests.support.between import between
from tests.support.in_process import InProcess
from tests.support.state_files import begun, listed

TRIAL_NAME = trial_place(S3Uri("audio", "")).key
SOURCE = ("s3://audio/", "--results", "s3://audio/t/")


@pytest.fixture
def check(tmp_path, monkeypatch):
    """The command `check`, in an empty folder."""
    return InProcess("check", tmp_path / "work", monkeypatch)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A cloud with one recording in its bucket."""
    process, cloud = start_cloud(tmp_path_factory.mktemp("cloud") / "audio")
    cloud.add(one="the first text")
    yield cloud
    end(process)


@pytest.fixture
def account(check, service):
    """An account over that cloud, as `Account` answers; a context of its changes."""

    @contextmanager
    def asked_with(**changes):
        made = Account(service, **changes)
        with between(service, made) as url:
            check.use(**endpoint(url))
            yield made

    yield asked_with
    for path in sorted(service.folder.glob("*/**/*"), reverse=True):
        path.unlink()


def lines_of(outcome):
    return {line["check"]: line for line in outcome.summary["lines"]}


def verdicts_of(outcome):
    return {name: line["verdict"] for name, line in lines_of(outcome).items()}


def test_an_account_where_all_is_well(check, account):
    """Every line is ok or says why it was skipped; no job is started, and no object stays."""
    with account() as made:
        outcome = check(*SOURCE, "--json")

        assert outcome.code == 0, outcome.out
        assert outcome.summary["ready"] is True
        assert [n for n, v in verdicts_of(outcome).items() if v != "ok"] == ["Label Studio"]
        assert "transcribe:StartTranscriptionJob" not in made.calls
        assert [path.name for path in made.service.folder.rglob("*")] == ["t", "one.mp3"]


RIGHTS = {
    "source list": "s3:ListBucket on s3://audio",
    "source read": "s3:GetObject on s3://audio",
    "results list": "s3:ListBucket on s3://audio",
    "results write": "s3:PutObject on s3://audio",
    "jobs list": "transcribe:ListTranscriptionJobs",
    "jobs get": "transcribe:GetTranscriptionJob",
}


@pytest.mark.parametrize(
    "lines",
    [
        ["source list", "results list", "results write", "jobs list", "jobs get"],
        ["source read"],
    ],
    ids=" and ".join,
)
def test_a_missing_right_is_a_problem_that_names_it(check, account, lines):
    """Each right is tried; one that is missing is named as a policy spells it, each by its own."""
    refused = {RIGHTS[line].partition(" ")[0]: "AccessDenied" for line in lines}
    with account(refused=refused):
        outcome = check(*SOURCE, "--json")

    assert outcome.code == 2
    assert verdicts_of(outcome)["credentials"] == "ok"
    for line in lines:
        found = lines_of(outcome)[line]
        assert found["verdict"] == "problem"
        assert found["message"].startswith(f"{RIGHTS[line]} is not allowed (AccessDenied")
        assert "iam policy" in found["advice"]


@pytest.mark.parametrize(
    ("refused", "verdict", "message"),
    [
        ({}, "ok", "The tags of s3://audio/one.mp3 were read."),
        (
            {"s3:GetObjectTagging": "AccessDenied"},
            "problem",
            "s3:GetObjectTagging on s3://audio is not allowed (AccessDenied",
        ),
    ],
)
def test_tags_are_read_where_the_settings_want_them(check, account, refused, verdict, message):
    """A right that no other line needs is tried before the night, and named where it is missing."""
    (check.folder / "night.toml").write_text('[metadata]\nsource = "tags"')
    with account(refused=refused):
        outcome = check(*SOURCE, "--config", "night.toml", "--json")

    found = lines_of(outcome)["source tags"]
    assert (outcome.code, found["verdict"]) == (2 if refused else 0, verdict)
    assert found["message"].startswith(message)


@pytest.mark.parametrize(
    ("codes", "sentence"),
    [
        (
            ("InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClientException"),
            "the credentials are not valid here",
        ),
        (
            ("SignatureDoesNotMatch", "SignatureDoesNotMatch", "InvalidSignatureException"),
            "the secret key is wrong",
        ),
        (
            ("ExpiredToken", "ExpiredToken", "ExpiredTokenException"),
            "session token has expired",
        ),
    ],
    ids=["wrong key", "wrong secret", "expired token"],
)
def test_credentials_that_are_refused_are_said_once(check, account, codes, sentence):
    """The credentials' own line is the problem; what needs them is skipped."""
    of_sts, of_s3, of_transcribe = codes
    refused = {"sts:*": of_sts, "s3:*": of_s3, "transcribe:*": of_transcribe}
    with account(refused=refused | {"iam:*": of_sts, "servicequotas:*": of_transcribe}):
        outcome = check(*SOURCE, "--json")

    found = lines_of(outcome)["credentials"]
    assert outcome.code == 2
    assert (found["verdict"], "AWS_PROFILE" in found["advice"]) == ("problem", True)
    assert sentence in found["message"]
    assert [n for n, v in verdicts_of(outcome).items() if v == "problem"] == ["credentials"]
    assert verdicts_of(outcome)["source list"] == "skipped"


def test_without_credentials_the_rest_is_still_looked_at(check):
    """Where there are none, that is said, and this machine's files are looked at all the same."""
    check.use(AWS_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true")

    outcome = check("s3://audio/", "--json")

    assert outcome.code == 2
    assert lines_of(outcome)["credentials"]["message"].startswith("No usable AWS credentials")
    assert verdicts_of(outcome)["output"] == "ok"


def test_without_a_region_the_setting_is_named(check):
    """No region is a problem of the settings, and not of the credentials."""
    check.use(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")

    outcome = check("s3://audio/", "--json")

    assert outcome.code == 2
    assert "--region" in lines_of(outcome)["settings"]["advice"]


def test_a_bucket_that_is_not_there_is_said_once(check, account):
    """The bucket's line is the problem; what needs it is skipped."""
    with account():
        outcome = check("s3://audi/", "--json")

    assert outcome.code == 2
    assert lines_of(outcome)["source bucket"]["message"].startswith("There is no bucket s3://audi.")
    assert verdicts_of(outcome)["source list"] == "skipped"
    assert verdicts_of(outcome)["source read"] == "skipped"


def test_a_bucket_in_another_region_names_the_flag(check, account):
    """The jobs must run where the recordings are, and the flag for that is named."""
    refused = dict.fromkeys(("s3:ListBucket", "s3:GetObject"), "PermanentRedirect")
    with account(region="eu-central-1", refused=refused):
        outcome = check("s3://audio/", "--json")

    found = lines_of(outcome)["source bucket"]
    assert outcome.code == 2
    assert found["message"].startswith(
        "The bucket s3://audio is in eu-central-1, and the jobs would"
    )
    assert found["advice"] == "Add --region eu-central-1."
    assert verdicts_of(outcome)["source list"] == "skipped"


def test_an_endpoint_that_nobody_listens_at(check):
    """An address without a service is a problem that says where to look."""
    check.use(**endpoint("http://127.0.0.1:1"))

    outcome = check(*SOURCE, "--json")

    found = lines_of(outcome)["source bucket"]
    assert outcome.code == 2
    assert found["message"] == "No answer from 127.0.0.1:1: Connection refused."
    assert "the port" in found["advice"]


def test_a_clock_that_is_off_is_a_problem(check, account):
    """A machine whose clock is wrong by minutes has every signature refused."""
    with account(date=formatdate(time.time() + 700, usegmt=True)):
        outcome = check("s3://audio/", "--json")

    assert outcome.code == 2
    assert "clock is 11 min" in lines_of(outcome)["clock"]["message"]
    assert "behind" in lines_of(outcome)["clock"]["message"]


def test_an_object_that_may_not_be_removed_stays_and_is_named(check, account):
    """A run needs no right to remove, so it is no problem, and the next check writes no second."""
    with account(refused={"s3:DeleteObject": "AccessDenied"}) as made:
        outcomes = [check(*SOURCE, "--json") for _ in range(2)]

        assert [path.name for path in (made.service.folder / "t").iterdir()] == [TRIAL_NAME]
    for outcome in outcomes:
        assert outcome.code == 0
        assert f"s3://audio/t/{TRIAL_NAME} stays" in lines_of(outcome)["results write"]["message"]


def test_an_object_of_somebody_else_is_left_as_it_is(check, account):
    """Nothing is written over what an earlier check has not written."""
    with account() as made:
        made.service.put(f"t/{TRIAL_NAME}", "somebody's")

        outcome = check(*SOURCE, "--json")

        kept = (made.service.folder / "t" / TRIAL_NAME).read_text()
    assert kept == "somebody's\n"
    assert verdicts_of(outcome)["results write"] == "skipped"


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("s3://audio/none/", "There is nothing below s3://audio/none/."),
        ("s3://audio/notes/", "0 of 1 object below s3://audio/notes/ are recordings."),
    ],
)
def test_a_source_without_recordings_is_a_warning(check, account, source, sentence):
    """A prefix may be filled later, so a run would not fail; but it is likely a slip."""
    with account() as made:
        made.service.put("notes/read.txt", "no recording")

        outcome = check(source, "--json")

    assert outcome.code == 0
    assert verdicts_of(outcome)["source list"] == "warning"
    assert lines_of(outcome)["source list"]["message"] == sentence


def test_recordings_that_no_browser_plays_are_told_before_the_night(check, account):
    """The service takes AMR, and reviewers would sit before a player that stays silent."""
    with account() as made:
        made.service.put("phone/a.amr", "silent to reviewers")
        made.service.put("phone/b.mp3", "heard")

        outcome = check("s3://audio/phone/", "--json")

    line = lines_of(outcome)["source list"]
    assert (outcome.code, verdicts_of(outcome)["source list"]) == (0, "warning")
    assert line["message"].endswith("1 is AMR, which browsers do not play.")


ROLE = "arn:aws:iam::123456789012:role/teams/queue"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1"


def settings_of(check, text):
    """The flags of a file of settings."""
    (check.folder / "night.toml").write_text(text)
    return "--config", "night.toml"


@pytest.mark.parametrize(
    ("changes", "verdict", "sentence"),
    [
        ({}, "ok", f"{ARN} may transcribe:StartTranscriptionJob, as IAM simulates it."),
        (
            {"decisions": {"transcribe:StartTranscriptionJob": "implicitDeny"}},
            "problem",
            f"{ARN} may not transcribe:StartTranscriptionJob on *, as IAM simulates it.",
        ),
        (
            {"arn": "arn:aws:sts::123456789012:assumed-role/nightly/job"},
            "ok",
            "arn:aws:iam::123456789012:role/teams/nightly may transcribe:StartTranscriptionJob,",
        ),
    ],
    ids=["a user", "not allowed", "a role's session"],
)
def test_iam_is_asked_whether_jobs_may_be_started(check, account, changes, verdict, sentence):
    """Trying would be paid for; of a session it is the role, with its path, that is asked for."""
    with account(**changes):
        outcome = check("s3://audio/", "--json")

    found = lines_of(outcome)["jobs start"]
    assert found["verdict"] == verdict
    assert found["message"].startswith(sentence)
    assert outcome.code == (2 if verdict == "problem" else 0)


def test_what_iam_does_not_tell_can_not_be_told(check, account):
    """Without the right to ask IAM it is said that only a job would show it."""
    with account(refused={"iam:*": "AccessDenied", "servicequotas:*": "AccessDeniedException"}):
        outcome = check("s3://audio/", "--json")

    assert outcome.code == 0
    assert verdicts_of(outcome)["jobs start"] == verdicts_of(outcome)["quotas"] == "skipped"
    assert "can't be told without starting a job" in lines_of(outcome)["jobs start"]["message"]
    assert "default is 250 jobs at once" in lines_of(outcome)["quotas"]["message"]


@pytest.mark.parametrize(
    ("changes", "verdicts", "sentence"),
    [
        ({}, "ok ok", "may iam:PassRole"),
        ({"decisions": {"iam:PassRole": "implicitDeny"}}, "problem ok", "may not iam:PassRole on"),
        ({"trusted": "ec2.amazonaws.com"}, "problem ok", "does not let transcribe.amazonaws.com"),
        ({"decisions": {"s3:PutObject": "explicitDeny"}}, "ok problem", "may not s3:PutObject on"),
        ({"refused": {"iam:*": "AccessDenied"}}, "skipped skipped", "can't be told"),
    ],
)
def test_a_role_must_be_passed_be_trusted_and_have_rights(
    check, account, changes, verdicts, sentence
):
    """The role of the queue is looked at from all three sides."""
    night = settings_of(check, f'[transcribe]\ndata_access_role = "{ROLE}"\n')
    with account(**changes):
        outcome = check(*SOURCE, *night, "--json")

    lines = [lines_of(outcome)[name] for name in ("role", "role rights")]
    assert [line["verdict"] for line in lines] == verdicts.split()
    assert sentence in " ".join(line["message"] for line in lines)


def test_with_a_role_we_need_no_right_that_the_service_needs(check, account):
    """The service reads recordings and writes results in the role, so we need not be able to."""
    night = settings_of(check, f'[transcribe]\ndata_access_role = "{ROLE}"\n')
    with account(refused={"s3:PutObject": "AccessDenied"}):
        outcome = check(*SOURCE, *night, "--json")

    assert outcome.code == 0
    assert verdicts_of(outcome)["results write"] == "skipped"
    assert "in the role" in lines_of(outcome)["results write"]["message"]


NAMED = f"""
[output]
results = "s3://audio/t/"
[transcribe]
vocabulary = "calls"
vocabulary_filter = "rude"
vocabulary_filter_method = "mask"
language_model = "mine"
kms_key = "{KEY}"
"""
FILTER, MODEL = "transcribe:GetVocabularyFilter", "transcribe:DescribeLanguageModel"
VOCABULARY = "transcribe:GetVocabulary"


def described(language="en-US", **model):
    """What the service says of a vocabulary, a filter and a model of a language."""
    return {
        VOCABULARY: {"VocabularyState": "READY", "LanguageCode": language},
        FILTER: {"LanguageCode": language},
        MODEL: {"LanguageModel": {"ModelStatus": "COMPLETED", "LanguageCode": language} | model},
    }


NOT_THERE = {"transcribe:*": "NotFoundException", "kms:*": "NotFoundException"}
UNTOLD = dict.fromkeys((VOCABULARY, FILTER, MODEL), "AccessDeniedException")
TRAINING = described(ModelStatus="IN_PROGRESS")


@pytest.mark.parametrize(
    ("changes", "verdicts"),
    [
        ({"answers": described()}, "ok ok ok ok"),
        ({"answers": described("de-DE")}, "problem problem problem ok"),
        ({"refused": NOT_THERE}, "problem problem problem problem"),
        ({"refused": UNTOLD}, "skipped skipped skipped ok"),
        ({"answers": TRAINING}, "ok ok problem ok"),
        (
            {"answers": described(), "refused": {"kms:*": "AccessDeniedException"}},
            "ok ok ok problem",
        ),
    ],
    ids=["all well", "of another language", "not there", "not told", "in training", "no key"],
)
def test_what_the_settings_name_is_looked_at(check, account, changes, verdicts):
    """A vocabulary, filter, model or key that can't be used would have every job refused."""
    with account(**changes):
        outcome = check("s3://audio/", *settings_of(check, NAMED), "--json")

    found = verdicts_of(outcome)
    assert [found[n] for n in ("vocabulary", "filter", "model", "KMS key")] == verdicts.split()


BY_LANGUAGE = """
[transcribe]
language = "auto"
language_options = ["en-US", "de-DE"]
[transcribe.vocabularies]
en-US = "calls"
de-DE = "anrufe"
"""


def test_what_is_named_for_a_language_must_be_of_that_language(check, account):
    """Where the language is identified, each vocabulary is looked at for its own one."""
    with account(answers=described("de-DE")):
        outcome = check("s3://audio/", *settings_of(check, BY_LANGUAGE), "--json")

    lines = [each for each in outcome.summary["lines"] if each["check"] == "vocabulary"]
    assert [each["verdict"] for each in lines] == ["problem", "ok"]
    assert lines[1]["message"] == "anrufe is READY, of de-DE."


@pytest.mark.parametrize(
    ("region", "refused", "found"),
    [
        ("us-east-1", {}, "ok: Events may be received"),
        ("us-east-1", {"sqs:*": "QueueDoesNotExist"}, "problem: There is no queue"),
        ("us-east-1", {"sqs:*": "AccessDenied"}, "problem: The queue {url} can't be used"),
        ("eu-west-1", {}, "problem: The queue {url} is in eu-west-1"),
    ],
    ids=["all well", "not there", "not allowed", "elsewhere"],
)
def test_the_queue_of_events_is_looked_at(check, account, region, refused, found):
    """One that can't be read from, or is of another region, never tells of a job's end."""
    url = f"https://sqs.{region}.amazonaws.com/123456789012/jobs"
    with account(refused=refused):
        outcome = check("s3://audio/", "--events", url, "--json")

    line = lines_of(outcome)["events"]
    assert f"{line['verdict']}: {line['message']}".startswith(found.format(url=url))


def test_root_credentials_are_a_warning(check, account):
    """They work, and nobody should use them every night."""
    with account(arn="arn:aws:iam::123456789012:root"):
        outcome = check("s3://audio/", "--json")

    assert outcome.code == 0
    assert verdicts_of(outcome)["credentials"] == "warning"
    assert "iam apply" in lines_of(outcome)["credentials"]["advice"]


def test_advice_names_the_command_as_it_was_called(check, account, monkeypatch):
    """Where the PATH does not find the command, what is advised can be typed nevertheless."""
    monkeypatch.setattr(sys, "argv", [COMMAND])
    check.use(PATH="/usr/bin:/bin")
    with account(arn="arn:aws:iam::123456789012:root"):
        outcome = check("s3://audio/")

    assert f"`{COMMAND} iam apply --user NAME`" in outcome.out


def test_a_session_token_that_nobody_renews_is_a_warning(check, account):
    """A token in the environment ends in the middle of a long night."""
    with account():
        check.use(AWS_SESSION_TOKEN="token")

        outcome = check("s3://audio/", "--json")

    assert verdicts_of(outcome)["credentials"] == "warning"
    assert "token" in lines_of(outcome)["credentials"]["message"]


def test_an_account_that_does_not_say_who_we_are_is_no_problem(check, account):
    """A network without STS's endpoint, or a policy without it, runs as well."""
    with account(refused={"sts:*": "AccessDenied"}):
        outcome = check("s3://audio/", "--json")

    assert outcome.code == 0
    assert verdicts_of(outcome)["credentials"] == "skipped"


def test_a_folder_needs_no_account(check, recordings):
    """For a folder only this machine counts."""
    outcome = check(recordings, "--json")

    assert outcome.code == 0, outcome.out
    assert verdicts_of(outcome) == {
        "AWS": "skipped", "source": "ok", "output": "ok", "state": "ok", "disk": "ok",
        "Label Studio": "skipped",
    }  # fmt: skip


def test_files_of_another_run_are_problems(check, recordings):
    """A run would refuse a state file of another source, and an output that is not its own."""
    with begun(check.folder / "tasks.jsonl.state") as state:
        listed(state, "a.mp3")
    (check.folder / "notes.jsonl").write_text("mine\n")

    other = check(recordings, "--json")
    foreign = check(recordings, "--output", "notes.jsonl", "--json")

    assert other.code == foreign.code == 2
    assert "belongs to s3://calls/, not to file://" in lines_of(other)["state"]["message"]
    assert "knows nothing of it" in lines_of(foreign)["output"]["message"]


def test_a_run_that_is_under_way_is_a_warning(check, recordings):
    """Its state file can't be had now, and it will be let go of."""
    with begun(check.folder / "tasks.jsonl.state"):
        outcome = check(recordings, "--json")

    assert outcome.code == 0
    assert verdicts_of(outcome)["state"] == "warning"
    assert f"process {os.getpid()}" in lines_of(outcome)["state"]["message"]


def test_a_folder_that_can_not_be_written_is_a_problem(check, recordings):
    """It is tried, as even root may not write everywhere."""
    outcome = check(recordings, "--output", "/proc/none/tasks.jsonl", "--json")

    assert outcome.code == 2
    assert verdicts_of(outcome)["output"] == verdicts_of(outcome)["state"] == "problem"
    assert lines_of(outcome)["output"]["message"].startswith("The folder /")


@pytest.mark.parametrize(
    "setting",
    [
        'heartbeat_file = "/proc/none/beat"',
        'heartbeat_file = "mine.prom"',
        'metrics_file = "mine.prom"',
        "metrics_port = {port}",
    ],
)
def test_a_run_that_could_not_be_watched_is_a_problem(check, recordings, setting):
    """A run refuses to begin where a file of its is somebody else's, or its port is taken."""
    (check.folder / "mine.prom").write_text("mine\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        night = settings_of(check, f"[monitoring]\n{setting.format(port=port)}\n")
        outcome = check(recordings, *night, "--json")

    assert outcome.code == 2
    assert verdicts_of(outcome)["monitoring"] == "problem"


def test_a_failures_file_of_somebody_else_is_a_warning(check, recordings):
    """The run goes well, and would leave that file as it is."""
    failures = check.folder / "tasks.failures.jsonl"
    failures.write_text('{"uri":"s3://calls/a.mp3"}\n')
    own = check(recordings, "--json")
    failures.write_text("mine\n")
    foreign = check(recordings, "--json")

    assert (own.code, foreign.code) == (0, 0)
    assert verdicts_of(own)["output"] == "ok"
    assert verdicts_of(foreign)["output"] == "warning"
    assert "tasks.failures.jsonl holds something else" in lines_of(foreign)["output"]["message"]
    assert failures.read_text() == "mine\n"


def test_nothing_is_left_of_looking_at_files(check, recordings):
    """Output, state and lock are not made by looking whether they could be."""
    check(recordings, "--output", "new/tasks.jsonl")

    assert list(check.folder.iterdir()) == []


def test_the_lines_are_aligned_and_what_to_do_stands_below(check, account):
    """Verdict, name, sentence; below it an arrow with what to do; at the end the balance."""
    with account(refused={"s3:PutObject": "AccessDenied"}):
        outcome = check(*SOURCE)

    lines = outcome.out.splitlines()
    [at] = [n for n, line in enumerate(lines) if line.startswith("problem")]
    assert lines[at].startswith("problem  results write  s3:PutObject on s3://audio is not allowed")
    assert lines[at + 1].startswith(f"{'':24}→ Allow it; ")
    assert lines[-1].startswith("A run would fail: 1 problem, 0 warnings, ")
    assert "\x1b" not in outcome.out


@pytest.mark.parametrize(("more", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_is_for_terminals(run, recordings, more, coloured):
    """On a terminal the verdicts have colours and lines are broken, unless NO_COLOR is set."""
    controlling, terminal = pty.openpty()
    run.env = clean_environment(COLUMNS="60", TERM="xterm", **more)

    with run.start("check", recordings, stdout=terminal) as process:
        os.close(terminal)
        shown = b"".join(iter(lambda: _read(controlling), b"")).decode()

    assert process.returncode == 0
    assert ("\x1b[32mok" in shown) is coloured
    assert all(len(line) < 80 for line in shown.splitlines())


def _read(terminal):
    """What a terminal shows next; b"" when the program has ended."""
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux's word for a terminal that nobody has open any more
        return b""


def test_json_is_one_line_with_every_fact(check, recordings):
    """Who watches many machines reads the lines and the balance from there."""
    outcome = check(recordings, "--json")

    assert outcome.out.count("\n") == 1
    found = json.loads(outcome.out)
    assert set(found) == {"source", "ready", "counts", "lines"}
    assert sum(found["counts"].values()) == len(found["lines"])
