"""The rule and the queue that bring events: as they should be, and what of it is missing; pure.

Made are an SQS queue, an EventBridge rule of the same name on the default bus, which matches the
ends of this program's jobs, and the target that puts them into the queue. Each part is compared as
a whole, not only by whether it is there, and what others made is not touched.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import orjson

from pipeline.config.prefix import refuse_pattern
from pipeline.errors import BadSettings
from pipeline.events.message import DETAIL_TYPE, ENDED, SOURCE
from pipeline.naming import job_name_prefix, parse_s3_uri
from pipeline.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TAG, OWNER = "managed-by", "transcribe-pipeline"
"""What is made here can be told from what others made."""

TARGET = "queue"
"""The id of the rule's target."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # a rule may have 64 characters, a queue no dot
_DESCRIPTION = "Ends of transcription jobs, for runs of transcribe-pipeline with --events."
_ATTRIBUTES = {
    "MessageRetentionPeriod": "3600",  # what is older was found by a listing long ago
    "ReceiveMessageWaitTimeSeconds": "20",
    "VisibilityTimeout": "60",
}
_ENCRYPTED = {"SqsManagedSseEnabled": "true"}


class Wanted(NamedTuple):
    """Where events should come from: the jobs of one account and region whose names begin so."""

    prefix: str
    region: str
    account: str
    partition: str = "aws"

    @property
    def name(self) -> str:
        """The name of the rule and of its queue."""
        name = f"{self.prefix}events"
        if _NAME.fullmatch(name):
            return name
        digest = blake2b(self.prefix.encode(), digest_size=4).hexdigest()
        return f"{re.sub('[^A-Za-z0-9_-]', '-', self.prefix)[:40]}-{digest}-events"

    @property
    def queue_arn(self) -> str:
        """The queue's ARN."""
        return f"arn:{self.partition}:sqs:{self.region}:{self.account}:{self.name}"

    @property
    def rule_arn(self) -> str:
        """The rule's ARN."""
        return f"arn:{self.partition}:events:{self.region}:{self.account}:rule/{self.name}"

    @property
    def pattern(self) -> dict[str, Any]:
        """Which events the rule matches."""
        return {
            "source": [SOURCE],
            "detail-type": [DETAIL_TYPE],
            "detail": {
                "TranscriptionJobStatus": list(ENDED),
                "TranscriptionJobName": [{"prefix": self.prefix}],
            },
        }

    @property
    def policy(self) -> dict[str, Any]:
        """Who may write to the queue: the rule, and nobody else whatever their own rights are."""
        statement = {"Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
        return {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "TheRule",
                    "Effect": "Allow",
                    **statement,
                    "Resource": self.queue_arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": self.rule_arn}},
                },
                {
                    "Sid": "NobodyElse",
                    "Effect": "Deny",
                    **statement,
                    "Principal": "*",
                    "Resource": self.queue_arn,
                    "Condition": {"ArnNotEquals": {"aws:SourceArn": self.rule_arn}},
                },
            ],
        }

    @property
    def target(self) -> dict[str, str]:
        """Where the rule sends what it matches: the whole event, as it is."""
        return {"Id": TARGET, "Arn": self.queue_arn}


class Found(msgspec.Struct, frozen=True):
    """What there is, in the words of the services' answers; None and empty where it is missing."""

    url: str | None = None
    attributes: dict[str, str] = {}
    queue_tags: dict[str, str] = {}
    rule: dict[str, Any] | None = None
    rule_tags: dict[str, str] = {}
    targets: list[dict[str, Any]] = []


class Step(NamedTuple):
    """One change: in words, and as a call."""

    message: str
    service: str
    operation: str
    request: dict[str, Any]


def prefix_of_jobs(job_prefix: str, source: str | None) -> str:
    """What the names of the jobs begin with that events should tell of.

    Args:
        job_prefix: the setting.
        source: s3://bucket/ for the jobs of one bucket, None for those of all.

    Raises:
        BadSettings: SOURCE is no bucket, or a pattern.
    """
    if source is None:
        return f"{job_prefix}-"
    refuse_pattern(source, "SOURCE")
    place = parse_s3_uri(source)
    if place is None:
        raise BadSettings(f"SOURCE {source!r} is no bucket", "Write it as s3://bucket/.")
    return job_name_prefix(job_prefix, place.bucket)


