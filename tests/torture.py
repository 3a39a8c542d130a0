"""The long forms of the crash and quota tests; prints the figures of docs/torture.md.

    python -m tests.torture

Four bad runs over 2,000 recordings, each with the real command and the real wire: it is killed
a hundred times under faults; its state file is deleted half way; the account is smaller than its
flags say; rights and credentials are taken away and given back while it runs. It ends with 1 when a
promise was broken.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from pipeline.local import Faults
from tests.conftest import Cli, ScriptedCloud, end, endpoint, start_cloud
from tests.support.between import Answer, Asked, between, is_transcript, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RECORDINGS = 2000
CYCLES = 100
SEED = 20
FAULTS = dict.fromkeys(
    (
        "throttle",
        "server_error",
        "cut",
        "slow",
        "truncate",
        "lost_start",
        "expired_url",
        "stale_listing",
        "duplicate_entry",
        "missing_entry",
        "internal_failure",
        "failed_job",
    ),
    0.05,
)
SLOW_SECONDS = 0.3
RESULTS = ("--results", "s3://audio/t/")
SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
STATE_FILES = ("tasks.jsonl.state", "tasks.jsonl.state-wal", "tasks.jsonl.state-shm")
MOST_REFUSED = 3.0
MOST_RUNS = 400


@dataclass
class FaultyRun:
    """One bad run: where it takes place, and what the service was made to do."""

    run: Cli
    cloud: ScriptedCloud
    faults: Faults
    said: dict[str, str] = field(default_factory=dict)

    def fill(self, count: int) -> None:
        """Put recordings into the bucket; every fortieth can't be transcribed."""
        for number in range(count):
            bad = number % 40 == 7
            text = "!Unsupported media format" if bad else f"number {number}"
            self.cloud.put(f"d{number % 20}/rec {number}.mp3", text)
            self.said[f"s3://audio/d{number % 20}/rec {number}.mp3"] = text

    def deserved(self, job: str) -> bool:
        """Whether a job that was created ends without a transcript for a reason of its own."""
        return self.faults.hits("internal_failure", job) or self.faults.hits("failed_job", job)

    def failures(self) -> list[dict[str, Any]]:
        """The lines of the failures file."""
        path = self.run.folder / "tasks.failures.jsonl"
        return [json.loads(line) for line in path.read_bytes().splitlines()]

    def figures(self) -> dict[str, object]:
        """What became of every recording, and what it cost."""
        lines = Counter(task["data"]["audio"] for task in self.run.tasks())
        texts, failed = self.run.texts(), Counter(each["uri"] for each in self.failures())
        created = self.cloud.counts()["created"]
        return {
            "recordings": len(self.said),
            "written": sum(lines.values()),
            "failed, each for a reason of its own": sum(failed.values()),
            "lines doubled": lines.total() - len(lines) + failed.total() - len(failed),
            "lines lost": len(set(self.said) - set(lines) - set(failed)),
            "lines of another recording": sum(self.said.get(u) != t for u, t in texts.items()),
            "failed without a reason": self._undeserved(),
            "jobs started twice": sum(count > 1 for count in created.values()),
            "transcripts paid twice": len(list(self._paid_twice(created))),
        }

    def _undeserved(self) -> int:
        undeserved = [
            each
            for each in self.failures()
            if not (self.said[each["uri"]].startswith("!") or self.deserved(each["job"]))
        ]
        for each in undeserved[:5]:
            sys.stderr.write(f"failed without a reason: {each}\n")
        return len(undeserved)

    def _paid_twice(self, created: dict[str, int]) -> Iterator[str]:
        """Jobs under a new name although the one before was no fault of the service."""
        for name in created:
            stem, dash, attempt = name.rpartition("-")
            if dash and len(attempt) == 1:
                before = stem if attempt == "2" else f"{stem}-{int(attempt) - 1}"
                if not self.faults.hits("internal_failure", before):
                    yield name


@contextmanager
def faulty_run(*options: str, **faults: float) -> Iterator[FaultyRun]:
    """A scripted cloud with these options and faults, and the command pointed at it."""
    words = [word for name, rate in faults.items() for word in ("--fault", f"{name}={rate}")]
    with tempfile.TemporaryDirectory(prefix="torture-") as name:
        work = Path(name) / "work"
        work.mkdir()
        process, cloud = start_cloud(Path(name) / "audio", *options, *words)
        run = Cli(work)
        run.use(**endpoint(cloud.url))
        try:
            yield FaultyRun(run, cloud, Faults(seed=1, **faults))
        finally:
            end(process)


