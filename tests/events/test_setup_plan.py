"""The rule and the queue of events: what they shall be, and what of it is missing."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BadSettings
from pipeline.events.setup_plan import Found, Step, Wanted, prefix_of_jobs, remove, setup

WANTED = Wanted("calls-", "eu-central-1", "123456789012")
URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/calls-events"
EVERY_STEP = ["CreateQueue", "PutRule", "PutTargets"]


def operations(steps: list[Step]) -> list[str]:
    return [step.operation for step in steps]


def made(wanted: Wanted = WANTED) -> Found:
    """What there is after each step of a setup was taken."""
    queue, rule, target = (step.request for step in setup(wanted, Found()))
    return Found(
        url=URL,
        attributes=queue["Attributes"] | {"QueueArn": wanted.queue_arn, "DelaySeconds": "0"},
        queue_tags=queue["tags"],
        rule={name: rule[name] for name in rule if name != "Tags"} | {"Arn": wanted.rule_arn},
        rule_tags={each["Key"]: each["Value"] for each in rule["Tags"]},
        targets=target["Targets"],
    )


def changed(**parts: Any) -> Found:
    return msgspec.structs.replace(made(), **parts)


def with_attribute(name: str, value: str) -> Found:
    return changed(attributes=made().attributes | {name: value})


def with_rule(**parts: str) -> Found:
    return changed(rule=(made().rule or {}) | parts)


@given(st.from_regex(r"[0-9a-zA-Z._-]{1,100}-", fullmatch=True))
def test_every_job_prefix_makes_a_valid_name(prefix):
    """A rule's name has 64 characters at most and a queue's no dot, whatever jobs are named."""
    name = WANTED._replace(prefix=prefix).name

    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name)


@given(*[st.from_regex(r"[0-9a-zA-Z._-]{1,100}-", fullmatch=True)] * 2)
def test_other_prefixes_make_other_names(one, other):
    """Two programs whose jobs are named in another way have each a queue of their own."""
    names = {WANTED._replace(prefix=prefix).name for prefix in (one, other)}

    assert len(names) == len({one, other})


def test_the_arns_are_those_of_the_partition():
    """In China and in GovCloud ARNs begin in another way, in the policy too."""
    wanted = WANTED._replace(partition="aws-cn", region="cn-north-1")

    assert wanted.queue_arn == "arn:aws-cn:sqs:cn-north-1:123456789012:calls-events"
    assert "arn:aws-cn:events:cn-north-1:123456789012:rule/calls-events" in str(wanted.policy)


def test_what_is_there_needs_nothing():
    """After a setup there is nothing to do, whatever else the services' answers hold."""
    assert operations(setup(WANTED, Found())) == EVERY_STEP
    assert setup(WANTED, made()) == []


def test_documents_are_compared_by_what_they_say():
    """Other spaces and another order are no difference."""
    policy = json.dumps(dict(reversed(WANTED.policy.items())), indent=2)
    pattern = json.dumps(WANTED.pattern, indent=2)

    assert setup(WANTED, with_attribute("Policy", policy)) == []
    assert setup(WANTED, with_rule(EventPattern=pattern)) == []


@pytest.mark.parametrize(
    ("found", "operation", "words"),
    [
        (with_attribute("MessageRetentionPeriod", "60"), "SetQueueAttributes", "MessageRetention"),
        (with_attribute("VisibilityTimeout", "0"), "SetQueueAttributes", "VisibilityTimeout"),
        (with_attribute("ReceiveMessageWaitTimeSeconds", "0"), "SetQueueAttributes", "WaitTime"),
        (with_attribute("SqsManagedSseEnabled", "false"), "SetQueueAttributes", "SqsManagedSse"),
        (with_attribute("Policy", "{}"), "SetQueueAttributes", "Policy"),
        (with_attribute("Policy", "not JSON"), "SetQueueAttributes", "Policy"),
        (with_rule(State="DISABLED"), "PutRule", "State"),
        (with_rule(EventPattern='{"source":["aws.s3"]}'), "PutRule", "EventPattern"),
        (with_rule(Description=""), "PutRule", "Description"),
        (changed(rule=None, rule_tags={}), "PutRule", "create the rule"),
        (changed(targets=[]), "PutTargets", "send to the queue"),
        (changed(targets=[WANTED.target | {"InputPath": "$.detail"}]), "PutTargets", "send to"),
        (changed(targets=[{"Id": "queue", "Arn": "arn:aws:sqs:x:1:y"}]), "PutTargets", "send to"),
    ],
)
def test_each_part_that_differs_is_put_right(found, operation, words):
    """One change is one step, which says what it changes and leaves the rest alone."""
    [step] = setup(WANTED, found)

    assert (step.operation, words in step.message) == (operation, True)


def test_a_key_of_ones_own_is_not_taken_away():
    """Who encrypts the queue with a KMS key keeps it: SQS takes one kind of encryption alone."""
    attributes = made().attributes | {"KmsMasterKeyId": "alias/calls"}
    attributes["SqsManagedSseEnabled"] = "false"

    assert setup(WANTED, changed(attributes=attributes)) == []


def test_removing_undoes_a_setup():
    """The target goes first, as a rule that has one can't be deleted."""
    steps = remove(WANTED, made())

    assert operations(steps) == ["RemoveTargets", "DeleteRule", "DeleteQueue"]
    assert remove(WANTED, Found()) == []


def test_a_rule_with_others_targets_stays():
    """What others have the rule send to is theirs."""
    theirs = {"Id": "theirs", "Arn": "arn:aws:lambda:eu-central-1:123456789012:function:f"}

    steps = remove(WANTED, changed(targets=[theirs, WANTED.target]))

    assert operations(steps) == ["RemoveTargets", "DeleteQueue"]
    assert steps[0].request["Ids"] == ["queue"]


@pytest.mark.parametrize("plan", [setup, remove])
@pytest.mark.parametrize("tags", [{}, {"managed-by": "terraform"}])
@pytest.mark.parametrize("part", ["queue", "rule"])
def test_what_others_made_is_refused(plan, part, tags):
    """Neither changed nor deleted, and said by its name with what to do."""
    with pytest.raises(BadSettings, match=f"There is a {part} calls-events that this program did"):
        plan(WANTED, changed(**{f"{part}_tags": tags}))


@pytest.mark.parametrize("source", ["s3://calls-*/", "s3://calls/2026/*.mp3", "calls"])
def test_a_source_that_names_no_bucket_is_refused(source):
    """A pattern or a folder would make a rule for the jobs of a bucket that is not."""
    with pytest.raises(BadSettings, match="SOURCE"):
        prefix_of_jobs("calls", source)