def as_lines(wanted: Wanted, steps: Sequence[Step]) -> Iterator[str]:
    """What is going to be changed, for people."""
    place = f"{wanted.region}, account {wanted.account}"
    if not steps:
        yield f"Nothing to do for {wanted.name} in {place}."
        return
    yield f"To do in {place}:"
    yield from (printable(f"  {step.message}") for step in steps)


def setup(wanted: Wanted, found: Found) -> list[Step]:
    """What is to be done, in this order, so that events come; nothing where they do.

    Raises:
        BadSettings: somebody else's queue or rule has the name.
    """
    _refuse_foreign(wanted, found)
    return [
        *_queue_steps(wanted, found),
        *_rule_steps(wanted, found),
        *_target_steps(wanted, found),
    ]


def remove(wanted: Wanted, found: Found) -> list[Step]:
    """What is to be done so that nothing of it is left; what others added to the rule stays.

    Raises:
        BadSettings: somebody else's queue or rule has the name.
    """
    _refuse_foreign(wanted, found)
    name, steps = wanted.name, []
    others = [each["Id"] for each in found.targets if each["Id"] != TARGET]
    if len(others) < len(found.targets):
        request = {"Rule": name, "Ids": [TARGET]}
        steps.append(Step("send no more events to the queue", "events", "RemoveTargets", request))
    if found.rule and not others:
        steps.append(Step(f"delete the rule {name}", "events", "DeleteRule", {"Name": name}))
    if found.url:
        request = {"QueueUrl": found.url}
        message = f"delete the queue {name}, with what is in it"
        steps.append(Step(message, "sqs", "DeleteQueue", request))
    return steps


def _refuse_foreign(wanted: Wanted, found: Found) -> None:
    parts = (("queue", found.url, found.queue_tags), ("rule", found.rule, found.rule_tags))
    for kind, there, tags in parts:
        if there and tags.get(TAG) != OWNER:
            raise BadSettings(
                f"There is a {kind} {wanted.name} that this program did not make",
                f"Tag it {TAG} = {OWNER} to have it changed, or choose another job_prefix.",
            )


def _queue_steps(wanted: Wanted, found: Found) -> Iterator[Step]:
    attributes = _ATTRIBUTES | {"Policy": orjson.dumps(wanted.policy).decode()}
    if not found.attributes.get("KmsMasterKeyId"):  # a key of one's own is not taken away
        attributes |= _ENCRYPTED
    if not found.url:
        message = (
            f"create the queue {wanted.name}: encrypted, keeps events for an hour, only the rule "
            "may write to it"
        )
        tags = {TAG: OWNER}
        request = {"QueueName": wanted.name, "Attributes": attributes, "tags": tags}
        yield Step(message, "sqs", "CreateQueue", request)
        return
    differing = {
        name: value
        for name, value in attributes.items()
        if not _same(found.attributes.get(name), value)
    }
    if differing:
        message = f"change the queue's {', '.join(sorted(differing))}"
        request = {"QueueUrl": found.url, "Attributes": differing}
        yield Step(message, "sqs", "SetQueueAttributes", request)


def _rule_steps(wanted: Wanted, found: Found) -> Iterator[Step]:
    pattern = orjson.dumps(wanted.pattern).decode()
    whole = {"EventPattern": pattern, "State": "ENABLED", "Description": _DESCRIPTION}
    request: dict[str, Any] = {"Name": wanted.name, **whole}
    if found.rule is None:
        message = f"create the rule {wanted.name}: jobs named {wanted.prefix}* that have ended"
        yield Step(message, "events", "PutRule", request | {"Tags": [{"Key": TAG, "Value": OWNER}]})
        return
    differing = [name for name, value in whole.items() if not _same(found.rule.get(name), value)]
    if differing:
        message = f"change the rule's {', '.join(sorted(differing))}"
        yield Step(message, "events", "PutRule", request)


def _target_steps(wanted: Wanted, found: Found) -> Iterator[Step]:
    if wanted.target not in found.targets:
        request = {"Rule": wanted.name, "Targets": [wanted.target]}
        yield Step("have the rule send to the queue", "events", "PutTargets", request)


def _same(found: str | None, value: str) -> bool:
    """Whether two values are one: as texts, or as documents of JSON whatever their spaces."""
    if found is None or found == value:
        return found == value
    try:
        return bool(orjson.loads(found) == orjson.loads(value))
    except Exception:  # noqa: BLE001 # whatever foreign text does to its reader
        return False