def killed_again_and_again() -> dict[str, object]:
    """A hundred runs are killed or interrupted at random moments; the next complete it."""
    options = ("--slots", "100", "--seconds", "1")
    moments = random.Random(SEED)
    with faulty_run(*options, **FAULTS, slow_seconds=SLOW_SECONDS) as bad:
        bad.fill(RECORDINGS)
        half_done, longest_stop = 0, 0.0
        for _ in range(CYCLES):
            with bad.run.start("run", "s3://audio/", *RESULTS, "--start-rate", "25") as process:
                try:
                    process.wait(moments.uniform(0.5, 3.5))
                except subprocess.TimeoutExpired:  # it still runs, as it should
                    half_done += 1
                    process.send_signal(moments.choice(SIGNALS))
                told = time.monotonic()
                process.communicate(timeout=120)
                longest_stop = max(longest_stop, time.monotonic() - told)
        with bad.run.start("run", "s3://audio/", *RESULTS) as process:
            process.communicate(timeout=900)
        code = process.returncode
        return {
            "cycles": CYCLES,
            "stopped in the middle": half_done,
            "longest time to stop": f"{longest_stop:.1f} s",
            "exit": code,
            **bad.figures(),
        }


def without_its_state_file() -> dict[str, object]:
    """The state file is deleted half way; the next run writes everything and pays nothing twice."""
    with faulty_run("--slots", "250", "--seconds", "1") as bad:
        bad.fill(RECORDINGS)
        options = (*RESULTS, "--start-rate", "100")
        with bad.run.start("run", "s3://audio/", *options) as process:
            while len(bad.cloud.counts()["created"]) < RECORDINGS / 2:
                time.sleep(0.05)
            process.kill()
        for name in STATE_FILES:
            (bad.run.folder / name).unlink(missing_ok=True)
        before = bad.cloud.counts()
        finished = len(list((bad.cloud.folder / "t").glob("*.json")))
        code = bad.run("run", "s3://audio/", *options, "--rebuild-output").code
        after = bad.cloud.counts()
        begun = "StartTranscriptionJob"
        asked = after["calls"][begun] - before["calls"][begun]
        return {
            "jobs when the state file was deleted": len(before["created"]),
            "Start calls for finished ones": max(0, asked - (RECORDINGS - finished)),
            "exit": code,
            **bad.figures(),
        }


def in_a_smaller_account() -> dict[str, object]:
    """40 slots and 5 starts a second, while the flags say 250 and 25."""
    count, settling = 1000, 30.0
    options = ("--slots", "40", "--start-rate", "5", "--rate", "30", "--list-rate", "5")
    with faulty_run(*options, "--seconds", "10") as bad:
        bad.fill(count)
        with bad.run.start("run", "s3://audio/", *RESULTS, "--json") as process:
            time.sleep(settling)
            early = bad.cloud.counts()
            out, _ = process.communicate(timeout=600)
        late = bad.cloud.counts()
        summary = json.loads(out)
        best = max(count / 5 + 10, count * 10 / 40)
        return {
            "exit": process.returncode,
            "slots found": summary["limits"]["slots_found"],
            "refused calls, all": f"{_refused(late):.2f} %",
            "refused calls, after half a minute": f"{_refused(late, early):.2f} %",
            "time by the best schedule": f"{summary['seconds'] / best:.3f}",
            "limit named": max(summary["waits"], key=summary["waits"].get),
            **bad.figures(),
        }


# Each is what AWS answers: which calls are refused, with which code, words and HTTP status.
REFUSALS: dict[str, tuple[Callable[[Asked], bool], str, str, int]] = {
    "read of transcripts, by a policy": (is_transcript, "AccessDenied", "Access Denied", 403),
    "read of transcripts, by a key": (
        is_transcript,
        "AccessDenied",
        "User: bob is not authorized to perform: kms:Decrypt on this resource",
        403,
    ),
    "read of recordings": (
        lambda asked: asked.operation == "StartTranscriptionJob",
        "BadRequestException",
        (
            "The S3 URI that you provided can't be accessed. Make sure that you have read "
            "permission and try your request again."
        ),
        400,
    ),
    "every call of S3": (lambda asked: not asked.operation, "AccessDenied", "Access Denied", 403),
    "every call of Transcribe": (
        lambda asked: bool(asked.operation),
        "AccessDeniedException",
        "User: bob is not authorized to perform this action",
        400,
    ),
    "every call, as the token expired": (
        lambda _: True,
        "ExpiredToken",
        "The security token included in the request is expired",
        400,
    ),
}


