"""A command's process takes less than 300 MB, whatever is answered, handed over or sent to it.

Each command is a process of its own, started anew: what is measured is what the operating system
says of it at its end.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from pipeline.net.bounds import LARGEST_ANSWER, MIB
from tests.conftest import COMMAND, clean_environment, endpoint
from tests.hostile.answers import begin, hostility, patience
from tests.hostile.commands import COMMANDS
from tests.hostile.table import CALLS
from tests.hostile.world import RESULTS, SOURCE, World
from tests.support.endless import CHUNK
from tests.support.hostile_answers import Hostile
from tests.support.interceptor import Hostility, can_answer
from tests.support.signing import presigned

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.hostile,
    pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a process's memory in KiB"),
]

MOST = 300.0
"""Megabytes."""

DIAGONAL = [
    ("run", "list recordings", Hostile.DENIED),
    ("run", "start job", Hostile.KEY),
    ("run", "fetch transcript", Hostile.GONE),
    ("run", "list recordings", Hostile.REGION),
    ("run", "list recordings", Hostile.MISSIGNED),
    ("plan --exact", "read recording", Hostile.PAGE),
    ("run", "list jobs", Hostile.FOUND),
    ("pull", "export", Hostile.MOVED),
    ("pull", "tasks", Hostile.CUT),
    ("run", "fetch transcript", Hostile.ENDLESS),
    ("check", "rights", Hostile.DRIPPING),
    ("push", "import", Hostile.THROTTLED),
    ("vocabulary apply", "get vocabulary", Hostile.SKEWED),
    ("pull", "project", Hostile.EXPIRED),
]
HUGE = [
    (command, kind)
    for command, kinds in CALLS.items()
    if command not in ("run, resumed", "retry, then run")
    for kind in kinds
    if can_answer(kind, Hostile.HUGE)
]


@pytest.fixture
def world(tmp_path, request):
    """An account with recordings and an empty folder to work in."""
    command = getattr(request.node, "callspec", None) and request.node.callspec.params.get(
        "command"
    )
    emulated = command and COMMANDS[command].emulated
    made = World(tmp_path, request.getfixturevalue("ministack") if emulated else "")
    yield made
    shutil.rmtree(tmp_path, ignore_errors=True)


def measured(world, command, hostile, **environment):
    """The most memory of a command that is answered so."""
    given = COMMANDS[command]
    with world.served():
        begin(world, given)
        world.interceptor.intercept(hostile)
        outcome, peak = world.peak(*given.arguments, **environment)
        assert world.interceptor.hits
    assert "Traceback" not in outcome.err
    return peak


def test_every_kind_of_answer_is_measured():
    """An answer that is new is measured too."""
    assert {answer for *_, answer in DIAGONAL} | {Hostile.HUGE} == set(Hostile)


@pytest.mark.parametrize(("command", "kind", "answer"), DIAGONAL)
def test_every_kind_of_answer_is_read_within_the_bound(world, command, kind, answer):
    """Refused, redirected, cut short, endless or late: none of it fills the memory."""
    peak = measured(world, command, hostility(kind, answer), **patience(answer))

    assert peak < MOST


@pytest.mark.parametrize(("command", "kind"), HUGE)
@pytest.mark.parametrize("zipped", [False, True])
def test_an_answer_without_end_is_read_within_the_bound(world, command, kind, zipped):
    """Each call's answer is bounded by its bytes as they are in memory, not as they are sent."""
    hostile = Hostility(kind, Hostile.HUGE, zipped=zipped)
    peak = measured(world, command, hostile, **patience(Hostile.HUGE))

    assert peak < MOST


def words(count, length):
    """A transcript's items, one after the other and a second apart, and their text."""
    word = "w" * length
    alternatives = [{"confidence": "0.9", "content": word}]
    items = [
        {"type": "pronunciation", "alternatives": alternatives, "start_time": str(n)}
        | {"end_time": f"{n}.4"}
        for n in range(0, 3 * count, 3)
    ]
    return {"transcripts": [{"transcript": " ".join([word] * count)}], "items": items}


