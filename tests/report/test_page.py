"""The page about a run: what it tells, for which run, and that it can do no harm."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BadSettings, StateUnusable
from pipeline.label_studio.push_ledger import Place, opened_ledger
from pipeline.model import TranscriptStats
from pipeline.monitoring.summary import Failure, Failures, Files
from pipeline.report import sentences
from pipeline.report.page import page
from pipeline.report.run_record import Outcome, read_record
from pipeline.state.history import Sample
from pipeline.state.reader import read_state
from tests.support.hostile import HOSTILE, poisoned
from tests.support.runs import BEGUN, HOUR, a_run, an_hour, end, fail, hear, run_begun, sampled
from tests.support.state_files import SOURCE, begun, by_hand, listed, running, written

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.report.run_record import RunRecord


@pytest.fixture(name="path")
def state_path(tmp_path):
    return tmp_path / "tasks.jsonl.state"


def record_of(path: Path, number: int | None = None, moment: float = BEGUN + HOUR) -> RunRecord:
    with read_state(path) as state:
        return read_record(state, number, moment)


def page_of(path: Path, number: int | None = None) -> str:
    return page(record_of(path, number), {}, "")


class Parsed(HTMLParser):
    """The tags, attributes and texts of a page."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember a tag and what it has."""
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        """Remember a text, with ordinary spaces."""
        if data.strip():
            self.texts.append(data.replace("\u00a0", " ").strip())

    @property
    def text(self) -> str:
        """All texts."""
        return " ".join(self.texts)


# What happened, in one sentence


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "8 recordings were transcribed in 1 h; 2 failed."),
        ({"failed": 0}, "8 recordings were transcribed in 1 h."),
        ({"failed": 0, "written": 1}, "1 recording was transcribed in 1 h."),
        (
            {"exit_code": 3, "pending": 30, "in_flight": 1},
            "8 recordings were transcribed in 1 h; 2 failed and 31 are left for the next run.",
        ),
        ({"exit_code": 130, "failed": 0, "pending": 1},
         "8 recordings were transcribed in 1 h; 1 is left for the next run."),
        (
            {"exit_code": 2, "stopped": "No answer."},
            "The run could not go on after 1 h: 8 recordings were transcribed; 2 failed.",
        ),
        (
            {"written": 0, "failed": 0, "tasks": 1_000},
            "Nothing was new: all that is in the source had been transcribed before (1,000).",
        ),
        ({"written": 0, "exit_code": 1}, "Nothing was transcribed, and 2 failed."),
        ({"written": 0, "failed": 0, "listed": 0}, "There was nothing to transcribe."),
    ],
)  # fmt: skip
def test_what_happened_is_one_sentence(path, changes, said):
    """The sentence has what was transcribed, what failed and what is left."""
    with run_begun(path) as state:
        end(state, **changes)

    found = Parsed(page_of(path))

    assert said in found.texts


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (0, Outcome.COMPLETE),
        (1, Outcome.SOME_FAILED),
        (2, Outcome.CANNOT_RUN),
        (3, Outcome.OVER_BUDGET),
        (130, Outcome.INTERRUPTED),
        (143, Outcome.INTERRUPTED),
    ],
)
def test_how_a_run_ended_is_told(path, code, outcome):
    """Each exit code has its word, and why it ended early stands below."""
    with run_begun(path) as state:
        end(state, exit_code=code, stopped="limit 5" if code else "")

    found = Parsed(page_of(path))

    assert outcome in found.texts
    assert ("Run the same command again" in found.text) == (code in (3, 130, 143))


def test_a_run_that_goes_on_is_told_as_far_as_it_is(path):
    """Beside a run the page has the figures of its last sample and of the state file."""
    with run_begun(path) as state:
        hear(state, {"a.mp3": TranscriptStats(0.5, 60.0, 5.0)})
        running(state, "b.mp3")
        listed(state, "c.mp3")
        state.note_started()
        sampled(state, an_hour()[:31])

        record = record_of(path, moment=BEGUN + HOUR / 2 + 20)
        assert record.outcome is Outcome.UNDER_WAY
        assert sentences.headline(record) == (
            "Under way for 30 min 20 s: 4 recordings were transcribed; 1 is in flight and 1 waits."
        )
        assert page(record, {}, "")


def test_a_run_that_was_killed_is_told_as_such(path):
    """A run without an end that was silent for minutes, or was followed by another, is over."""
    with run_begun(path) as state:
        sampled(state, an_hour()[:31])

    assert record_of(path, moment=BEGUN + HOUR).outcome is Outcome.KILLED
    assert "nothing is lost" in page_of(path)

    with run_begun(path, BEGUN + HOUR / 2 + 10):
        pass
    assert record_of(path, 1, BEGUN + HOUR / 2 + 20).outcome is Outcome.KILLED


