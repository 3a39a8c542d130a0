"""`pull` where there is no Label Studio to answer; tests/label_studio has the real one."""

from __future__ import annotations

import json
import signal
import socket

import pytest

from pipeline.errors import CannotRun
from pipeline.label_studio.client import connected
from pipeline.label_studio.pull import PullOptions, _earlier, pull
from pipeline.terminal import style_for
from tests.support.between import between
from tests.support.review_server import ReviewServer, reviewed


@pytest.mark.parametrize(
    ("moment", "earlier"),
    [
        ("2026-11-23T12:18:19.576476Z", "2026-11-23T12:08:19.576476Z"),
        ("2026-11-23T00:05:00Z", "2026-11-22T23:55:00.000000Z"),
        ("2026-11-23T12:18:19.5+02:00", "2026-11-23T10:08:19.500000Z"),
        ("", ""),
        ("yesterday", ""),
    ],
)
def test_what_was_saved_a_little_earlier_is_asked_for_again(moment, earlier):
    """Ten minutes earlier, in UTC and in the one form that the server takes; else everything."""
    assert _earlier(moment) == earlier


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        ([], {}, "Which project?"),
        (["--project", "1"], {}, "Which Label Studio?"),
        (["--project", "1", "--url", "http://x"], {}, "There is no token"),
        (["--project", "1"], {"LABEL_STUDIO_URL": "http://x/projects/7"}, "--project 7"),
    ],
)
def test_what_is_missing_is_said(run, arguments, environment, said):
    """Without project, address or token nothing is asked, and one sentence says what is missing."""
    run.use(**environment)

    outcome = run("pull", *arguments)

    assert outcome.code == 2
    assert said in outcome.err
    assert "Traceback" not in outcome.err
    assert list(run.folder.iterdir()) == []


def test_an_interrupted_pull_changes_nothing(run):
    """Ctrl-C ends with 130 while the server is silent, and the ground truth stays as it was."""
    truth = run.folder / "ground_truth.jsonl"
    truth.write_bytes(b"")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        run.use(LABEL_STUDIO_API_KEY="0" * 40)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with run.start("pull", "--project", "1", "--url", url) as process:
            connection, _ = silent.accept()
            with connection:
                connection.recv(1)
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "interrupted, and nothing was changed" in err
    assert truth.read_bytes() == b""


@pytest.fixture
def pulled(run):
    """A server with three reviews, the ground truth that was pulled from it, and the command."""
    run.use(LABEL_STUDIO_API_KEY="0" * 40)
    server = ReviewServer({number: reviewed(number) for number in (1, 2, 3)}, counted=3)
    with between(None, server) as url:

        def command(*more: str):
            return run("pull", "--url", url, "--project", "1", *more)

        assert command().code == 0
        yield server, run.folder / "ground_truth.jsonl", command


def test_an_annotation_that_was_deleted_is_removed(pulled):
    """The server says that a task has none left, or gives out as many as it counts."""
    server, truth, command = pulled
    server.tasks[2]["annotations"] = []
    server.counted = 2
    assert command().code == 0
    del server.tasks[3]
    server.counted = 1

    assert command().code == 0
    assert [json.loads(line)["task_id"] for line in truth.read_bytes().splitlines()] == [1]


@pytest.mark.parametrize(
    ("text", "predicted", "words", "told"),
    [
        ("", "hello there", None, True),
        ("", None, 3, True),
        (" ", None, 3, True),
        ("", "", 0, False),
        ("", None, None, False),
        ("hello", None, 3, False),
    ],
)
def test_an_empty_review_of_a_recording_with_speech_is_told(pulled, text, predicted, words, told):
    """Submit in an editor that opened empty is a review without a word: it is named, and kept."""
    server, truth, command = pulled
    [annotation] = server.tasks[2]["annotations"]
    about = {"from_name": "transcription", "type": "textarea"}
    annotation["result"] = [about | {"value": {"text": [text]}}]
    annotation["updated_at"] = "2026-11-24T12:00:00Z"
    if predicted is not None:
        annotation["prediction"] = {"result": [about | {"value": {"text": [predicted]}}]}
    server.tasks[2]["data"]["word_count"] = words

    outcome = command()

    assert outcome.code == 0
    assert ("1 of project 1's tasks has an empty review" in outcome.err) == told
    assert ("(2). Open each there" in outcome.err) == told
    assert len(truth.read_bytes().splitlines()) == 3


