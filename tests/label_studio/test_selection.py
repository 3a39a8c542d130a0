"""Which tasks are reviewed, and which of them for the audit alone."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from pipeline.label_studio.selection import Selection
from pipeline.label_studio.task_lines import Prediction, TaskLine

shares = st.floats(0, 1)


def line(name: str, score: float = 0.95, job_id: str = "j", etag: str = "1") -> TaskLine:
    content = json.dumps({"data": {"audio": name}, "meta": {"etag": etag}}).encode()
    return TaskLine(content, 0, job_id, {"audio": name}, [Prediction(score=score)], etag)


SURE = [line(f"s3://calls/{number}.mp3") for number in range(2_000)]


def test_a_sample_is_as_large_as_was_asked_for():
    """Of 2,000 tasks 5 % are about 100: 67 to 133 in 999 of 1,000 draws."""
    found = sum(map(Selection(0.9, 0.05).is_audited, SURE))

    assert 67 <= found <= 133


@given(st.text(min_size=1), st.text(), st.text(), shares)
def test_a_recording_is_of_the_audit_whatever_was_heard_in_it(name, job_id, etag, share):
    """The name alone draws: another job, another content and other neighbours change nothing."""
    selection = Selection(0.9, share)

    drawn = selection.is_audited(line(name))

    assert drawn == selection.is_audited(line(name, 0.91, job_id, etag))


@given(st.text(), shares, shares)
def test_a_larger_share_holds_the_smaller_ones(name, one, other):
    """Raising the share asks for more reviews, and makes none of them needless."""
    smaller, larger = (Selection(0.9, each) for each in sorted((one, other)))

    assert larger.is_audited(line(name)) or not smaller.is_audited(line(name))


def test_only_what_needs_no_review_is_audited():
    """A low score is a reason of its own; without a bound for it every task is reviewed."""
    assert not any(map(Selection(0.96, 1.0).is_audited, SURE))
    assert all(map(Selection(0.96, 0.0).is_for_review, SURE))
    assert not any(map(Selection(0.0, 1.0).is_audited, SURE))
    assert all(map(Selection().is_for_review, SURE))
    assert all(map(Selection(0.9, 1.0).is_audited, SURE))


def test_the_task_says_that_it_is_of_the_audit():
    """The mark stands in `meta`, beside what was there; other tasks stay as they are."""
    sure, unsure = line("a"), line("b", 0.5)

    assert json.loads(Selection(0.9, 1.0).content(sure))["meta"] == {"etag": "1", "audit": True}
    assert Selection(0.9, 1.0).content(unsure) == unsure.content
    assert Selection(0.9, 0.0).content(sure) == sure.content
