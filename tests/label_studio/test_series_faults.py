"""Pushes into several projects that end on the way, or meet what somebody changed meanwhile."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.model import Segment, TaskKind, Transcript
from pipeline.tasks.builder import TaskBuilder
from tests.label_studio_server.outputs import MODEL, add_tasks, add_transcripts, many
from tests.support.in_process import InProcess
from tests.support.small_label_studio import Projects, Request, SmallLabelStudio, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Cli

PUSH = ("push", "--create", "Calls", "--json")
SPLIT = (*PUSH, "--project-size", "200")
_LATEST = 6
DONE, NOT_DONE, LATE = "done", "not done", "late"


class Faulty(Projects):
    """It gives no answer to one call, counted among those of its kind, and refuses all others then.

    `how` says whether the call was done, wasn't, or is done once the next push has asked for tasks
    six times.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kind, self._left, self._how = "", 0, DONE
        self.ended = False
        self._late: list[Request] = []
        self._asked = 0

    def answer(self, request: Request) -> tuple[int, Any]:
        """Status and content of an answer; 0 is none."""
        if self.ended:
            return 403, {"status_code": 403, "detail": "no longer"}
        if self._left and self._kind in ("", request.call):
            self._left -= 1
            self.ended = not self._left
        if self.ended:
            return self._end(request)
        self._asked += request.call == "tasks"
        if self._asked == _LATEST:
            self.arrive()
        return super().answer(request)

    def arrive(self) -> None:
        """Have what is late done now."""
        while self._late:
            super().answer(self._late.pop())

    def _end(self, request: Request) -> tuple[int, Any]:
        if self._how == DONE:
            super().answer(request)
        elif self._how == LATE:
            self._late.append(request)
            self._asked = 0
        return 0, None

    @contextmanager
    def ending(self, how: str, number: int, kind: str = "") -> Iterator[None]:
        """Have it end at a call of a kind, or of any, counted from here."""
        self._kind, self._left, self._how, self.ended = kind, number, how, False
        yield
        self._left, self.ended = 0, False

    @property
    def recordings(self) -> Counter[str]:
        """How many tasks there are of each recording, or of each part of one."""
        there = [each for each in self.all if each.number not in self.deleted]
        return Counter(task["data"]["recording"] for each in there for task in each.tasks)

    @property
    def sizes(self) -> list[int]:
        """How many tasks each project has."""
        return [len(each.tasks) for each in self.all]


@pytest.fixture
def labels(run):
    """A server without projects, which the commands of a test use."""
    labels = Faulty()
    with served(labels, run):
        yield labels


def later(run: Cli | InProcess) -> None:
    """Have what was sent without an answer be of ten minutes ago."""
    ledger = run.folder / "tasks.jsonl.pushed"
    if ledger.exists():
        places = json.loads(ledger.read_bytes())
        for each in places.values():
            each["sent_at"] = max(0.0, each.get("sent_at", 0.0) - 600)
        ledger.write_text(json.dumps(places))


@pytest.mark.parametrize("again", [(), ("--again",)])
def test_a_batch_on_its_way_is_waited_for_before_a_project_is_opened(run, labels, again):
    """Its tasks arrive in the full project, and stand in no second one beside it."""
    add_tasks(run.folder, many(200))
    size = ("--project-size", "250")
    run(*PUSH, *size)
    add_tasks(run.folder, many(50, of="more"))
    with labels.ending(LATE, 1, "import"):
        assert run(*PUSH, *size).code == 2
    add_tasks(run.folder, many(100, of="later"))

    second = run(*PUSH, *size, *again)
    labels.arrive()

    assert second.code == 0
    assert "The answer to a batch of tasks was lost on the way" in second.err
    assert (len(labels.recordings), max(labels.recordings.values())) == (350, 1)
    assert labels.sizes == [250, 100]


@pytest.mark.parametrize("lowered", [True, False])
def test_a_batch_on_its_way_is_waited_for_behind_others(run, labels, lowered):
    """Also where the first tasks that are looked up are all there, or go into a second project."""
    add_tasks(run.folder, many(500))
    with labels.ending(LATE, 2, "import"):
        run(*PUSH)
    size = ("--project-size", "200") if lowered else ()

    second = run(*PUSH, *size, "--again")
    labels.arrive()

    assert second.code == 0
    assert (len(labels.recordings), max(labels.recordings.values())) == (500, 1)
    assert labels.sizes == ([400, 100] if lowered else [500])


def test_no_project_has_more_tasks_than_it_may(run, labels):
    """A recording of several tasks counts as so many, and has all of them in one project."""
    (run.folder / "calls.toml").write_text(
        "[label_studio]\nsegments_per_task = 20\nproject_size = 200\n"
    )
    said = [Segment(f"text {n}", n * 3.0, n * 3.0 + 2.5, confidence=0.8) for n in range(120)]
    long = Transcript("calls", "", tuple(said), 240, 0.8, ("en-US",))
    heard = {f"{name}.mp3": long for name in range(70)}
    add_transcripts(run.folder, heard, TaskBuilder(TaskKind.SEGMENTS, MODEL))
    labels.kind = TaskKind.SEGMENTS

    first = run(*PUSH, "--config", "calls.toml").summary
    again = run(*PUSH, "--config", "calls.toml", "--again").summary

    parts = first["parts"] // 70
    full = 200 // parts * parts
    assert labels.sizes == [full, full, first["parts"] - 2 * full]
    assert (first["sent"], again["sent"], again["there"]) == (70, 0, 70)
    assert max(labels.recordings.values()) == 1


