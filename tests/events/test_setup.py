"""Events over the real wire: EventBridge's rule and SQS's queue, of an emulator nobody here wrote.

The emulator sends the event of each job's end itself, and its rule routes it.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
import uuid
from collections import Counter
from threading import Thread
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from pipeline.aws.session import connect
from pipeline.config.schema import Aws
from pipeline.events.setup import Eventing
from pipeline.events.setup_plan import setup
from pipeline.naming import job_name_prefix
from pipeline.net.wait_times import WaitTimes
from pipeline.state.reader import read_state
from tests.conftest import endpoint
from tests.support.between import Answer, between
from tests.support.event_feed import OWN_KEYS, feeding
from tests.support.job_events import event

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.between import Asked

SQS_CALLS = ("ReceiveMessage", "DeleteMessageBatch")
NO_QUEUE = "com.amazonaws.sqs#QueueDoesNotExist"
pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("ministack")]


def body(name: str) -> str:
    """The event of a job's end."""
    return json.dumps(event(TranscriptionJobName=name))


def wait_until(happened: Callable[[], bool]) -> None:
    """Wait for what is sure to happen."""
    while not happened():
        time.sleep(0.05)


def lines(path: Path) -> list[bytes]:
    """What has been written so far."""
    return path.read_bytes().splitlines() if path.exists() else []


class Emulated:
    """Clients of the emulator, and a bucket and a job prefix of this test's own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.s3, self.sqs, self.events, self.transcribe = (
            boto3.client(name, "us-east-1", endpoint_url=url, **OWN_KEYS)
            for name in ("s3", "sqs", "events", "transcribe")
        )
        self.bucket = f"audio-{uuid.uuid4().hex[:12]}"
        self.prefix = f"calls-{uuid.uuid4().hex[:8]}"
        self.s3.create_bucket(Bucket=self.bucket)

    def put(self, *keys: str) -> None:
        """Put recordings into the bucket."""
        for key in keys:
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=key.encode())

    def send(self, url: str, *bodies: str) -> None:
        """Put messages into a queue, as anyone with the right to may."""
        for each in bodies:
            self.sqs.send_message(QueueUrl=url, MessageBody=each)

    def forge(self, url: str, name_prefix: str, count: int) -> None:
        """Say that jobs have ended as soon as they run."""
        names: set[str] = set()
        while len(names) < count:
            found = self.transcribe.list_transcription_jobs(
                JobNameContains=name_prefix, Status="IN_PROGRESS"
            )
            new = {
                job["TranscriptionJobName"] for job in found["TranscriptionJobSummaries"]
            } - names
            self.send(url, *map(body, new))
            names |= new
            time.sleep(0.05)

    def set(self, url: str, **attributes: str) -> None:
        """Change attributes of a queue."""
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)

    def policy(self, url: str) -> dict[str, Any]:
        """Who may use a queue."""
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
        policy: dict[str, Any] = json.loads(found["Attributes"]["Policy"])
        return policy

    def have_rule_send_twice(self) -> None:
        """Let the rule of this test send every event a second time."""
        [(rule, [target])] = self.rules().items()
        self.events.put_targets(Rule=rule, Targets=[target | {"Id": "again"}])

    def send_only_the_name(self) -> None:
        """Let the rule of this test send a part of the event."""
        [(rule, [target])] = self.rules().items()
        path = "$.detail.TranscriptionJobName"
        self.events.put_targets(Rule=rule, Targets=[target | {"InputPath": path}])

    def delete_rule(self) -> None:
        """Delete the rule of this test."""
        [rule] = self.rules()
        self.events.remove_targets(Rule=rule, Ids=["queue"])
        self.events.delete_rule(Name=rule)

    def everything(self, url: str) -> tuple[Any, ...]:
        """The queue, the rule and its targets as they are."""
        queue = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        kept = {
            name: value
            for name, value in queue["Attributes"].items()
            if not name.endswith("Timestamp") and not name.startswith("Approximate")
        }
        kept["Policy"] = json.loads(kept.get("Policy") or "{}")
        rules = self.events.list_rules(NamePrefix=self.prefix)["Rules"]
        return kept, rules, self.rules()

    def waiting(self, url: str) -> int:
        """How many messages the queue holds, those being read included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def rules(self) -> dict[str, list[dict[str, Any]]]:
        """The targets of each rule of this test."""
        rules = self.events.list_rules(NamePrefix=self.prefix)["Rules"]
        return {
            rule["Name"]: self.events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
            for rule in rules
        }


