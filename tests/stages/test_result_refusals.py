"""Whether one transcript that may not be read is refused alone."""

from __future__ import annotations

from typing import Any, cast

import pytest

from pipeline.errors import Deferred, Denied, JobMissing, RecordingFailed
from pipeline.model import Job, Recording
from pipeline.stages.result_refusals import MOST_HELD, ResultRefusals
from pipeline.stages.results import ResultDenied, StillRunning

WHY = Denied("s3:GetObject is not allowed", "Allow it and run again.")
TRANSCRIPT = b"{}"


def job(name: str) -> Job:
    """The job of a recording."""
    return Job(1, b"", name, Recording(f"{name}.mp3", "1", 7))


class Cloud:
    """What reading each job's transcript comes to, and the recording that was written last."""

    def __init__(self, written: str = "", **outcomes: Exception | bytes) -> None:
        self.outcomes = outcomes
        self.written = written

    async def fetch(self, job: Job) -> bytes:
        """Read it."""
        outcome = self.outcomes[job.name]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def last_written(self) -> Job | None:
        """As the state file has it."""
        return job(self.written) if self.written else None


def refusals(cloud: Cloud) -> ResultRefusals:
    """What a run knows that has read nothing yet."""
    return ResultRefusals(cast("Any", cloud), cast("Any", cloud))


REFUSED = ResultDenied(WHY)


async def test_where_another_can_be_read_the_refused_one_is_alone():
    """One that this run has read, or an earlier one has written, is read again to tell."""
    read_before = refusals(Cloud(a=REFUSED, b=TRANSCRIPT))
    read_before.on_read(job("b"))

    assert await read_before.is_alone(job("a"), WHY) is True
    assert await refusals(Cloud("b", a=REFUSED, b=TRANSCRIPT)).is_alone(job("a"), WHY) is True
    assert read_before.held == 0


async def test_where_another_is_refused_too_the_run_stops():
    """What could be read and no longer can shows that it is the account; the object is named."""
    known = refusals(Cloud("b", a=REFUSED, b=REFUSED))

    with pytest.raises(Denied, match=r"The transcript of a\.mp3 can't be read") as stopped:
        await known.is_alone(job("a"), WHY)

    assert "no job is lost or paid for again" in stopped.value.advice


async def test_a_right_that_is_back_by_now_fails_nobody():
    """Where the other one can be read the refused one is read again before it is charged."""
    assert await refusals(Cloud("b", a=TRANSCRIPT, b=TRANSCRIPT)).is_alone(job("a"), WHY) is False


@pytest.mark.parametrize(
    "nothing",
    [
        Deferred("It took too long."),
        JobMissing(),
        RecordingFailed("job or transcript lost", "It is not there."),
        StillRunning(queued=False, age=None),
    ],
)
async def test_what_gives_no_transcript_proves_nothing(nothing):
    """Absent, late and unfinished are no proof either way: the refused one is held."""
    known = refusals(Cloud("b", a=REFUSED, b=nothing))

    assert await known.is_alone(job("a"), WHY) is None
    assert known.held == 1


async def test_a_handful_of_refused_ones_stops_the_run():
    """Where none could be read ever, five are enough."""
    known = refusals(Cloud())

    for number in range(MOST_HELD - 1):
        assert await known.is_alone(job(str(number)), WHY) is None
    with pytest.raises(Denied):
        await known.is_alone(job("last"), WHY)


async def test_held_ones_are_read_again_when_one_could_be_read():
    """The first that can be read frees all of them for a second look."""
    known = refusals(Cloud())
    await known.is_alone(job("a"), WHY)

    assert known.on_read(job("b")) == [job("a")]
    assert known.held == 0