def test_a_recording_with_more_tasks_than_a_project_may_have_is_in_one_alone(run, labels):
    """Its parts stay together."""
    (run.folder / "calls.toml").write_text(
        "[label_studio]\nsegments_per_task = 20\nproject_size = 200\n"
    )
    said = [Segment(f"text {n}", n * 3.0, n * 3.0 + 2.5, confidence=0.8) for n in range(5_000)]
    heard = {
        name: Transcript("calls", "", tuple(said[:count]), count, 0.8, ("en-US",))
        for name, count in [("a.mp3", 5), ("b.mp3", 5_000), ("c.mp3", 5)]
    }
    add_transcripts(run.folder, heard, TaskBuilder(TaskKind.SEGMENTS, MODEL))
    labels.kind = TaskKind.SEGMENTS

    said_of = run(*PUSH, "--config", "calls.toml").summary

    assert labels.sizes == [1, said_of["parts"], 1]


def test_what_another_push_has_opened_meanwhile_is_filled(run, labels):
    """Two pushes at one time make one project behind another, and know what is in it."""
    add_tasks(run.folder, many(250))
    other = run.folder / "other"
    other.mkdir()
    add_tasks(other, many(210))
    answer: Callable[[Request], tuple[int, Any]] = labels.answer

    def meanwhile(request: Request) -> tuple[int, Any]:
        if request.call == "import":
            labels.answer = answer
            answered = answer(request)
            assert run(*SPLIT, "--output", "other/tasks.jsonl").code == 0
            return answered
        return answer(request)

    labels.answer = meanwhile
    said = run(*SPLIT)

    assert said.code == 0
    assert (len(labels.recordings), max(labels.recordings.values())) == (250, 1)
    assert labels.sizes == [200, 50]


def test_who_may_not_change_a_project_may_push_into_it(run, labels):
    """Its title tells which one it is; that its description does not is told."""
    add_tasks(run.folder, many(3))
    run(*PUSH)
    labels.all[0].description = "By Anna."
    answer: Callable[[Request], tuple[int, Any]] = labels.answer

    def refusing(request: Request) -> tuple[int, Any]:
        if (request.method, request.call) == ("PATCH", "project"):
            return 403, {"status_code": 403, "detail": "You do not have permission"}
        return answer(request)

    labels.answer = refusing
    add_tasks(run.folder, many(2, of="more"))

    said = run(*PUSH).summary

    assert (said["sent"], said["there"], labels.sizes) == (2, 3, [5])
    [advice] = [each for each in said["advice"] if "You do not have permission" in each]
    assert "Project 1 of “Calls”: transcribe-pipeline finds it by this line." in advice


@pytest.mark.long
@pytest.mark.parametrize("how", [DONE, NOT_DONE])
@pytest.mark.parametrize("lost", [True, False])
def test_a_push_that_ends_at_any_call_is_completed_by_the_next(tmp_path, monkeypatch, how, lost):
    """Whether the call was done or not, with its ledger or without, no task is doubled or lost."""
    for number in range(1, 100):
        push = InProcess("push", tmp_path / str(number), monkeypatch)
        labels = Faulty()
        add_tasks(push.folder, many(250))
        with served(labels, push):
            with labels.ending(how, number):
                push(*SPLIT[1:])
                ended = labels.ended
            add_tasks(push.folder, many(200, of="later"))
            later(push)
            if lost:
                (push.folder / "tasks.jsonl.pushed").unlink(missing_ok=True)

            assert push(*SPLIT[1:]).code == 0, number

        assert set(labels.recordings.values()) == {1}, number
        assert (len(labels.recordings), labels.sizes) == (450, [200, 200, 50]), number
        if not ended:
            break
    assert number > 20


class Sequence:
    """Pushes of one growing output, and what happens to it and to the projects between them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.push = InProcess("push", folder, monkeypatch)
        self.labels = Faulty()
        self.added = 0
        self._renamed: set[int] = set()

    def do(self, what: str, number: int, how: str, size: int) -> None:
        """Take one step."""
        match what:
            case "add":
                add_tasks(self.push.folder, many(number * 10, of=f"{self.added}"))
                self.added += number * 10
            case "push":
                self.sent(size, *(["--again"] if how == DONE else []))
            case "end":
                with self.labels.ending(how, number):
                    self.sent(size)
                if how == NOT_DONE:
                    later(self.push)
            case "lose":
                self.labels.arrive()
                (self.push.folder / "tasks.jsonl.pushed").unlink(missing_ok=True)
            case "rename" | "describe" if self.labels.all:
                self._change(self.labels.all[number % len(self.labels.all)], what)

    def sent(self, size: int, *more: str) -> int:
        """Push; the exit code."""
        bound = ("--project-size", str(size)) if size else ()
        return self.push(*PUSH[1:], *bound, *more).code

    def _change(self, project: SmallLabelStudio, what: str) -> None:
        if what == "describe" and project.number not in self._renamed:
            project.description = "By Anna."
        elif project.description != "By Anna.":
            project.title = f"Letters {project.number}"
            self._renamed.add(project.number)


@pytest.mark.long
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "add", "push", "end", "lose", "rename", "describe"]),
            st.integers(1, 40),
            st.sampled_from([DONE, NOT_DONE, LATE]),
            st.sampled_from([0, 200, 300]),
        ),
        max_size=10,
    )
)
def test_no_sequence_of_pushes_and_changes_doubles_or_loses_a_task(tmp_path_factory, steps):
    """Ends at any call, lost ledgers, other sizes, other titles, descriptions without the line."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        sequence = Sequence(tmp_path_factory.mktemp("pushes") / "work", monkeypatch)
        with served(sequence.labels, sequence.push):
            for step in [("add", 5, DONE, 0), *steps]:
                sequence.do(*step)
            sequence.labels.arrive()
            later(sequence.push)

            assert sequence.sent(200) == 0

    assert set(sequence.labels.recordings.values()) == {1}
    assert len(sequence.labels.recordings) == sequence.added