@pytest.fixture
def account(ministack, run):
    """The emulator, with `run` pointed at it."""
    emulated = Emulated(ministack)
    run.use(**endpoint(ministack), TRANSCRIBE_PIPELINE_JOB_PREFIX=emulated.prefix)
    return emulated


@pytest.fixture
def queue(account):
    """The URL of a queue that was made as `events setup` does."""
    return asyncio.run(made(account))


async def made(account: Emulated) -> str:
    """Make the rule and the queue for the jobs of this test."""
    settings = Aws(region="us-east-1", endpoint_url=account.url)
    async with connect(settings, 1, ("test", "test")) as session:
        eventing = Eventing(session, WaitTimes())
        wanted = await eventing.wanted(f"{account.prefix}-")
        await eventing.take(setup(wanted, await eventing.find(wanted)))
        return (await eventing.find(wanted)).url or ""


def options(account, queue):
    """A run that keeps its transcripts in the bucket, and is told by events."""
    return (
        *("run", f"s3://{account.bucket}/audio/", "--results", f"s3://{account.bucket}/t/"),
        *("--events", queue, "--json"),
    )


def test_a_run_is_told_by_events_when_jobs_end(run, account, queue):
    """Every recording is written without one listing of jobs, and no event is left behind."""
    account.put(*(f"audio/{n}.mp3" for n in range(30)))

    outcome = run(*options(account, queue))
    calls = outcome.summary["calls"]

    assert outcome.code == 0, outcome.err
    assert (outcome.counts["tasks"], outcome.summary.get("notes")) == (30, None)
    assert {"ListTranscriptionJobs", "GetTranscriptionJob"} & calls.keys() == set()
    assert account.waiting(queue) == 0


def test_what_others_put_into_the_queue_harms_nothing(run, account, queue):
    """Garbage and others' events stay in the queue; a forged end is looked into, not believed."""
    account.put("audio/a.mp3", "audio/b.mp3")
    name_prefix = job_name_prefix(account.prefix, account.bucket)
    others = [
        "",
        "{}",
        "[" * 5000,
        "\x7f",
        body("another-program-1"),
        body(f"{name_prefix}no-name"),
    ]
    account.send(queue, *(each or " " for each in others))
    forging = Thread(target=account.forge, args=(queue, name_prefix, 2))
    forging.start()

    outcome = run(*options(account, queue))
    forging.join()

    assert outcome.code == 0, outcome.err
    assert sorted(text.rpartition("/")[2] for text in run.texts()) == ["a.mp3", "b.mp3"]
    assert outcome.summary["calls"]["GetTranscriptionJob"] == 2
    assert account.waiting(queue) == len(others)


def test_events_that_come_twice_are_taken_once(run, account, queue):
    """Delivery is at least once: the second event of a job is deleted, and changes nothing."""
    account.put(*(f"audio/{n}.mp3" for n in range(5)))
    account.have_rule_send_twice()

    outcome = run(*options(account, queue))

    assert outcome.counts["tasks"] == 5
    assert outcome.summary["calls"]["GetObject"] == 5
    assert account.waiting(queue) == 0


def test_ends_that_no_event_tells_are_found_by_listing(run, account, queue):
    """Where the rule is disabled the run ends all the same, a few seconds later."""
    account.put("audio/a.mp3", "audio/b.mp3")
    account.events.disable_rule(Name=f"{account.prefix}-events")

    outcome = run(*options(account, queue))

    assert (outcome.code, outcome.counts["tasks"]) == (0, 2)
    assert outcome.summary["calls"]["ListTranscriptionJobs"] >= 1


