"""How long runs that share one account take together, beside the best schedule for one run.

Each run is the real command in a process of its own, on both cores; the local endpoint keeps the
account. Shards of one output on S3 hear of each other, other runs do not. The makespan is from the
first start to the last end of a job, as the account saw them.
"""

from __future__ import annotations

import random
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import botocore.session

from benchmarks.figures import Figure
from benchmarks.schedule import list_schedule
from pipeline.local import Quotas
from tests.conftest import COMMAND, ScriptedCloud, clean_environment, end, endpoint, start_cloud
from tests.support.signing import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from botocore.client import BaseClient

_ON_S3 = ("--output", "s3://audio/tasks/")
_RESULTS = ("--results", "s3://audio/results/", "--quiet")


class Together(NamedTuple):
    """So many runs, the last of which begins `apart` seconds after the first.

    `believed` is the quota that shards are told; runs that do not hear of each other find it.
    `goal` is for the makespan, `refused` for the percentage of starts that find no free slot.
    """

    what: str
    runs: int
    goal: float
    believed: int = 0
    refused: float = 0
    apart: float = 0


@dataclass(frozen=True)
class Size:
    """An account, how many recordings it has, and the runs that share it."""

    slots: int
    count: int
    trials: Sequence[Together]
    seconds: tuple[float, float] = (2.0, 6.0)

    @property
    def quotas(self) -> Quotas:
        """The account's limits."""
        return Quotas(slots=self.slots, start=100, list=20)


_AT_ONCE = (
    Together("eight shards", runs=8, goal=1.12, believed=48, refused=3),
    Together("eight shards that believe in 144 slots", runs=8, goal=1.25, believed=144, refused=5),
    Together("two runs", runs=2, goal=1.15),
    Together("four runs", runs=4, goal=1.25),
)
_APART = [each._replace(apart=5) for each in _AT_ONCE]
FULL = Size(slots=48, count=960, trials=(*_AT_ONCE, *_APART))
TOY = Size(4, 8, [Together("two shards", 2, 1.12, 4, 3)], seconds=(0.2, 0.4))


def measure(size: Size) -> Iterator[Figure]:
    """The makespan of each trial, and how many of its starts were refused."""
    for trial in size.trials:
        yield from _figures(size, trial)


def _figures(size: Size, trial: Together) -> Iterator[Figure]:
    chance = random.Random(7)  # noqa: S311 # seconds, no secrets
    seconds = [round(chance.uniform(*size.seconds), 2) for _ in range(size.count)]
    rates = ("--start-rate", f"{size.quotas.start:g}", "--list-rate", f"{size.quotas.list:g}")
    with TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        process, cloud = start_cloud(folder / "audio", "--slots", str(size.slots), *rates)
        try:
            for number, each in enumerate(seconds):
                cloud.put(f"calls/{number % trial.runs}/{number:04}.mp3", f"@{each} word")
            _run(folder, cloud, trial)
            took, refused = _makespan(cloud.url), _refused(cloud.counts())
        finally:
            end(process)
    begins = f", the last {trial.apart:g} s after the first" if trial.apart else ""
    what = f"{trial.what} on {size.slots} slots{begins}"
    ratio = took / list_schedule(seconds, size.quotas)
    more = f"{took:.1f} s for {size.count}; {refused:.1f} % of the starts refused"
    yield Figure(f"makespan ÷ best schedule of one run ({what})", ratio, "×", trial.goal, more=more)
    if trial.refused:
        yield Figure(f"starts without a free slot ({what})", refused, "%", trial.refused)


def _run(folder: Path, cloud: ScriptedCloud, trial: Together) -> None:
    """Begin the runs, and wait for all of them."""
    settings = folder / "settings.toml"
    settings.write_text("[limits]\nlist_rate = 20.0\nstart_rate = 100.0\n", encoding="utf-8")
    begun = []
    for number in range(trial.runs):
        place = folder / f"machine-{number}"
        place.mkdir()
        command = [COMMAND, "run", *_what_of(trial, number), *_RESULTS, "--config", str(settings)]
        environment = clean_environment(**endpoint(cloud.url))
        begun.append(subprocess.Popen(command, cwd=place, env=environment))
        time.sleep(trial.apart / max(1, trial.runs - 1))
    if codes := [each.returncode for each in begun if each.wait()]:
        raise RuntimeError(f"Runs of {trial.what} ended with {codes}.")


def _what_of(trial: Together, number: int) -> tuple[str, ...]:
    if not trial.believed:
        return (f"s3://audio/calls/{number}/",)
    shard = ("--shards", str(trial.runs), "--shard", str(number))
    return ("s3://audio/calls/", *_ON_S3, *shard, "--max-in-flight", str(trial.believed))


def _refused(counts: dict[str, Any]) -> float:
    """The percentage of starts that found no free slot."""
    refused = counts["refused"].get("LimitExceededException", 0)
    return float(100 * refused / counts["calls"]["StartTranscriptionJob"])


def _makespan(url: str) -> float:
    """Seconds from the first start to the last end of all jobs."""
    session = botocore.session.get_session()
    session.set_credentials(KEYS.access_key, KEYS.secret_key)
    client: BaseClient = session.create_client("transcribe", "us-east-1", endpoint_url=url)
    jobs: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while not jobs or token:
        page = client.list_transcription_jobs(Status="COMPLETED", MaxResults=100, **token)
        jobs += page["TranscriptionJobSummaries"]
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
    last = max(job["CompletionTime"] for job in jobs)
    first = min(job["CreationTime"] for job in jobs)
    return float((last - first).total_seconds())