def test_an_earlier_run_keeps_its_own_figures(path):
    """Of each run the page has what that run did, whatever happened since."""
    with run_begun(path) as state:
        hear(state, {"a.mp3": TranscriptStats(0.4, 60.0, 5.0)})
        end(state, written=1, failed=0)
    with run_begun(path, BEGUN + 86_400) as state:
        hear(state, {"b.mp3": TranscriptStats(0.8, 60.0, 5.0)})
        end(state, written=5, failed=0)

    first, last = record_of(path, 1), record_of(path)

    assert [each.job.recording.key for each in first.worst] == ["a.mp3"]
    assert [each.job.recording.key for each in last.worst] == ["b.mp3"]
    assert (first.totals.confidence, last.totals.confidence) == (0.4, 0.8)
    assert "Runs of late" in page_of(path, 1)


def test_a_run_that_nobody_knows_is_refused(path):
    """A wrong number is answered with those that there are; an old file with what will be."""
    with begun(path) as state:
        written(state, "a.mp3")
    with pytest.raises(StateUnusable, match="remembers no run"):
        record_of(path)

    with run_begun(path) as state:
        end(state)

    with pytest.raises(BadSettings, match="the runs 2 to 2, and none of the number 9"):
        record_of(path, 9)


def test_a_summary_of_another_version_is_no_obstacle(path):
    """What a summary does not say, or where it can't be read, the samples tell."""
    with run_begun(path) as state:
        sampled(state, an_hour())
        end(state)
        for summary in (
            '{"written": 7, "exit_code": 1, "new": {}}',
            '{"written": 7, "exit_code": 1, "cost": 0.06, "failures": {"too long": 1}}',
            '{"written": "many"}',
            '{"counts": 5}',
            "{",
        ):
            by_hand(state.path, "UPDATE runs SET summary = ?", summary)

            record = record_of(path)
            written = 7 if "7" in summary else 8
            assert (record.facts.counts.written, record.facts.source) == (written, SOURCE)
            assert page(record, {}, "")


def test_a_file_without_history_is_told_by_the_command(run):
    """The command says in one sentence what is missing, and writes no page."""
    with begun(run.folder / "tasks.jsonl.state") as state:
        written(state, "a.mp3")
    with closing(sqlite3.connect(run.folder / "tasks.jsonl.state")) as db:
        for name in ("runs", "samples", "transcripts"):
            db.execute(f"DROP TABLE {name}")

    outcome = run("report")

    assert (outcome.code, outcome.out) == (2, "")
    assert "remembers no run" in outcome.err
    assert not (run.folder / "tasks.report.html").exists()


# What is on the page


def test_the_page_tells_what_an_operator_asks(path):
    """Figures, the brake, failures with advice, the least certain first, cost and settings."""
    a_run(path)

    found = Parsed(page_of(path))

    for said in (
        "Some failed",
        "The account's job slots (4 found) held the run back for 30 min of 1 h;",
        "held back by no free job slot, 30 min",
        "Listen to the file; it is damaged or no audio.",
        "The service says what is wrong:",
        "It isn't valid.",
        "Something new.",
        "USD 0.06",
        "a higher quota (L-6F7AB1C9) would shorten it in proportion.",
        "2 not audio",
        "en-US",
    ):
        assert said in found.text, said
    keys = [each for each in found.texts if re.fullmatch(r"calls/\d\.mp3", each)]
    assert keys == [f"calls/{n}.mp3" for n in range(7)]
    assert "silent.mp3" not in found.text


def test_every_plot_is_a_table_too(path):
    """What is drawn can be read: each plot has a name and the same figures as a table."""
    a_run(path)

    content = page_of(path)

    assert content.count("<figure>") == 4
    assert "as far as found" in content
    assert content.count('role="img" aria-label="') == 4
    assert content.count("<details>") == 4
    assert len(re.findall(r"<figure>.*?<details>.*?<table>.*?</figure>", content, re.DOTALL)) == 4


def test_the_page_needs_nothing_else(path):
    """No script, no address of its own, and a policy that would let none in."""
    a_run(path)

    content = page_of(path)
    found = Parsed(content)

    assert not found.tags & {"script", "link", "img", "iframe", "object", "base", "form"}
    assert not [name for name, _ in found.attributes if name in ("src", "href", "style")]
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    (policy,) = [value for _, value in found.attributes if "default-src" in value]
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/=]+'; base-uri 'none'; form-action 'none'",
        policy,
    )
    assert "prefers-color-scheme: dark" in content


