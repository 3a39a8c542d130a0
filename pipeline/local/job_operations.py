"""StartTranscriptionJob, GetTranscriptionJob, ListTranscriptionJobs, DeleteTranscriptionJob."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pipeline.aws.presign import LIFETIME
from pipeline.local import answers, messages
from pipeline.local.errors import bad_request
from pipeline.local.request import media_place, output_place, recognised_as, vocabulary_of
from pipeline.local.rules import check_start
from pipeline.local.store import transcript_path
from pipeline.model import JobStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.local.account import Account
    from pipeline.local.jobs import Job
    from pipeline.local.runner import Runner

_ACCESS_CHECK = ".write_access_check_file.temp"
_PAGE = 5


class JobOperations:
    """The four operations; each takes a request, and how many such calls there have been.

    All raise `Refused` with the service's code and sentence.
    """

    def __init__(self, account: Account, runner: Runner) -> None:
        self._account = account
        self._runner = runner

    def start(self, request: Mapping[str, Any], _call: int) -> dict[str, Any]:
        """Create a job, if the request is sound and its file and bucket can be reached."""
        check_start(request)
        self._check_vocabulary(request)
        self._check_input(request)
        self._check_output(request)
        job = self._account.jobs.create(request, self._account.now())
        self._account.counts.created[job.name] += 1
        answer = answers.started(job)
        if job.status == JobStatus.IN_PROGRESS:
            self._runner.begin(job)
        return answer

    def _check_vocabulary(self, request: Mapping[str, Any]) -> None:
        name = vocabulary_of(request)
        if name is not None:
            language = recognised_as(request)
            self._account.vocabularies.check_usable(name, language, self._account.now())

    def _check_input(self, request: Mapping[str, Any]) -> None:
        place = media_place(request["Media"]["MediaFileUri"])
        bucket = self._account.bucket
        if place.bucket != bucket.name or bucket.find(place.key) is None:
            raise bad_request(messages.INPUT_UNREADABLE)

    def _check_output(self, request: Mapping[str, Any]) -> None:
        place = output_place(request)
        if place is None:
            return
        bucket = self._account.bucket
        folder = place.key[: place.key.rfind("/") + 1]
        if place.bucket != bucket.name or bucket.path(place.key) is None:
            raise bad_request(messages.OUTPUT_UNWRITABLE)
        try:
            bucket.write(folder + _ACCESS_CHECK, b"")
        except OSError:
            raise bad_request(messages.OUTPUT_UNWRITABLE) from None

    def get(self, request: Mapping[str, Any], call: int) -> dict[str, Any]:
        """Describe a job."""
        job = self._account.jobs.get(request["TranscriptionJobName"])
        uris = {suffix: self._uri(job, suffix, call) for suffix in job.outcome.files}
        return answers.described(job, uris)

    def _uri(self, job: Job, suffix: str, call: int) -> str:
        """Where the transcript (`json`) or the subtitles of a completed job are."""
        own = output_place(job.request, suffix)
        if own:
            return f"{self._account.url}/{own.bucket}/{quote(own.key)}"
        faults = self._account.options.faults
        age = LIFETIME if faults.hits("expired_url", "GetTranscriptionJob", call) else 0
        return self._account.presigned(transcript_path(job.name, job.number, suffix), age)

    def delete(self, request: Mapping[str, Any], _call: int) -> dict[str, Any]:
        """Forget a job that has ended, and its files in the service's bucket."""
        job = self._account.jobs.delete(request["TranscriptionJobName"])
        for suffix in job.outcome.files:
            self._account.store.discard(transcript_path(job.name, job.number, suffix))
        return {}

    def list_jobs(self, request: Mapping[str, Any], call: int) -> dict[str, Any]:
        """A page of jobs, newest creation first; a token is the number of the last one."""
        limit = request.get("MaxResults", _PAGE)
        found = list(islice(self._matching(request), limit + 1))
        answer: dict[str, Any] = {"Status": request["Status"]} if "Status" in request else {}
        if len(found) > limit:
            answer["NextToken"] = str(found[limit - 1][0].number)
        entries = self._distorted(found[:limit], call)
        answer["TranscriptionJobSummaries"] = [answers.summary(*entry) for entry in entries]
        return answer

    def _matching(self, request: Mapping[str, Any]) -> Iterator[tuple[Job, JobStatus]]:
        """The jobs asked for, each with the status in which the listing sees it."""
        status = JobStatus(request["Status"]) if "Status" in request else None
        below = _number(request["NextToken"]) if "NextToken" in request else None
        part = request.get("JobNameContains", "").lower()
        faults = self._account.options.faults
        source = None if faults.stale_listing else status
        for job in self._account.jobs.newest_first(source, below):
            if part not in job.name.lower():
                continue
            seen = self._seen(job)
            if seen and status in {None, seen}:
                yield job, seen

    def _seen(self, job: Job) -> JobStatus | None:
        """The status a listing shows; None where it does not know the job yet."""
        faults = self._account.options.faults
        if not faults.hits("stale_listing", job.name):
            return job.status
        horizon = self._account.now() - faults.stale_seconds
        if job.created > horizon:
            return None
        if job.completed is not None and job.completed > horizon:
            return JobStatus.IN_PROGRESS
        return job.status

    def _distorted(
        self, entries: list[tuple[Job, JobStatus]], call: int
    ) -> Iterator[tuple[Job, JobStatus]]:
        """The entries, some missing and some twice where such faults are asked for."""
        faults = self._account.options.faults
        for entry in entries:
            if not faults.hits("missing_entry", call, entry[0].name):
                yield entry
            if faults.hits("duplicate_entry", call, entry[0].name):
                yield entry


def _number(token: str) -> int:
    try:
        return int(token)
    except ValueError:
        raise bad_request("The NextToken that you provided isn't valid.") from None
