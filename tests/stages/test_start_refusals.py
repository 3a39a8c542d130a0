"""Whose fault a refused start is."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import SystematicFailure
from pipeline.failures import MEDIA_NOT_ACCESSIBLE, REFUSED, TOO_LONG
from pipeline.stages.job_tracker import JobTracker
from pipeline.stages.start_refusals import StartRefusals
from tests.support.state_files import begun, listed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.model import Job


class Starts(StartRefusals):
    """The starts of a run over recordings that are claimed in turn."""

    def __init__(self, tracker: JobTracker, jobs: list[Job]) -> None:
        super().__init__(tracker)
        self.jobs = iter(jobs)
        self.tracker = tracker

    def refuse(self, *reasons: str, message: str = "Words.") -> str:
        """Refuse the next ones for these reasons; return what the run is stopped with."""
        try:
            for reason in reasons:
                self.on_refused(next(self.jobs), reason, message)
        except SystematicFailure as error:
            return str(error)
        return ""

    def end(self) -> str:
        """Nothing is left to start; return what the run is stopped with."""
        try:
            self.settle()
        except SystematicFailure as error:
            return str(error)
        return ""

    @property
    def failed(self) -> int:
        """How many recordings have failed in the state file."""
        return self.tracker.state.recordings.counts().failed


@contextmanager
def starts(folder: Path) -> Iterator[Starts]:
    """A run that has claimed forty recordings."""
    with begun(folder / "state") as state:
        listed(state, *map(str, range(40)))
        yield Starts(JobTracker(state, 9), state.claim(40))


def now() -> float:
    """A moment of the loop's clock."""
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("reason", [MEDIA_NOT_ACCESSIBLE, TOO_LONG])
@pytest.mark.parametrize("accepted_before", [True, False])
async def test_twenty_refusals_alike_stop_the_run(tmp_path, reason, accepted_before):
    """However much worked before, nothing fails: all of them are pending again."""
    with starts(tmp_path) as service:
        if accepted_before:
            service.on_accepted(now())

        said = service.refuse(*[reason] * 30)

        assert f"the last 20 recordings alike, and took none after them ({reason}): Words" in said
        assert (service.failed, service.tracker.state.recordings.counts().pending) == (0, 40)


async def test_refusals_that_come_once_the_run_is_stopped_fail_nothing(tmp_path):
    """Starts that were asked for before it stopped are answered after it: pending again as well."""
    with starts(tmp_path) as service:
        assert service.refuse(*[MEDIA_NOT_ACCESSIBLE] * 20)

        late = service.refuse(*[MEDIA_NOT_ACCESSIBLE] * 20)

        assert (late, service.failed) == ("", 0)
        assert len(service.tracker.state.claim(40)) == 40


async def test_two_in_the_same_unknown_words_stop_a_run_that_started_nothing(tmp_path):
    """An unknown refusal of the account is not paid for with a call for each recording."""
    with starts(tmp_path) as service:
        assert service.refuse(REFUSED, message="No such plan.") == ""
        assert "No such plan" in service.refuse(REFUSED, message="No such plan.")
        assert service.failed == 0


async def test_other_unknown_words_are_of_other_recordings(tmp_path):
    """Two recordings that are refused in different words say nothing of the account."""
    with starts(tmp_path) as service:
        assert service.refuse(REFUSED, message="No such plan.") == ""
        assert service.refuse(REFUSED, message="No such colour.") == ""


async def test_unknown_words_after_a_start_are_waited_on(tmp_path):
    """Where starts go well two bad recordings in a row do not stop a run."""
    with starts(tmp_path) as service:
        service.on_accepted(now())

        assert service.refuse(*[REFUSED] * 19) == ""


async def test_a_start_that_is_accepted_charges_the_refusals_before_it(tmp_path):
    """Then it is not the account; a refusal after its question was put is not proven."""
    with starts(tmp_path) as service:
        service.refuse(TOO_LONG)
        asked = now()
        await asyncio.sleep(0.001)
        service.refuse(TOO_LONG)

        service.on_accepted(asked)

        assert (service.failed, service.held) == (1, 1)


@pytest.mark.parametrize("reason", [MEDIA_NOT_ACCESSIBLE, REFUSED])
async def test_what_an_account_may_be_refused_for_is_tried_again_before_it_is_charged(
    tmp_path, reason
):
    """A right that was gone for a moment fails nobody; three with starts between them do."""
    with starts(tmp_path) as service:
        job = next(service.jobs)
        for _ in range(3):
            assert service.failed == 0
            service.on_refused(job, reason, "Words.")
            service.on_accepted(now())

        assert service.failed == 1


async def test_refusals_for_changing_reasons_fail_their_recordings(tmp_path):
    """The oldest of more than twenty in a row that are not alike is its recording's own."""
    with starts(tmp_path) as service:
        assert service.refuse(*[TOO_LONG, MEDIA_NOT_ACCESSIBLE] * 15) == ""
        assert (service.failed, service.held) == (10, 20)


@pytest.mark.parametrize("reason", [MEDIA_NOT_ACCESSIBLE, REFUSED])
async def test_the_last_two_alike_stop_the_run(tmp_path, reason):
    """Fewer than twenty recordings of a bucket are not failed for what the account is refused."""
    with starts(tmp_path) as service:
        service.on_accepted(now())
        service.refuse(reason, reason)

        assert reason in service.end()
        assert service.failed == 0


async def test_a_single_refusal_at_the_end_is_its_recordings(tmp_path):
    """One recording that is refused fails alone, and so do those for reasons of their own."""
    with starts(tmp_path) as service:
        service.refuse(REFUSED, TOO_LONG, TOO_LONG)

        assert (service.end(), service.failed, service.held) == ("", 3, 0)
