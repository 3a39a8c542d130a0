"""The synthetic account: its quotas, and its jobs, which end when their seconds are over; pure.

The time is passed in, in seconds of any steady clock. Rates and refusals are those of the local
endpoint; its jobs are not, because they read files and ask a recogniser.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.bucket import number_of
from pipeline.local import Quotas, messages
from pipeline.local.errors import Refused, bad_request
from pipeline.local.quotas import TokenBucket

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.bucket import Bucket

_NEWEST = 1 << 62


@dataclass
class Counts:
    """What was asked of the account; moments are seconds since its first start."""

    calls: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    listed: int = 0
    started: int = 0
    read: int = 0
    last_start: float = 0.0
    last_read: float = 0.0


class Account:
    """Every job that was started, by its name."""

    def __init__(self, quotas: Quotas, bucket: Bucket) -> None:
        self.counts = Counts()
        self._slots = quotas.slots
        self._bucket = bucket
        self._jobs: dict[str, tuple[int, str, float, float]] = {}
        self._running: dict[str, int] = {}
        self._ends: list[tuple[float, str]] = []
        self._begun: float | None = None
        self._operations: dict[
            str, tuple[TokenBucket, Callable[[Mapping[str, Any], float], Any]]
        ] = {
            "StartTranscriptionJob": (TokenBucket(quotas.start), self._start),
            "GetTranscriptionJob": (TokenBucket(quotas.get), self._get),
            "ListTranscriptionJobs": (TokenBucket(quotas.list), self._list),
        }

    def call(self, operation: str, request: Mapping[str, Any], now: float) -> dict[str, Any]:
        """Answer one call.

        Raises:
            Refused: in the service's words.
        """
        rate, perform = self._operations[operation]
        try:
            _check(rate, now)
            self._end(now)
            answer: dict[str, Any] = perform(request, now)
        except Refused as refused:
            self.counts.refused[refused.code] += 1
            raise
        return answer

    def may_read(self, name: str, now: float) -> bool:
        """Whether the job's transcript is there; counts it as read."""
        self._end(now)
        if name not in self._jobs or name in self._running:
            return False
        self.counts.read += 1
        self.counts.last_read = self._since(now)
        return True

    def _start(self, request: Mapping[str, Any], now: float) -> dict[str, Any]:
        name, uri = request["TranscriptionJobName"], request["Media"]["MediaFileUri"]
        if name in self._jobs:
            raise Refused("ConflictException", messages.NAME_TAKEN)
        if len(self._running) >= self._slots:
            raise Refused("LimitExceededException", messages.NO_FREE_SLOT)
        number = len(self._jobs)
        end = now + self._bucket.job_seconds(number_of(uri.partition("//")[2].partition("/")[2]))
        self._jobs[name] = (number, uri, now, end)
        self._running[name] = number
        heapq.heappush(self._ends, (end, name))
        self.counts.started += 1
        self.counts.last_start = self._since(now)
        return self._described(name, "IN_PROGRESS")

    def _get(self, request: Mapping[str, Any], _now: float) -> dict[str, Any]:
        name = request["TranscriptionJobName"]
        if name not in self._jobs:
            raise bad_request(messages.NO_SUCH_JOB)
        return self._described(name, "IN_PROGRESS" if name in self._running else "COMPLETED")

    def _list(self, request: Mapping[str, Any], _now: float) -> dict[str, Any]:
        """A page of the running jobs, newest first; no benchmark asks for any other status."""
        if request["Status"] != "IN_PROGRESS":
            return {"Status": request["Status"], "TranscriptionJobSummaries": []}
        below, most = int(request.get("NextToken", _NEWEST)), request.get("MaxResults", 5)
        part = request.get("JobNameContains", "")
        found = [
            (number, name)
            for name, number in reversed(self._running.items())
            if number < below and part in name
        ]
        answer: dict[str, Any] = {
            "Status": "IN_PROGRESS",
            "TranscriptionJobSummaries": [_summary(self._jobs[n], n) for _, n in found[:most]],
        }
        if len(found) > most:
            answer["NextToken"] = str(found[most - 1][0])
        return answer

    def _described(self, name: str, status: str) -> dict[str, Any]:
        _, uri, begun, end = self._jobs[name]
        job = {
            "TranscriptionJobName": name,
            "TranscriptionJobStatus": status,
            "LanguageCode": "en-US",
            "CreationTime": begun,
            "StartTime": begun,
            "Media": {"MediaFileUri": uri},
        }
        if status == "COMPLETED":
            # Everything is in the caller's own bucket, whatever place was asked for.
            place = f"https://s3.us-east-1.amazonaws.com/audio/transcripts/{name}.json"
            job |= {"CompletionTime": end, "Transcript": {"TranscriptFileUri": place}}
        return {"TranscriptionJob": job}

    def _end(self, now: float) -> None:
        """The jobs whose seconds are over run no longer."""
        while self._ends and self._ends[0][0] <= now:
            del self._running[heapq.heappop(self._ends)[1]]

    def _since(self, now: float) -> float:
        if self._begun is None:
            self._begun = now
        return now - self._begun


def _check(rate: TokenBucket, now: float) -> None:
    if not rate.take(now):
        raise Refused("ThrottlingException", messages.RATE_EXCEEDED)


def _summary(job: tuple[int, str, float, float], name: str) -> dict[str, Any]:
    return {
        "TranscriptionJobName": name,
        "CreationTime": job[2],
        "StartTime": job[2],
        "LanguageCode": "en-US",
        "TranscriptionJobStatus": "IN_PROGRESS",
        "OutputLocationType": "CUSTOMER_BUCKET",
    }