def test_keys_and_words_are_no_markup(path):
    """Whatever a key or the service says is shown as text, on one line, and runs nowhere."""
    with run_begun(path) as state:
        hear(state, {HOSTILE: TranscriptStats(0.1, 1.0, 1.0)})
        fail(state, {f"{HOSTILE}2": (HOSTILE, HOSTILE)})
        end(state, failures=Failures({HOSTILE: 1}), stopped=HOSTILE, source=HOSTILE,
            files=Files(HOSTILE, HOSTILE, HOSTILE), exit_code=2)  # fmt: skip

    content = page_of(path)
    found = Parsed(content)

    assert not found.tags & {"script", "img"}
    assert "\x1b" not in content
    assert "<script>alert(1)</script>" in found.text


def test_no_value_of_a_run_is_markup(path):
    """Whatever text a page is made of, addresses included, none of it becomes a tag."""
    a_run(path)
    record = poisoned(record_of(path))

    for tasks in ({}, {HOSTILE: HOSTILE}, {HOSTILE: f"https://labels/{HOSTILE}"}):
        content = page(record, tasks, f"https://labels/{HOSTILE}")
        found = Parsed(content)

        assert content.count("&lt;script&gt;") > 20
        assert not found.tags & {"script", "img"}
        assert "\x1b" not in content
        assert not [name for name, _ in found.attributes if name.startswith("on")]
        links = [value for name, value in found.attributes if name == "href"]
        assert all(each.startswith("https://labels/") for each in links)


def test_a_long_key_shows_its_two_ends(path):
    """A key of a thousand characters does not fill the page; pointed at, it is whole."""
    key = f"calls/{'x' * 1000}/end.mp3"
    with run_begun(path) as state:
        hear(state, {key: TranscriptStats(0.1, 1.0, 1.0)})
        end(state)

    found = Parsed(page_of(path))

    assert ("title", key) in found.attributes
    (shown,) = [each for each in found.texts if each.endswith("/end.mp3")]
    assert len(shown) == 120


def test_tasks_are_linked_where_they_are_known(path):
    """A recording that was pushed leads to its task; only to an address of the web."""
    a_run(path)
    record = record_of(path)
    first, second, *_ = [each.job.name for each in record.worst]

    content = page(
        record,
        {first: "https://labels/projects/1/data?task=8&a=<", second: "javascript:alert(1)"},
        "https://labels/projects/1",
    )

    links = [value for name, value in Parsed(content).attributes if name == "href"]
    assert links == ["https://labels/projects/1", "https://labels/projects/1/data?task=8&a=<"]
    assert content.count('rel="noreferrer"') == 2


@pytest.mark.parametrize("exit_code", [0, 2])
def test_a_run_that_did_nothing_has_a_page(path, exit_code):
    """Without a sample, a transcript or a failure there is a page all the same."""
    with run_begun(path) as state:
        end(state, exit_code=exit_code, written=0, failed=0, skipped={}, calls={}, waits={},
            cost=None, seconds=0.0, stopped="It is broken.")  # fmt: skip

    assert "<figure>" not in page_of(path)


def test_a_short_run_has_a_page(path):
    """Two samples at one moment divide by nothing."""
    with run_begun(path) as state:
        sampled(state, [Sample(at=BEGUN), Sample(at=BEGUN, written=3, in_flight=2)])
        end(state)

    assert page_of(path).count("<figure>") == 2


# The command


def test_the_command_writes_a_private_page_beside_the_output(run, cloud):
    """The page of the last run stands beside its output, for its owner alone, and tells no word."""
    service = cloud()
    service.add(a="confidential words", b="", c="!Internal failure")
    assert run("run", "s3://audio/").code == 1

    outcome = run("report")

    path = run.folder / "tasks.report.html"
    content = path.read_text(encoding="utf-8")
    assert (outcome.code, outcome.out) == (0, "tasks.report.html\n"), outcome.err
    assert path.stat().st_mode & 0o777 == 0o600
    assert "2 recordings were transcribed" in content
    assert "a.mp3" in content
    assert "confidential" not in content


def test_the_command_takes_an_earlier_run_and_another_place(run, cloud):
    """--run chooses the run, --html where its page is written."""
    cloud().add(a="one")
    run("run", "s3://audio/")
    run("run", "s3://audio/")

    outcome = run("report", "--run", "1", "--html", "pages/first.html")

    assert outcome.out == "pages/first.html\n"
    assert "1 recording was transcribed" in (run.folder / "pages/first.html").read_text("utf-8")
    assert "Nothing was new" in run_page(run)


