"""`pull` where there is no Label Studio to answer; tests/label_studio has the real one."""

from __future__ import annotations

import signal
import socket

import pytest

from pipeline.label_studio.pull import _earlier


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
