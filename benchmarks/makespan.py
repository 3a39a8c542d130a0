"""How long a bucket takes, beside the best schedule under the account's quotas.

The pipeline, the thread-pool script and the tutorial's script each have a cloud of their own and
run at the same time: all of them wait, together they take a third of a core.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.bucket import Bucket
from benchmarks.figures import Figure
from benchmarks.processes import cloud
from benchmarks.schedule import list_schedule, lower_bound
from pipeline.local import Quotas

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence

    from benchmarks.processes import Place

_LOOK = 0.5


@dataclass(frozen=True)
class Size:
    """An account, its jobs, and how many there are.

    `goal` is for the makespan and `calls` for the calls per recording, 0 where there is none.
    `sample` is how many recordings the tutorial's script gets, which would take hours for all.
    """

    slots: int
    seconds: tuple[float, float]
    count: int
    goal: float
    calls: float = 0
    sample: int = 0

    def __str__(self) -> str:
        low, high = self.seconds
        return f"{self.slots} slots, 25 starts/s, jobs of {low:g}-{high:g} s"

    @property
    def quotas(self) -> Quotas:
        """The service's default rates, and these slots."""
        return Quotas(slots=self.slots)

    @property
    def jobs(self) -> list[float]:
        """Seconds of each job, in the order of the listing."""
        bucket = Bucket(self.count, self.seconds)
        return [bucket.job_seconds(number) for number in range(self.count)]

    @property
    def best(self) -> float:
        """Seconds of the best schedule for a program that takes the jobs in their order."""
        return list_schedule(self.jobs, self.quotas)

    @property
    def cloud(self) -> tuple[str, ...]:
        """The options of the cloud."""
        rates = (self.quotas.start, self.quotas.get, self.quotas.list)
        words = ("--count", self.count, "--slots", self.slots, "--seconds", *self.seconds)
        return tuple(map(str, (*words, "--rates", *rates)))


SHORT_JOBS = Size(slots=50, seconds=(2.0, 6.0), count=750, goal=1.04, sample=2)
LONG_JOBS = Size(slots=250, seconds=(30.0, 90.0), count=750, goal=1.02, calls=2.1)
TOY = Size(slots=4, seconds=(0.3, 0.6), count=8, goal=1.04, calls=2.1)


def measure(size: Size) -> Iterator[Figure]:
    """The makespan of each way, and the calls that a recording costs meanwhile."""
    with ThreadPoolExecutor() as together:
        pipeline = together.submit(_watch, size, _pipeline)
        threads = together.submit(_watch, size, _thread_pool)
        tutorial = together.submit(_watch, size, _tutorial) if size.sample else None
    ours, theirs = pipeline.result(), threads.result()
    ratio = _makespan(theirs) / size.best
    beside = f"{ratio:.2f}: {size.slots} threads, a look every 2 s"
    if tutorial:
        whole = _makespan(tutorial.result()) * size.count / size.sample
        beside += f"; {whole / size.best:.0f}: the tutorial's script, from {size.sample} recordings"
    seconds = _makespan(ours)
    beyond = seconds / lower_bound(size.jobs, size.quotas)
    more = f"{seconds:.1f} s for {size.count}; {beyond:.3f} × what no schedule can beat"
    what = f"makespan ÷ best schedule ({size})"
    yield Figure(what, seconds / size.best, "×", size.goal, more=more, beside=beside)
    if size.calls:
        what = f"AWS calls per recording, steady state ({size})"
        beside = f"{steady_calls(theirs, size.slots):.1f}: the threads"
        yield Figure(what, steady_calls(ours, size.slots), "", size.calls, beside=beside)


def _watch(size: Size, begin: Any) -> list[dict[str, Any]]:
    """The cloud's figures while a program works, two a second."""
    with TemporaryDirectory(prefix="benchmarks-") as name, cloud(Path(name), *size.cloud) as place:
        process: subprocess.Popen[str] = begin(place, size)
        samples = [place.counts()]
        while process.poll() is None:
            time.sleep(_LOOK)
            samples.append(place.counts())
        process.communicate()
        samples.append(place.counts())
    wanted = size.sample if begin is _tutorial else size.count
    if process.returncode or samples[-1]["read"] < wanted:
        raise RuntimeError(f"{begin.__name__} did not complete the bucket.")
    return samples


def _pipeline(place: Place, _: Size) -> subprocess.Popen[str]:
    return place.begin()


def _thread_pool(place: Place, size: Size) -> subprocess.Popen[str]:
    return place.start("alternatives.thread_pool", str(size.slots))


def _tutorial(place: Place, size: Size) -> subprocess.Popen[str]:
    return place.start("alternatives.tutorial", str(size.sample))


def _makespan(samples: Sequence[dict[str, Any]]) -> float:
    """Seconds from the first start to the last transcript read, as the cloud saw them."""
    return float(samples[-1]["last_read"])


def steady_calls(samples: Sequence[dict[str, Any]], slots: int) -> float:
    """Calls per start, from when every slot was filled once until the last start."""
    count = samples[-1]["started"]
    filled = next(each for each in samples if each["started"] >= min(slots, count // 2))
    ended = next(each for each in samples if each["started"] == count)
    if filled["started"] == count:
        filled = samples[0]  # a toy's slots are filled and empty between two looks
    calls = sum(ended["calls"].values()) - sum(filled["calls"].values())
    return float(calls / (ended["started"] - filled["started"]))
