"""The lines of the output as push sees them, and the batches that they are sent in."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from pipeline.errors import OutputUnusable
from pipeline.label_studio.filters import job_id_filter
from pipeline.label_studio.task_lines import (
    MOST_BYTES,
    MOST_QUERY,
    MOST_TASKS,
    TaskLine,
    batches,
    task_lines,
)

job_ids = st.text('aZ0-_."\\é電🚆 %', min_size=1, max_size=300)
lines = st.lists(
    st.builds(
        lambda job_id, size: TaskLine(b"x" * size, 0, job_id, {}, []),
        job_ids,
        st.sampled_from([2, 700, 4_000, 100_000, MOST_BYTES + 1]),
    ),
    max_size=400,
)


def line(job_id: object = "j", **more: object) -> bytes:
    return json.dumps({"data": {"audio": "s3://b/a", "job_id": job_id}, **more}).encode()


@given(lines)
def test_batches_are_the_lines_in_their_order(lines):
    """Every line is in one batch, in the order of the output."""
    assert [each for batch in batches(lines) for each in batch] == lines


@given(lines)
def test_batches_keep_under_the_bounds(lines):
    """A batch of several lines is a body that proxies take, and a question the server takes."""
    for batch in batches(lines):
        body = b"[" + b",".join(each.content for each in batch) + b"]"
        query = URL("http://a/").with_query(query=job_id_filter([each.job_id for each in batch]))

        assert len(batch) <= MOST_TASKS
        assert len(batch) == 1 or len(body) <= MOST_BYTES
        assert len(batch) == 1 or len(str(query)) <= MOST_QUERY + 300


@given(st.lists(st.integers(2, 900), max_size=300))
def test_two_batches_are_not_one(sizes):
    """A batch is as large as it can be: the first line of the next one had no place in it."""
    found = list(
        batches([TaskLine(b"x" * size * 100, 0, str(n), {}, []) for n, size in enumerate(sizes)])
    )

    for batch, after in pairwise(found):
        size = 2 + sum(len(each.content) + 1 for each in [*batch, after[0]])
        assert len(batch) == MOST_TASKS or size > MOST_BYTES


def test_a_batch_has_a_recording_once():
    """The second task of a recording is looked for when the first one has arrived."""
    contents = [line("a"), line("b", meta={"etag": "2"}), line("c"), line("d")]

    assert [[each.job_id for each in batch] for batch in batches(task_lines(contents))] == [
        ["a", "b"],
        ["c"],
        ["d"],
    ]


def test_lines_know_where_they_end():
    """The offsets are those of the file, also when its beginning is left out."""
    content = [line("a"), line("b", predictions=[{"score": 0.5, "result": []}])]

    found = list(task_lines(content, after=100))

    ends = [100 + len(content[0]) + 1, 100 + len(content[0]) + len(content[1]) + 2]
    assert [(each.job_id, each.end) for each in found] == [("a", ends[0]), ("b", ends[1])]
    assert [each.score for each in found] == [0.0, 0.5]


@pytest.mark.parametrize("job_id", ["", None, 7, []])
def test_task_without_a_key_is_refused(job_id):
    """A task that could not be looked up could be doubled."""
    with pytest.raises(OutputUnusable, match=r"has no data\.job_id"):
        list(task_lines([line(job_id)]))


@pytest.mark.parametrize("content", [b"{}", b"[]", b"{", b"\xff", b'{"data": []}'])
def test_line_that_is_no_task_is_refused(content):
    """What is not a task is named by its place in the file."""
    with pytest.raises(OutputUnusable, match="line at byte 0 is no task"):
        list(task_lines([content]))
