"""Events that tell of ended jobs: what one says, where they come from, how far to rely on them.

The service sends a `Transcribe Job State Change` event when a job has ended: to EventBridge, whose
rule puts it into an SQS queue. Delivery is best effort, and whoever may write to the queue can
forge one, so an event is only a reason to look at a job. Pure.
"""

from __future__ import annotations

from typing import Literal

import msgspec

SOURCE = "aws.transcribe"
DETAIL_TYPE = "Transcribe Job State Change"
ENDED = ("COMPLETED", "FAILED")

_FIRST_GAP = 15.0
_GROWTH = 1.5
_SELDOM_SECONDS = 300.0
_LATE_GAP = 30.0
_OFTEN_AT_THE_END = 15.0
_SILENT_SECONDS = 60.0
_PAUSES = 60
_SHORTEST_PAUSE, _LONGEST_PAUSE, _FIRST_PAUSE = 0.05, 2.0, 0.2


class _Detail(msgspec.Struct):
    name: str = msgspec.field(name="TranscriptionJobName")
    status: Literal["COMPLETED", "FAILED"] = msgspec.field(name="TranscriptionJobStatus")


class _Event(msgspec.Struct):
    source: Literal["aws.transcribe"]
    kind: Literal["Transcribe Job State Change"] = msgspec.field(name="detail-type")
    detail: _Detail


def ended_job(body: str) -> str | None:
    """The name of the job that an event says has ended; None for whatever else a message holds.

    How it has ended, and why, is not read: the service is asked, or its transcript is.
    """
    try:
        event = msgspec.json.decode(body.encode("utf-8", "replace"), type=_Event)
    except (msgspec.DecodeError, RecursionError):
        return None
    return event.detail.name


def pause(typical: float | None) -> float:
    """Seconds between two Receive calls, so that one brings several events.

    That is a sixtieth of the time a job takes: a slot stays idle for half of that at the mean.

    Args:
        typical: how long a job takes, None while none has ended.
    """
    if typical is None:
        return _FIRST_PAUSE
    return max(_SHORTEST_PAUSE, min(_LONGEST_PAUSE, typical / _PAUSES))


def late(typical: float | None) -> float:
    """Seconds after which a job is late: its event may be lost."""
    return max(_LATE_GAP, 3 * typical) if typical else _SELDOM_SECONDS


class EventTrust:
    """How seldom the jobs are listed beside the events; seconds are of any one clock.

    As long as events come the jobs are listed every five minutes, for events that were lost; half a
    minute after the last time when a job is late; at the end of the night as often as a job takes,
    because the night ends with the last of them. Where a listing finds more ends than events have
    told since the one before, or the queue is gone, events are not relied on until they tell as
    many again. Before the first one the listings become rarer by and by.
    """

    def __init__(self, looked_at: float) -> None:
        self.told = 0
        self._told_before = 0
        self._reachable = True
        self._trusted = True
        self._doubted_at = looked_at
        self._silence_said = False
        self._looked_at = looked_at
        self._gap = _FIRST_GAP

    @property
    def relied_on(self) -> bool:
        """Whether events tell when jobs end."""
        return self._reachable and self._trusted

    def lost(self) -> None:
        """The queue can't be read."""
        self._reachable = False

    def found(self) -> None:
        """The queue can be read."""
        self._reachable = True

    def since_look(self, now: float) -> float:
        """Seconds since the last listing."""
        return now - self._looked_at

    def look_is_due(
        self, now: float, typical: float | None, *, ending: bool, some_late: bool
    ) -> bool:
        """Whether the jobs are to be listed now.

        Args:
            now: the present moment.
            typical: how long a job takes, None while none has ended.
            ending: whether every recording has been started.
            some_late: whether a job has become late since the last listing.
        """
        if not self.relied_on:
            return True
        gap = self._gap
        if ending and typical:
            gap = min(gap, max(_OFTEN_AT_THE_END, typical))
        if some_late:
            gap = min(gap, _LATE_GAP)
        return self.since_look(now) >= gap

    def looked(self, now: float, found: int) -> bool:
        """A listing has shown that so many jobs had ended without a word.

        Returns whether it is time to say, once, that no events come.
        """
        told = self.told - self._told_before
        trusted = told >= found if told or found else self._trusted
        if trusted or self._trusted:
            self._doubted_at = now
        self._trusted = trusted
        self._told_before = self.told
        self._looked_at = now
        self._gap = _SELDOM_SECONDS if self.told else min(_SELDOM_SECONDS, self._gap * _GROWTH)
        if self._trusted or self._silence_said or now - self._doubted_at < _SILENT_SECONDS:
            return False
        self._silence_said = True
        return True