@pytest.mark.parametrize("name", ["tasks.jsonl", "./tasks.jsonl.state", "tasks.failures.jsonl"])
def test_a_page_never_takes_the_place_of_what_it_is_about(run, name):
    """A page named like a file of the run is refused, and the file is as it was."""
    a_run(run.folder / "tasks.jsonl.state")
    path = run.folder / name
    before = path.read_bytes() if path.exists() else None

    outcome = run("report", "--html", name)

    assert (outcome.code, outcome.out) == (2, "")
    assert "would overwrite a file that the command reads" in outcome.err
    assert before == (path.read_bytes() if path.exists() else None)


def run_page(run: Any) -> str:
    assert run("report").code == 0
    return str((run.folder / "tasks.report.html").read_text("utf-8"))


def test_a_label_studio_that_does_not_answer_is_no_obstacle(run):
    """Without the server the page has the project's address and no links to tasks, and says so."""
    a_run(run.folder / "tasks.jsonl.state")
    with opened_ledger(run.folder / "tasks.jsonl") as memory:
        memory.keep("http://127.0.0.1:9/projects/3 of 2026", Place(size=10))

    silent = run("report")
    run.use(LABEL_STUDIO_URL="http://127.0.0.1:9", LABEL_STUDIO_API_KEY="0123456789abcdef")
    asked = run("report")

    assert (silent.code, silent.err) == (0, "")
    assert asked.code == 0
    assert "The page has no links to tasks: " in asked.err
    assert 'href="http://127.0.0.1:9/projects/3"' in run_page(run)


# What is counted


def test_recordings_are_counted_by_their_confidence(path):
    """Bands hold what lies in them, the last one 1 too, and silence is in none."""
    given = (0.0, 0.019, 0.02, 0.5, 0.99, 1.0, None)
    with run_begun(path) as state:
        hear(state, {f"{n}": TranscriptStats(each, 2.0, 1.0) for n, each in enumerate(given)})

        bands = state.statistics.confidences(1, 50)
        summed = state.statistics.totals(1)

    assert {n: count for n, count in enumerate(bands) if count} == {0: 2, 1: 1, 25: 1, 49: 2}
    assert (summed.written, summed.rated, summed.seconds) == (7, 6, 14.0)


def test_jobs_are_counted_by_their_length(path):
    """The last band has all longer ones, and jobs of earlier runs are in none."""
    took = (0.5, 1.5, 1.6, 2.5, 99.0, None)
    with run_begun(path) as state:
        hear(state, {f"{n}": TranscriptStats(0.9, 2.0, each) for n, each in enumerate(took)})

        assert state.statistics.job_seconds(1, 1.0, 4) == [1, 2, 1, 1]
        assert state.statistics.totals(1)[4:] == (5, 99.0)
        quantiles = state.statistics.job_quantiles(1, 99.0)

    assert quantiles[0.5] == pytest.approx(1.6, abs=0.05)
    assert quantiles[0.99] == 99.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_least_certain_come_first(tmp_path_factory, given):
    """Whatever they are, the worst are the lowest ones in their order."""
    path = tmp_path_factory.mktemp("night") / "state"
    with run_begun(path) as state:
        hear(state, {f"{n}": TranscriptStats(each, 1.0, 1.0) for n, each in enumerate(given)})

        assert [each.confidence for each in state.statistics.worst(1, 5)] == sorted(given)[:5]
        assert sum(state.statistics.confidences(1, 50)) == len(given)


def test_failures_have_examples_of_each_reason(path):
    """One frequent reason does not crowd the others out."""
    with run_begun(path) as state:
        fail(state, {f"a{n}": ("not valid media", "It isn't.") for n in range(9)})
        fail(state, {"z": ("too long", "It is.")})
        end(state, failures=Failures({"not valid media": 9, "too long": 1}))

    assert record_of(path).examples == [
        *(Failure(f"a{n}", "not valid media", "It isn't.") for n in range(3)),
        Failure("z", "too long", "It is."),
    ]


@pytest.mark.parametrize(
    ("seconds", "longest", "said"),
    [
        (0, 30, "0 s"),
        (0.5, 2, "0.5 s"),
        (75, 120, "1:15"),
        (0, 120, "0:00"),
        (5_400, 7_200, "1:30"),
    ],
)
def test_durations_on_an_axis_are_short(seconds, longest, said):
    """They are seconds, minutes with seconds, or hours with minutes, as the longest one needs."""
    assert sentences.on_axis(seconds, longest) == said


def test_facts_of_the_command_s_own_summary_are_read_back(run, cloud):
    """What `run --json` printed is what the page knows of the run."""
    cloud().add(a="one two", b="three")
    printed = json.loads(run("run", "s3://audio/", "--json").out)

    facts = record_of(run.folder / "tasks.jsonl.state").facts

    assert msgspec.to_builtins(facts.counts) == printed["counts"]
    assert facts.calls == printed["calls"]
