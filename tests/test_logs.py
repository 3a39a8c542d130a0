"""What a run tells a log collector."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import logs

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = ["time", "level", "event", "run_id"]
any_text = st.text(st.characters(exclude_categories=[]), max_size=30)


@pytest.fixture(autouse=True)
def _the_log_of_others() -> Iterator[None]:
    """The log is the process's own: put back what the tests share."""
    root, handlers, level = logging.root, list(logging.root.handlers), logging.root.level
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(capture=False)
    logging.raiseExceptions = True
    logging.getLogger("transcribe_pipeline").setLevel(logging.CRITICAL + 1)


def told(capsys: Any) -> list[dict[str, Any]]:
    """The lines on stderr; nothing is on stdout."""
    out, err = capsys.readouterr()
    assert not out
    return [json.loads(line) for line in err.splitlines()]


def test_an_event_is_one_object_with_its_moment_in_utc(capsys):
    """Time, level, name and run come first, then the facts of the event."""
    logs.begin_json(quiet=False)

    logs.event("recording.failed", logs.WARNING, recording="a.mp3", job="j-1")

    (line,) = told(capsys)
    assert list(line) == [*HEAD, "recording", "job"]
    assert (line["level"], line["event"]) == ("warning", "recording.failed")
    assert (line["recording"], line["run_id"]) == ("a.mp3", logs.run_id())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])


def test_people_are_told_nothing_twice(capsys):
    """Where a run tells in text, events are silent."""
    logs.event("recording.failed", logs.ERROR, recording="a.mp3")

    assert not logs.is_json()
    assert told(capsys) == []


def test_a_quiet_log_tells_what_failed(capsys):
    """With `quiet` there are warnings and errors alone."""
    logs.begin_json(quiet=True)

    for level in (logs.INFO, logs.WARNING, logs.ERROR):
        logs.event("event", level)

    assert [line["level"] for line in told(capsys)] == ["warning", "error"]


@given(key=any_text, words=any_text)
def test_no_key_forges_a_line(capsys, key, words):
    """Whatever a key or an answer holds, it is one line of ASCII, and reads back the same."""
    logs.begin_json(quiet=False)

    logs.event("recording.failed", recording=key, words=words)

    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert err.isascii()
    assert err[:-1].isprintable()
    line = json.loads(err)
    assert (line["event"], line["recording"], line["words"]) == ("recording.failed", key, words)


@pytest.mark.parametrize(
    "url",
    [
        "https://s3.amazonaws.com/b/k.json?X-Amz-Algorithm=A&X-Amz-Signature=5e4c",
        "https://s3/b/k?x-amz-security-token=5e4c",
        "http://h/p?a=b&Signature=5e4c",
    ],
)
def test_no_signed_query_is_told(capsys, url):
    """The query of a presigned URL is cut off, whoever tells it, and the line stays whole."""
    logs.begin_json(quiet=False)

    logs.event("error", message=f'It said "{url}"\nand went.')
    logging.getLogger("aiohttp.client").error("no answer from %s", url)

    lines = told(capsys)
    assert all("5e4c" not in line["message"] for line in lines)
    assert lines[0]["message"].endswith('?..."\nand went.')


def test_what_libraries_warn_of_is_told_too(capsys):
    """Warnings of libraries and of Python become lines, with the error but no traceback."""
    logs.begin_json(quiet=False)

    try:
        raise ValueError("odd")  # noqa: TRY301 # a library's own
    except ValueError:
        logging.getLogger("asyncio").exception("Task\nfailed")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    logging.getLogger("botocore").info("not worth telling")

    first, second = told(capsys)
    assert (first["event"], first["library"], first["level"]) == ("library", "asyncio", "error")
    assert first["message"] == "Task\nfailed: ValueError: odd"
    assert second["library"] == "py.warnings"
    assert "old" in second["message"]


def test_a_log_begun_twice_tells_once(capsys):
    """The format may be known before the settings are read, and again after."""
    logs.begin_json(quiet=False)
    logs.begin_json(quiet=False)

    logs.event("run.started")

    assert len(told(capsys)) == 1


def test_a_log_that_nobody_takes_stops_nothing(capsys):
    """Where stderr is closed the run goes on, and prints no traceback in its place."""
    logs.begin_json(quiet=False)
    (handler,) = logging.root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.stream = open(os.devnull, encoding="ascii")  # noqa: SIM115, PTH123 # can't be written

    with handler.stream:
        logs.event("progress")

    assert capsys.readouterr() == ("", "")


def test_the_log_goes_to_the_stderr_of_now(capsys):
    """What is begun writes to standard error, and nothing else."""
    logs.begin_json(quiet=False)

    (handler,) = logging.root.handlers

    assert isinstance(handler, logging.StreamHandler)
    assert handler.stream is sys.stderr
