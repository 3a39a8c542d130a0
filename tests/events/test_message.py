"""What an event says, where a queue is, and how far events are relied on."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.events.message import ended_job
from pipeline.naming import parse_queue_url
from tests.support.job_events import event

few = settings(max_examples=80, deadline=None)

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


@few
@given(st.text(st.characters(), max_size=200) | json_values.map(json.dumps))
def test_a_message_may_hold_anything(body):
    """Whatever somebody puts into the queue is read without an error."""
    assert ended_job(body) is None


@few
@given(st.dictionaries(st.sampled_from([*event(), "detail"]), json_values))
def test_an_event_may_hold_anything(changes):
    """An event with any of its parts replaced names its job, or none."""
    assert ended_job(json.dumps(event() | changes)) in (None, "calls-1")


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.eu-central-1.amazonaws.com/123456789012/calls-events", "eu-central-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/calls_events", "cn-north-1"),
        ("https://sqs-fips.us-gov-west-1.amazonaws.com/123456789012/e", "us-gov-west-1"),
        ("https://sqs.us-east-1.api.aws/123456789012/e", "us-east-1"),
        ("https://eu-west-1.queue.amazonaws.com/123456789012/e", "eu-west-1"),
        ("http://127.0.0.1:4566/000000000000/e", None),
    ],
)
def test_a_queues_url_says_where_it_is(url, region):
    """Of AWS's own hosts the region is read; another endpoint may be anywhere."""
    queue = parse_queue_url(url)

    assert queue is not None
    assert queue.region == region


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
