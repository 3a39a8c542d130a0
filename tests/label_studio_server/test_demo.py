"""The demo with a reviewer's screen, as `make demo-review` starts it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from tests.conftest import ROOT, clean_environment
from tests.label_studio_server.server import LabelStudio

pytestmark = pytest.mark.timeout(300)
RECORDINGS_OF_DEMO, MOST_OF_AN_ERROR = 16, 5000


def test_the_demo_is_there_to_hear_and_correct(tmp_path):
    """Every recording is a task of segments whose sound the server plays; Ctrl-C ends all of it."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "tools.demo_review", tmp_path],
        cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert demo.stdout is not None
        url = next(
            re.findall(r"at (http://\S+)", line)[0] for line in demo.stdout if "Review" in line
        )
        server = LabelStudio(tmp_path / "label-studio", port=int(url.rpartition(":")[2]))
        tasks = server.call("GET", "tasks", project=1, fields="all")["tasks"]
        sounds = [sound(server, task["data"]["audio"]) for task in tasks]
    finally:
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=60)

    assert len(tasks) == RECORDINGS_OF_DEMO
    assert all("speakers" in task["data"] for task in tasks)
    assert all(len(each) > MOST_OF_AN_ERROR for each in sounds)
    with pytest.raises(OSError, match="refused"):
        server.call("GET", "projects/")


def sound(server: LabelStudio, audio: str) -> bytes:
    """What the player is given for a task's audio, an address below the server's."""
    request = urllib.request.Request(
        server.url + audio, headers={"Authorization": f"Token {server.token}"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        content: bytes = answer.read()
    return content