def empty(name):
    """As many empty things of one kind as fit into an answer."""
    return {"transcripts": [], name: [{}] * 990_000}


LARGE = {
    "of a long text": ("transcript", partial(words, 1000, 24_000)),
    "of many words": ("transcript", partial(words, 120_000, 100)),
    "of the most segments": ("segments", partial(words, 40_000, 450)),
    "of more segments than there are": ("segments", partial(words, 199_000, 20)),
    "of more words than there are": ("segments", partial(words, 300_000, 20)),
    "of empty segments": ("segments", partial(empty, "audio_segments")),
    "of empty toxicity": ("segments", partial(empty, "toxicity_detection")),
}


@pytest.mark.parametrize("large", LARGE)
def test_the_largest_transcripts_at_once_are_held_within_the_bound(world, large):
    """Twelve collectors, each with as large a transcript as there may be, share one bound."""
    kind, results = LARGE[large]
    document = json.dumps({"jobName": "", "results": results()}, separators=(",", ":")).encode()
    assert len(document) < LARGEST_ANSWER
    padded = document.ljust(LARGEST_ANSWER - 1000)

    def enlarged(asked, body):
        if asked != "read transcript":
            return body
        name = json.loads(body)["jobName"].encode()
        return padded.replace(b'"jobName":""', b'"jobName":"' + name + b'"', 1)

    for n in range(9):
        world.put(f"calls/more-{n}.wav", n)
    with world.served():
        world.interceptor.enlarged = enlarged
        outcome, peak = world.peak("run", SOURCE, *RESULTS, "--task", kind)

    assert outcome.code in (0, 1), outcome.err
    assert "12 listed" in outcome.err
    assert peak < MOST


@pytest.mark.parametrize("name", ["list.txt", "list.csv", "list.jsonl", "list.txt.gz"])
@pytest.mark.parametrize("byte", [b"a", b"{", b'"'])
def test_a_line_without_end_is_read_within_the_bound(world, name, byte):
    """A manifest of one line is refused, or its line is, before it fills the memory."""
    path = world.folder / name
    with gzip.open(path, "wb", 1) if name.endswith("gz") else path.open("wb") as file:
        for _ in range(400):
            file.write(byte * 2**20)
    with world.served():
        outcome, peak = world.peak("run", SOURCE, "--manifest", name)

    assert outcome.code in (0, 2), outcome.err
    assert "Traceback" not in outcome.err
    assert peak < MOST


def test_a_settings_file_without_end_is_not_read(world):
    """Settings are a few kilobytes."""
    with (world.folder / "night.toml").open("wb") as file:
        file.truncate(2**31)
    with world.served():
        outcome, peak = world.peak("run", SOURCE, "--config", "night.toml")

    assert outcome.code == 2
    assert "night.toml is larger than 1 MiB" in outcome.err
    assert peak < MOST


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_what_is_sent_to_the_endpoint_is_not_held(world, method):
    """`serve` writes an object to the disk as it comes, and takes no call of such a size."""
    (world.folder / "bucket").mkdir()
    command = (COMMAND, "serve", "bucket", "--bucket", "audio", "--port", "0", "--keys-from-env")
    environment = clean_environment(**endpoint(""))
    size = 400 * MIB
    with subprocess.Popen(
        command, cwd=world.folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        url = process.stdout.readline().split()[-1]
        path = f"{url}/audio/large.wav" if method == "PUT" else f"{url}/"
        body = (CHUNK for _ in range(size // len(CHUNK)))
        sent = Request(presigned(path, method), body, {"Content-Length": str(size)}, method=method)
        with suppress(OSError):  # it is told before the end that this is no call
            urlopen(sent).close()
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.terminate()

    written = world.folder / "bucket" / "large.wav"
    assert (written.stat().st_size if written.exists() else 0) == (size if method == "PUT" else 0)
    kib = int(next(each.split()[1] for each in status.splitlines() if "VmHWM" in each))
    assert kib * 1024 / 1e6 < MOST
