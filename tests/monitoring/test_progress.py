"""How far a run is, in words."""

from __future__ import annotations

import asyncio
import json
import logging
import unicodedata
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.logs import begin_json
from pipeline.monitoring.progress import ProgressMeter, RunProgress, shown
from pipeline.monitoring.snapshot import RunSnapshot
from pipeline.terminal import Style, counted, style_for
from pipeline.text import duration, printable
from tests.support.owned_time import in_owned_time
from tests.support.state_files import begun, listed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


SNAPSHOT = RunSnapshot(
    source="s3://calls/",
    listed=12_345,
    listing_done=True,
    skipped={"not audio": 45},
    jobs=2_000,
    in_flight=250,
    written=1_700,
    failed=50,
)
EMPTY = RunSnapshot(source="s3://calls/")


@pytest.fixture(name="json_log")
def log_of_json() -> Iterator[Any]:
    """Begins a log of JSON lines, of which there is one in a process."""
    handlers, ours = list(logging.root.handlers), logging.getLogger("transcribe_pipeline")
    levels = logging.root.level, ours.level
    yield begin_json
    logging.root.handlers = handlers
    logging.root.level, ours.level = levels
    logging.captureWarnings(capture=False)
    logging.raiseExceptions = True


@pytest.fixture(name="path")
def state_path(tmp_path):
    """The state file of a run that has listed three recordings."""
    with begun(tmp_path / "state") as state:
        listed(state, "a", "b", "c")
        yield state.path


def show_for(seconds: float, path: Path, style: Style, *notes: str) -> None:
    """Show a run for so long; its notes come when it has begun."""
    snapshot = msgspec.structs.replace(EMPTY, listed=1_500)

    async def running() -> None:
        nonlocal snapshot
        async with shown(lambda: snapshot, path, style):
            snapshot = msgspec.structs.replace(snapshot, notes=notes)
            await asyncio.sleep(seconds)

    in_owned_time(running())


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (0.4, "0 s"),
        (0.6, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3599.7, "1 h"),
        (3661, "1 h 1 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d"),
        (90_061, "1 d 1 h"),
        (400 * 86_400, "400 d"),
    ],
)
def test_a_duration_in_words(seconds, words):
    """A duration is told in its two largest units, those that are nought left out."""
    assert words == duration(seconds)


@given(st.floats(0, 10**7))
def test_a_duration_is_nearly_what_was_measured(seconds):
    """The words lie at most one of their smaller unit below the seconds, and never above."""
    sizes = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}
    parts = duration(seconds).split()
    told = sum(int(n) * sizes[unit] for n, unit in zip(parts[::2], parts[1::2], strict=True))

    below = {"d": 3_600, "h": 60, "min": 1, "s": 1}[parts[1]]

    assert told <= round(seconds) < told + below or told == round(seconds)


@given(st.text(st.characters(exclude_categories=[]), max_size=20))
def test_what_is_printed_is_one_harmless_line(text):
    """No key or message breaks a line, moves the cursor or is refused by a terminal."""
    shown_text = printable(text)

    assert shown_text.isprintable()
    assert len(f"{shown_text}.".splitlines()) == 1
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs"} for c in shown_text)
    assert shown_text.encode().decode() == shown_text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b/ü电🚆'\".mp3", "a b/ü电🚆'\".mp3"),
        ("a\nb\r\t", "a\\nb\\r\\t"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\u202egpj", "\\u202egpj"),
        ("\udcff", "\\udcff"),
    ],
)
def test_only_what_is_harmful_is_escaped(text, words):
    """Letters of every script stay as they are; control characters become escapes."""
    assert words == printable(text)


def test_a_snapshot_as_a_line():
    """A line of progress tells all counts, the rate and the time that is left."""
    assert str(RunProgress(SNAPSHOT, 10_550, 4.2)) == (
        "1,700 written · 4.2/s · 41 min 52 s left · 50 failed · 250 in flight · 2,000 started"
        " · 45 skipped · 12,345 listed"
    )


@pytest.mark.parametrize(
    ("left", "rate", "listing_done"), [(9, 0.0, True), (0, 4.2, True), (9, 4.2, False)]
)
def test_a_time_is_told_only_where_it_is_known(left, rate, listing_done):
    """While the listing goes on, or nothing is written, or nothing is left, no time is told."""
    snapshot = msgspec.structs.replace(SNAPSHOT, listing_done=listing_done)

    line = str(RunProgress(snapshot, left, rate))

    assert "left" not in line
    assert ("so far" in line) != listing_done


def test_what_is_left_is_pending_or_in_flight(path):
    """Beside the snapshot stands what the state file knows to be pending."""
    meter = ProgressMeter(lambda: SNAPSHOT, path)
    asyncio.run(meter.count())

    assert meter.read(0) == RunProgress(SNAPSHOT, left=253, rate=0.0)


def test_the_rate_is_that_of_the_last_minute(path):
    """What was written more than a minute ago no longer counts for the rate."""
    rates, written = [], 0
    meter = ProgressMeter(lambda: msgspec.structs.replace(EMPTY, written=written), path)
    for second, written in ((0, 0), (10, 100), (60, 100), (65, 100), (120, 220)):  # noqa: B007 # the meter reads it
        rates.append(meter.read(second).rate)

    assert rates == pytest.approx([0, 10, 100 / 60, 0, 2])


@pytest.mark.parametrize(("style", "lines"), [(Style.LINES, 3), (Style.QUIET, 0)])
def test_a_log_gets_a_line_every_thirty_seconds(path, capsys, style, lines):
    """Where no one watches, a line every 30 seconds goes to stderr, and none when quiet."""
    show_for(100, path, style)

    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", lines)
    assert all(line.endswith(" · 1,500 listed so far") for line in err.splitlines())


@pytest.mark.parametrize(("style", "said"), [(Style.LINES, "no \\x1b queue\n"), (Style.QUIET, "")])
def test_what_goes_another_way_is_said_at_once(path, capsys, style, said):
    """A note is a line of its own, once, within a second, and forges nothing."""
    show_for(5, path, style, "no \x1b queue")

    assert capsys.readouterr().err == said


def test_a_log_of_json_gets_an_event_every_thirty_seconds(path, capsys, json_log):
    """For a log collector progress is an event with its counts, and with the line for people."""
    json_log(quiet=False)
    show_for(100, path, style_for(quiet=False))

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["progress"] * 3
    assert lines[0]["listed"] == 1_500
    assert lines[0]["message"].endswith(" · 1,500 listed so far")


@pytest.mark.parametrize(
    ("style", "said"),
    [(Style.LINES, "3,000 of 5,000 tasks\n6,000 of 5,000 tasks\n"), (Style.QUIET, "")],
)
def test_a_count_goes_to_a_log_every_thirty_seconds(capsys, style, said):
    """However often the count grows, a log gets a line every half minute."""
    now = 0.0

    with counted(style, 5_000, "tasks", lambda: now) as show:
        for done in range(0, 6_200, 100):
            show(done)
            now += 1.0

    assert capsys.readouterr().err == said


def test_a_count_is_a_bar_on_a_terminal(monkeypatch, capsys):
    """On a terminal the count stands beside its bar, and is gone at the end."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "96")

    with counted(Style.BAR, 5_000, "tasks") as show:
        show(1_200)

    assert "1,200 of 5,000 tasks" in capsys.readouterr().err