@pytest.mark.parametrize("operation", ["ReceiveMessage", "DeleteMessageBatch"])
def test_a_queue_that_goes_away_does_not_stop_a_run(run, account, queue, operation):
    """The run goes on by listing, and says so once, in the log and in the summary."""
    account.put(*(f"audio/{n}.mp3" for n in range(24)))
    words = "The specified queue does not exist."

    def reply(asked: Asked) -> Answer:
        asked_for = asked.headers["X-Amz-Target"].removeprefix("AmazonSQS.")
        if asked_for == operation and 'WaitTimeSeconds": 0' not in asked.body.decode():
            return Answer(400, json.dumps({"__type": NO_QUEUE, "message": words}).encode(), {})
        return asked.forward()

    with between(account, reply) as url:
        run.use(AWS_ENDPOINT_URL_SQS=url)
        outcome = run(*options(account, queue), "--start-rate", "3")

    [note] = outcome.summary["notes"]
    assert (outcome.code, outcome.counts["tasks"]) == (0, 24)
    assert note == (
        f"There is no queue {queue} in this region. `transcribe-pipeline events setup` makes one "
        "and prints its URL for --events. The run goes on by listing its jobs."
    )
    assert note in outcome.err


def test_events_are_deleted_only_after_the_checkpoint(run, account, queue):
    """Whenever messages are deleted, at least as many recordings stand in the state file."""
    account.put(*(f"audio/{n}.mp3" for n in range(25)))
    seen: list[tuple[int, int]] = []

    def reply(asked: Asked) -> Answer:
        if "DeleteMessageBatch" in asked.headers["X-Amz-Target"]:
            deleted = len(json.loads(asked.body)["Entries"]) + (seen[-1][0] if seen else 0)
            with read_state(run.folder / "tasks.jsonl.state") as state:
                seen.append((deleted, state.recordings.counts().written))
        return asked.forward()

    with between(account, reply) as url:
        run.use(AWS_ENDPOINT_URL_SQS=url)
        outcome = run(*options(account, queue), "--start-rate", "6")

    assert (outcome.code, outcome.counts["tasks"]) == (0, 25)
    assert seen[-1][0] >= 25  # what is late may come and be deleted twice
    assert all(min(deleted, 25) <= written for deleted, written in seen)


def test_more_receivers_work_when_the_queue_is_full(run, account, queue):
    """Of a hundred events that wait, several calls are under way at once, and then one again."""
    account.put("audio/a.mp3")
    name_prefix = job_name_prefix(account.prefix, account.bucket)
    account.send(queue, *(body(f"{name_prefix}{n:032x}") for n in range(100)))
    under_way, most = Counter[str](), 0

    def reply(asked: Asked) -> Answer:
        nonlocal most
        under_way["now"] += 1
        most = max(most, under_way["now"])
        time.sleep(0.2)
        under_way["now"] -= 1
        return asked.forward()

    with between(account, reply) as url:
        run.use(AWS_ENDPOINT_URL_SQS=url)
        outcome = run(*options(account, queue))

    assert (outcome.code, outcome.counts["tasks"]) == (0, 1)
    assert 2 <= most <= 5
    assert account.waiting(queue) == 100


def test_a_queue_that_may_not_be_read_is_said_before_anything_starts(run, account, queue):
    """Without the right to receive there is one sentence with what to allow, and no job."""
    account.put("audio/a.mp3")
    denial = json.dumps({"__type": "com.amazonaws.sqs#AccessDeniedException", "message": "No."})

    with between(account, lambda _: Answer(403, denial.encode(), {})) as url:
        run.use(AWS_ENDPOINT_URL_SQS=url)
        outcome = run(*options(account, queue))

    assert outcome.code == 2
    assert f"The queue {queue} can't be used: sqs:ReceiveMessage is not allowed" in outcome.err
    assert outcome.counts["started"] == 0


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("{missing}", "There is no queue {missing} in this region."),
        (
            "https://sqs.eu-west-1.amazonaws.com/000000000000/calls",
            "The queue {url} is in eu-west-1, but the jobs run in us-east-1:",
        ),
        ("{other}", "There is no queue {other} in this region."),
        ("calls-events", "events = 'calls-events': write it as https://sqs.REGION.amazonaws.com/"),
        ("{fifo}", "events = '{fifo}': name a standard queue;"),
    ],
    ids=["missing", "another region", "another account", "no URL", "FIFO"],
)
def test_a_queue_that_cannot_serve_is_said_before_anything_starts(
    run, account, ministack, url, sentence
):
    """What is wrong with the queue is one sentence, and no job has been started."""
    account.put("audio/a.mp3")
    urls = {
        "missing": f"{ministack}/000000000000/no-such-queue",
        "other": f"{ministack}/123456789012/calls-events",
        "fifo": f"{ministack}/000000000000/calls.fifo",
    }
    url = url.format(**urls)

    outcome = run(*options(account, url))

    assert outcome.code == 2
    assert outcome.err.startswith(f"transcribe-pipeline: {sentence.format(url=url, **urls)}")
    assert "Start" not in outcome.out


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=lambda how: how.name)
def test_a_run_that_was_stopped_goes_on_with_the_same_queue(run, account, queue, how):
    """Events of jobs that ended while nobody listened, and of what was written, do no harm."""
    account.put(*(f"audio/{n}.mp3" for n in range(8)))
    with run.start(*options(account, queue), "--start-rate", "2") as first:
        wait_until(lambda: len(lines(run.folder / "tasks.jsonl")) >= 2)
        first.send_signal(how)
        first.communicate(timeout=30)

    outcome = run(*options(account, queue))

    assert first.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert (outcome.code, outcome.counts["tasks"]) == (0, 8)
    assert len(run.texts()) == 8


