"""What an event says, where a queue is, and how far events are relied on."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.events.message import ended_job
from pipeline.naming import parse_queue_url
from tests.support.job_events import event

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED"])
def test_an_event_names_the_job_that_has_ended(status):
    """However a job ends, its event is a reason to look at it."""
    body = json.dumps(event(TranscriptionJobStatus=status, FailureReason="Internal failure"))

    assert ended_job(body) == "calls-1"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "calls-1",
        "[" * 100_000,
        '{"detail": ' * 100_000,
        '"\ud800"',
        json.dumps(event() | {"source": "my.transcribe"}),
        json.dumps(event() | {"detail-type": "Vocabulary State Change"}),
        json.dumps(event(TranscriptionJobStatus="IN_PROGRESS")),
        json.dumps(event(TranscriptionJobName=7)),
        json.dumps(event() | {"detail": None}),
        json.dumps({"Type": "Notification", "Message": json.dumps(event())}),
        json.dumps([event()]),
    ],
)
def test_what_is_no_such_event_names_none(body):
    """Other events, other shapes and what is no JSON at all are nobody's."""
    assert ended_job(body) is None


@given(st.text(st.characters(), max_size=200) | json_values.map(json.dumps))
def test_a_message_may_hold_anything(body):
    """Whatever somebody puts into the queue is read without an error."""
    assert ended_job(body) is None


@given(st.dictionaries(st.sampled_from([*event(), "detail"]), json_values))
def test_an_event_may_hold_anything(changes):
    """An event with any of its parts replaced names its job, or none."""
    assert ended_job(json.dumps(event() | changes)) in (None, "calls-1")


def test_a_queues_url_says_whose_it_is():
    """Account and name stand in its path, and its host may say more."""
    queue = parse_queue_url("https://sqs.eu-central-1.amazonaws.com/123456789012/calls-events")

    assert queue == ("sqs.eu-central-1.amazonaws.com", "123456789012", "calls-events")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "calls-events",
        "arn:aws:sqs:us-east-1:123456789012:calls-events",
        "s3://bucket/123456789012/e",
        "https://sqs.us-east-1.amazonaws.com/calls-events",
        "https://sqs.us-east-1.amazonaws.com/123456789012/",
        "https://sqs.us-east-1.amazonaws.com/123456789012/a/b",
        "https://sqs.us-east-1.amazonaws.com/123456789012/e?Action=PurgeQueue",
        "https://[/123456789012/e",
    ],
)
def test_what_is_no_queues_url_is_none(url):
    """Names, ARNs and other addresses are told apart from a queue's URL."""
    assert parse_queue_url(url) is None
