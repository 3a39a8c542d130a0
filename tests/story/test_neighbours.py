"""Other users of the machine, and web pages that it shows, get nothing through a port of ours."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import RECORDINGS, endpoint
from tests.support.signing import KEYS, presigned
from tests.support.sockets import listeners

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Cli

# Everything is loaded before it becomes nobody, who may not read where Python lies.
PROGRAM = """
import json, os, socket, sys
port, requests = int(sys.argv[1]), json.load(sys.stdin)
"".encode("idna")
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
found = []
for request in requests:
    with socket.create_connection(("127.0.0.1", port), 10) as asked:
        asked.sendall(request.encode())
        found.append(asked.makefile("rb").readline().decode()[9:12])
print(json.dumps(found))
"""
GUESSED = KEYS._replace(access_key="local", secret_key="local")


def as_nobody(port: int, requests: list[str]) -> list[str]:
    """The statuses of what another user is answered."""
    command = [sys.executable, "-c", PROGRAM, str(port)]
    asked = subprocess.run(
        command, input=json.dumps(requests), capture_output=True, text=True, timeout=60, check=True
    )
    found: list[str] = json.loads(asked.stdout)
    return found


def attempts(port: int, bucket: str) -> list[str]:
    """Requests that read, list, write, replace, delete, transcribe and look at the counts."""
    url = f"http://127.0.0.1:{port}"
    job = json.dumps(
        {"TranscriptionJobName": "j", "Media": {"MediaFileUri": f"s3://{bucket}/private.wav"}}
    )
    listing = f"/{bucket}?list-type=2"
    calls = [
        ("GET", listing, "", ""),
        ("GET", presigned(url + listing, keys=GUESSED).removeprefix(url), "", ""),
        ("GET", presigned(f"{url}/{bucket}/private.wav", keys=KEYS).removeprefix(url), "", ""),
        ("GET", f"/{bucket}/private.wav", "", ""),
        ("HEAD", f"/{bucket}/private.wav", "", ""),
        ("PUT", f"/{bucket}/.bashrc", "", "evil"),
        ("PUT", f"/{bucket}/private.wav", "Authorization: AWS4-HMAC-SHA256 no\r\n", "evil"),
        ("DELETE", f"/{bucket}/private.wav", "", ""),
        ("GET", "/_local/counts", "", ""),
        ("POST", "/", "X-Amz-Target: Transcribe.ListTranscriptionJobs\r\n", "{}"),
        ("POST", "/", "X-Amz-Target: Transcribe.StartTranscriptionJob\r\n", job),
    ]
    return [
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
        for method, path, headers, body in calls
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for its owner alone, with more to transcribe than a test waits for."""
    made = tmp_path / "calls"
    made.mkdir(mode=0o700)
    (recording,) = list(RECORDINGS.rglob("*.flac"))[:1]
    for n in range(60):
        shutil.copy(recording, made / f"{n}.flac")
    (made / "private.wav").write_text("private words")
    (made / "private.wav").chmod(0o600)
    return made


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_closed(port: int, folder: Path) -> None:
    """Nobody gets anything through a port, and nothing changes in the folder."""
    before = content(folder)
    found = as_nobody(port, attempts(port, folder.name))

    assert [status for status in found if status not in {"400", "403"}] == []
    assert content(folder) == before


def port_of(pid: int) -> int:
    """The port that a process listens at, as soon as it does."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for _, port in listeners(pid):
            return port
        time.sleep(0.05)
    pytest.fail("Nobody listens.")


@contextmanager
def started(run: Cli, *arguments: str | Path) -> Iterator[Any]:
    """A command that is ended whatever a test finds."""
    with run.start(*arguments) as process:
        try:
            yield process
        finally:
            process.terminate()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux lists its sockets")
def test_a_folder_stays_its_owners_while_it_is_transcribed(run, folder):
    """Through the port of `run FOLDER` another user reads, lists and writes nothing."""
    with started(run, "run", folder) as process:
        assert_closed(port_of(process.pid), folder)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux lists its sockets")
def test_a_folder_stays_its_owners_while_it_is_served(run, folder):
    """Neither through that of `serve`, which prints the keys that it made to its owner."""
    with started(run, "serve", folder) as process:
        assert_closed(port_of(process.pid), folder)
        said = [process.stderr.readline() for _ in range(3)]

    assert said[0].startswith("export AWS_ENDPOINT_URL=http://127.0.0.1:")
    assert said[1].startswith("export AWS_ACCESS_KEY_ID=LOCAL")
    assert said[2] == "transcribe-pipeline run s3://calls/\n"


def test_what_serve_prints_opens_it_to_a_run(run, recordings):
    """Pasted into a shell, its lines are all that a run needs."""
    with started(run, "serve", recordings, "--bucket", "calls") as process:
        exports = [process.stderr.readline().removeprefix("export ") for _ in range(2)]
        run.use(**dict(each.split("=", 1) for line in exports for each in line.split()))
        outcome = run("run", "s3://calls/", "--include", "*/none/*", "--json")

    assert outcome.code == 0
    assert outcome.counts["listed"] > 0


def test_serve_with_keys_of_the_environment_prints_none(run, recordings):
    """They are known to who gave them, and a log is no place for them."""
    run.use(**endpoint("") | {"AWS_SECRET_ACCESS_KEY": "Wq3secretsecretsecret+9"})
    with started(run, "serve", recordings, "--keys-from-env") as process:
        said = [process.stderr.readline() for _ in range(2)]

    assert "AWS_ENDPOINT_URL" in said[0]
    assert said[1].startswith("transcribe-pipeline run s3://")


def test_serve_without_the_keys_that_it_is_to_take_is_refused(run, recordings):
    """Keys from an environment that has none are no keys."""
    outcome = run("serve", recordings, "--keys-from-env")

    assert outcome.code == 2
    assert "AWS_SECRET_ACCESS_KEY" in outcome.err


def test_serve_opens_to_the_network_only_when_told_and_warns(run, recordings):
    """Another address than the loopback's is a flag, and what it means is said."""
    with started(run, "serve", recordings, "--host", "0.0.0.0") as process:
        process.stdout.readline()
        warned = process.stderr.readline()

    assert "in plain HTTP" in warned
