"""Whether a refused start is the fault of its recording or of the account.

A refusal is held until a start is accepted that was asked for later: so it is not the account, or
not any longer, and the recording is tried again. One that is refused three times with others
accepted in between fails. Many equal refusals, and nothing accepted after them, are of the account,
however much was accepted before; then nothing fails and the run stops.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import SystematicFailure
from pipeline.failures import MEDIA_NOT_ACCESSIBLE, REFUSED
from pipeline.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.model import Job
    from pipeline.stages.job_tracker import JobTracker

ALL_ALIKE = 20
"""So many refusals for one reason in a row are of the account, whatever the reason."""
_ALIKE_IN_UNKNOWN_WORDS = 2
_MOST_TRIES = 3
_MOST_NAMED = 3
_OF_EITHER = frozenset({MEDIA_NOT_ACCESSIBLE, REFUSED})
"""The reasons that an account may be refused for; the others only a recording can give."""


class Refusal(NamedTuple):
    """The service refused the job's start, at that moment of the loop's clock, in seconds.

    `tries` counts its refusals that others were accepted between, with this one.
    """

    job: Job
    reason: str
    message: str
    at: float
    tries: int = 1


class StartRefusals:
    """The last refusals that nothing has proven yet to be of their recordings, 20 at most."""

    def __init__(self, tracker: JobTracker) -> None:
        self._tracker = tracker
        self._held: list[Refusal] = []
        self._any_accepted = False
        self._tried: dict[str, int] = {}
        self._stopped = False

    @property
    def held(self) -> int:
        """How many are held."""
        return len(self._held)

    def on_accepted(self, asked: float) -> None:
        """A start was accepted that was asked for then, by the loop's clock, in seconds."""
        self._any_accepted = True
        before = [each for each in self._held if each.at <= asked]
        self._held = [each for each in self._held if each.at > asked]
        for each in before:
            if each.tries == _MOST_TRIES or each.reason not in _OF_EITHER:
                self._charge(each)
            else:
                self._tried[each.job.name] = each.tries
                self._tracker.put_back(each.job)

    def on_refused(self, job: Job, reason: str, message: str) -> None:
        """The service does not take the recording, or none at all: what follows tells.

        Raises:
            SystematicFailure: it takes none; the recordings are pending again, and so are those
                whose refusals were on their way.
        """
        if self._stopped:
            self._tracker.state.release(job)
            return
        now, tries = asyncio.get_running_loop().time(), self._tried.pop(job.name, 0) + 1
        self._held.append(Refusal(job, reason, message, now, tries))
        if len(self._held) > ALL_ALIKE:
            self._charge(self._held.pop(0))  # it and the 19 after it were not alike
        if of_the_account(self._held, any_accepted=self._any_accepted):
            self._stop()

    def settle(self) -> None:
        """Nothing is left to start that could tell whose fault the last refusals are.

        Raises:
            SystematicFailure: several were alike; the recordings are pending again.
        """
        if of_the_account_at_the_end(self._held):
            self._stop()
        while self._held:
            self._charge(self._held.pop())

    def _charge(self, refusal: Refusal) -> None:
        self._tracker.fail(refusal.job, refusal.reason, refusal.message)

    def _stop(self) -> None:
        self._stopped = True
        for each in self._held:
            self._tracker.state.release(each.job)
        last = self._held[-1]
        names = ", ".join(printable(each.job.recording.key) for each in self._held[-_MOST_NAMED:])
        raise SystematicFailure(
            f"The service refused the last {len(self._held)} recordings alike, and took none after "
            f"them ({last.reason}): {last.message}",
            "None of them has failed. Fix that and run the same command again; if it is these "
            f"recordings alone, leave them out with --exclude: {names}.",
            action="transcribe:StartTranscriptionJob",
            message=last.message,
        )


def of_the_account(held: Sequence[Refusal], *, any_accepted: bool) -> bool:
    """Whether refusals in a row are of the account, so that nothing more should be started. Pure.

    Twenty for one reason are; before the first accepted start two in the same words that nobody
    knows are enough, as an account's refusal costs one call for each recording of a bucket.
    """
    if len(held) == ALL_ALIKE and len({each.reason for each in held}) == 1:
        return True
    words = Counter(each.message for each in held if each.reason == REFUSED)
    return not any_accepted and max(words.values(), default=0) >= _ALIKE_IN_UNKNOWN_WORDS


def of_the_account_at_the_end(held: Sequence[Refusal]) -> bool:
    """The same when nothing is left to start. Pure.

    Two recordings that are refused alike are the account's, unless others were accepted since they
    were refused first, or the reason is one that only a recording can give.
    """
    reasons = Counter(each.reason for each in held if each.reason in _OF_EITHER and each.tries == 1)
    return max(reasons.values(), default=0) > 1