def with_rights_that_come_and_go() -> dict[str, object]:
    """Every second or two something is refused for a second; each run that ends is begun again."""
    moments, refused_now = random.Random(SEED), [""]
    stops: Counter[int] = Counter()

    def reply(asked: Asked) -> Answer:
        if now := refused_now[0]:
            concerns, code, words, status = REFUSALS[now]
            if concerns(asked):
                return refusal(asked, code, words, status)
        return asked.forward()

    def come_and_go(over: Event) -> None:
        while not over.wait(moments.uniform(0.5, 2)):
            refused_now[0] = moments.choice(list(REFUSALS))
            over.wait(moments.uniform(0.3, 1.5))
            refused_now[0] = ""

    with faulty_run("--slots", "100", "--seconds", "1") as bad:
        bad.fill(RECORDINGS)
        over = Event()
        with between(bad.cloud, reply) as url:
            bad.run.use(**endpoint(url))
            Thread(target=come_and_go, args=[over], daemon=True).start()
            for _ in range(MOST_RUNS):
                stops[bad.run("run", "s3://audio/", *RESULTS).code] += 1
                if not stops.keys() <= {2}:
                    break
            over.set()
        return {
            "runs stopped by a refusal": stops[2],
            "exit": next((code for code in stops if code != 2), 2),
            **bad.figures(),
        }


def _refused(late: dict[str, Any], early: dict[str, Any] | None = None) -> float:
    """Per cent of the calls that were refused for the account's limits."""
    early = early or {"refused": {}, "calls": {}}
    codes = ("ThrottlingException", "LimitExceededException", "SlowDown")
    refused = sum(late["refused"].get(code, 0) - early["refused"].get(code, 0) for code in codes)
    calls = sum(late["calls"].values()) - sum(early["calls"].values())
    return float(100 * refused / calls)


NIGHTS = {
    "killed and interrupted under faults": killed_again_and_again,
    "state file deleted half way": without_its_state_file,
    "40 slots, 5 starts/s, unknown": in_a_smaller_account,
    "rights that come and go": with_rights_that_come_and_go,
}
NEVER = (
    "lines doubled",
    "lines lost",
    "lines of another recording",
    "failed without a reason",
    "jobs started twice",
    "transcripts paid twice",
    "Start calls for finished ones",
)


def table(runs: dict[str, dict[str, object]]) -> Iterator[str]:
    """The figures as Markdown, a column a run."""
    yield "| | " + " | ".join(runs) + " |"
    yield "|---" * (len(runs) + 1) + "|"
    names = dict.fromkeys(name for figures in runs.values() for name in figures)
    for name in names:
        yield f"| {name} | " + " | ".join(_cell(each.get(name)) for each in runs.values()) + " |"


def _cell(value: object) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def broken(runs: dict[str, dict[str, object]]) -> Iterator[str]:
    """The promises that were not kept."""
    for run_name, figures in runs.items():
        yield from (f"{run_name}: {name}" for name in NEVER if figures.get(name))
        if figures["exit"] != 1:
            yield f"{run_name}: exit code {figures['exit']}"
        steady = str(figures.get("refused calls, after half a minute", "0")).partition(" ")[0]
        if float(steady) >= MOST_REFUSED:
            yield f"{run_name}: refused calls"


def main() -> None:
    """Live through every run, or those whose numbers (1 to 4) were named."""
    chosen = [int(word) - 1 for word in sys.argv[1:]] or range(len(NIGHTS))
    runs = {}
    for position in chosen:
        name, live = list(NIGHTS.items())[position]
        begun = time.monotonic()
        runs[name] = live() | {"seconds": round(time.monotonic() - begun)}
        sys.stderr.write(f"{name}: {runs[name]}\n")
    sys.stdout.write("\n".join(table(runs)) + "\n")
    if complaints := list(broken(runs)):
        sys.exit("Broken: " + "; ".join(complaints))


if __name__ == "__main__":
    main()