# The rule and the queue


def test_setup_makes_the_rule_and_the_queue(run, account):
    """Only the rule may write to the queue, and it matches the ends of this program's jobs."""
    queue = run("events", "setup", "--yes").out.strip()
    rule = account.events.describe_rule(Name=f"{account.prefix}-events")
    queue_arn = f"arn:aws:sqs:us-east-1:000000000000:{account.prefix}-events"

    allowed, denied = account.policy(queue)["Statement"]
    assert allowed == {
        "Sid": "TheRule",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule["Arn"]}},
    }
    assert (denied["Effect"], denied["Principal"]) == ("Deny", "*")
    assert json.loads(rule["EventPattern"]) == {
        "source": ["aws.transcribe"],
        "detail-type": ["Transcribe Job State Change"],
        "detail": {
            "TranscriptionJobStatus": ["COMPLETED", "FAILED"],
            "TranscriptionJobName": [{"prefix": f"{account.prefix}-"}],
        },
    }
    assert account.rules() == {rule["Name"]: [{"Id": "queue", "Arn": queue_arn}]}


def test_setup_twice_changes_nothing(run, account, queue):
    """The second time there is nothing to do, and the URL is printed again."""
    before = account.everything(queue)

    outcome = run("events", "setup")

    assert (outcome.code, outcome.out.strip()) == (0, queue)
    assert outcome.err.startswith(f"Nothing to do for {account.prefix}-events in us-east-1")
    assert account.everything(queue) == before


OPEN_TO_ALL = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}],
}


def test_setup_puts_right_what_differs(run, account, queue):
    """Whatever somebody changed is as it shall be again, and each change is said."""
    before = account.everything(queue)
    account.set(queue, VisibilityTimeout="0", Policy=json.dumps(OPEN_TO_ALL))
    account.events.disable_rule(Name=f"{account.prefix}-events")
    account.send_only_the_name()

    outcome = run("events", "setup", "--yes")

    assert outcome.err.splitlines()[1:] == [
        "  change the queue's Policy, VisibilityTimeout",
        "  change the rule's State",
        "  have the rule send to the queue",
    ]
    assert account.everything(queue) == before


def test_setup_makes_anew_what_is_missing(run, account, queue):
    """A queue or a rule that somebody deleted is made once more."""
    before = account.everything(queue)
    account.sqs.delete_queue(QueueUrl=queue)
    run("events", "setup", "--yes")
    account.delete_rule()

    run("events", "setup", "--yes")

    assert account.everything(queue) == before


def test_setup_asks_before_it_changes_anything(run, account):
    """Without a terminal and without --yes the plan is shown, and that is all."""
    outcome = run("events", "setup")

    assert outcome.code == 2
    assert (
        f"  create the rule {account.prefix}-events: jobs named {account.prefix}-*" in outcome.err
    )
    assert outcome.err.endswith("Nothing was changed. Agree to it with --yes.\n")
    assert account.rules() == {}