FAULTS = [
    {"listed": {"tasks": [], "total": 0}, "counted": 600},
    {"listed": {"tasks": [], "total": 3}},
    {"exported": []},
    {"exported": [reviewed(1) | {"annotations": []}, reviewed(2), reviewed(3)]},
    {"exported": [{"id": 1}, reviewed(2), reviewed(3)]},
    {"exported": [{}]},
    {"exported": [{"id": [1]}]},
    {"exported": [reviewed(4)]},
    {"listed": {"tasks": [{"id": 1}], "total": 1}},
    {"listed": {"tasks": [{"id": 1, "total_annotations": 1}]}},
    {"listed": []},
    {"counted": None, "tasks": {}},
]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("whole", [False, True])
async def test_what_an_answer_leaves_out_is_not_gone(tmp_path, fault, whole):
    """Omission is no deletion: what is known stays, and that is told."""
    server = ReviewServer({number: reviewed(number) for number in (1, 2, 3)}, counted=3)
    options = PullOptions(1, tmp_path / "truth.jsonl", whole, style_for(quiet=True))
    with between(None, server) as url:
        async with connected(url, "0" * 40) as client:
            await pull(client, options)
            before = options.path.read_bytes()
            for name, value in fault.items():
                setattr(server, name, value)

            try:
                told = (await pull(client, options)).doubt
            except CannotRun as error:
                told = str(error)

    assert told
    assert before.count(b"\n") == 3
    assert options.path.read_bytes() == before


def test_annotations_that_are_counted_and_not_given_out_are_told(pulled):
    """Where nothing at all could be read the command says what stays and why, and ends with 2."""
    server, truth, command = pulled
    before = truth.read_bytes()
    server.listed, server.counted = {"tasks": [], "total": 0}, 600

    outcome = command("--json")

    assert outcome.code == 2
    assert json.loads(outcome.out)["removed"] == 0
    assert "it counts 600 annotations and gives out 0. What ground_truth.jsonl has" in outcome.err
    assert truth.read_bytes() == before


@pytest.mark.parametrize("more", [(), ("--all",)])
def test_counts_that_never_match_hold_back_removals_alone(pulled, more):
    """What came is written, the two counts are told, and that is no failure of the pull."""
    server, truth, command = pulled
    server.tasks[1]["annotations"][0]["result"][0]["value"]["text"] = ["corrected"]
    del server.tasks[3]
    server.counted = 5

    outcome = command("--json", *more)

    assert outcome.code == 0
    assert "as it counts 5 annotations and gives out 2." in outcome.err
    changes = json.loads(outcome.out)
    assert (changes["replaced"], changes["removed"], changes["total"]) == (1, 0, 3)
    texts = [json.loads(line)["text"] for line in truth.read_bytes().splitlines()]
    assert texts == ["corrected", "text 2", "text 3"]


def test_a_server_that_ignores_the_filter_is_not_asked_for_ever(pulled):
    """The same page again is no next page: the pull ends, and the ground truth is as it was."""
    server, truth, command = pulled
    before, server.calls = truth.read_bytes(), 0
    rows = [{"id": number, "total_annotations": 1} for number in (1, 2, 3)]
    server.listed = {"tasks": rows, "total": 3}

    outcome = command("--all")

    assert outcome.code == 2
    assert "can't be trusted: after task 3 it gives out others" in outcome.err
    assert server.calls < 10
    assert truth.read_bytes() == before


def test_what_was_skipped_is_told_at_every_pull(pulled, run):
    """Skipped tasks are no part of the ground truth: their numbers are said, also to a program."""
    server, _, pull_again = pulled
    server.skipped = (7, 9)

    outcome = pull_again()

    assert outcome.code == 0
    assert "2 of project 1's tasks were skipped, and nobody has reviewed them (7, 9)" in outcome.err
    assert pull_again("--json").summary["skipped"] == [7, 9]


def test_all_that_was_skipped_is_counted(pulled):
    """The server gives out a thousand a page, and says how many there are."""
    server, _, pull_again = pulled
    server.skipped = tuple(range(1, 1_202))

    assert "1,201 of project 1's tasks were skipped" in pull_again().err
    summary = pull_again("--json").summary
    assert summary["skipped_total"] == 1_201
    assert len(summary["skipped"]) == 1_000