def test_what_others_made_is_left_alone(run, account):
    """A queue of the same name that was not made here is neither changed nor deleted."""
    url = account.sqs.create_queue(QueueName=f"{account.prefix}-events")["QueueUrl"]
    before = account.everything(url)

    outcomes = [run("events", what, "--yes") for what in ("setup", "remove")]

    for outcome in outcomes:
        assert outcome.code == 2
        assert "that this program did not make" in outcome.err
    assert account.everything(url) == before


def test_remove_takes_away_what_setup_made(run, account, queue):
    """Rule and queue are gone, those of another bucket are not, and twice does no harm."""
    other = run("events", "setup", f"s3://{account.bucket}/", "--yes").out.strip()

    outcomes = [run("events", "remove", "--yes") for _ in range(2)]

    assert [outcome.code for outcome in outcomes] == [0, 0]
    assert outcomes[1].err.startswith("Nothing to do")
    name_prefix = job_name_prefix(account.prefix, account.bucket)
    assert list(account.rules()) == [f"{name_prefix}events"]
    assert account.sqs.list_queues(QueueNamePrefix=account.prefix)["QueueUrls"] == [other]


def test_remove_leaves_others_targets_and_their_rule(run, account, queue):
    """Who has the rule tell somebody else as well keeps it; only our target is taken away."""
    theirs = {"Id": "theirs", "Arn": "arn:aws:sqs:us-east-1:000000000000:theirs"}
    account.events.put_targets(Rule=f"{account.prefix}-events", Targets=[theirs])

    run("events", "remove", "--yes")

    assert account.rules() == {f"{account.prefix}-events": [theirs]}


def test_a_queue_of_one_bucket_gets_its_jobs_alone(run, account):
    """With SOURCE the rule matches the names of that bucket's jobs."""
    queue = run("events", "setup", f"s3://{account.bucket}/audio/", "--yes").out.strip()
    another = Emulated(account.url)
    account.put("audio/a.mp3")
    another.put("audio/b.mp3")

    run("run", f"s3://{another.bucket}/audio/", "--output", "other.jsonl")
    assert account.waiting(queue) == 0
    outcome = run(*options(account, queue))

    assert outcome.code == 0, outcome.err
    assert "ListTranscriptionJobs" not in outcome.summary["calls"]


# What it costs


def test_a_recording_costs_few_calls(run, cloud, account, queue):
    """Under an account's quotas: 2.1 calls of Transcribe and SQS at most, hardly one a listing."""
    service = cloud("--slots", "20", "--seconds", "1.2")
    service.add(**{f"r{n:03}": f"words of number {n}" for n in range(180)})
    run.use(AWS_ENDPOINT_URL_SQS=account.url)

    with feeding(service.url, account.sqs, queue):
        told = ("--results", "s3://audio/t/", "--events", queue, "--json")
        outcome = run("run", "s3://audio/", "--max-in-flight", "20", *told)
    calls = outcome.summary["calls"]

    assert (outcome.code, outcome.counts["tasks"]) == (0, 180)
    late = calls.get("ListTranscriptionJobs", 0)  # where events were, on a busy machine
    assert late <= 2
    assert calls["GetObject"] == 180  # the transcripts, which are counted beside the other calls
    counted = ("StartTranscriptionJob", "GetTranscriptionJob", *SQS_CALLS)
    assert sum(calls.get(name, 0) for name in counted) <= 2.1 * 180
    assert late or account.waiting(queue) == 0


def test_an_event_does_not_say_how_a_job_failed(run, cloud, account, queue):
    """Of a failure the service is asked, whatever the event says: its words are the ones told."""
    service = cloud("--seconds", "1")
    service.put("bad.mp3", "!Invalid file size: file size too large.")
    service.add(good="fine words")
    run.use(AWS_ENDPOINT_URL_SQS=account.url)

    with feeding(service.url, account.sqs, queue):
        outcome = run("run", "s3://audio/", "--events", queue, "--json")

    assert outcome.summary["failures"]["reasons"] == {"too large": 1}
    assert outcome.summary["calls"]["GetTranscriptionJob"] == 2
    assert "ListTranscriptionJobs" not in outcome.summary["calls"]
    assert account.waiting(queue) == 0
