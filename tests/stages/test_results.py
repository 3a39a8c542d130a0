"""How a finished job's result is located, fetched and judged, over the real wire."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pipeline.aws.s3 import open_s3
from pipeline.aws.session import connect
from pipeline.config.loading import resolve
from pipeline.config.schema import Aws
from pipeline.errors import RecordingFailed, ServiceUnreachable
from pipeline.jobs.client import Transcriber
from pipeline.jobs.rules import JobRules
from pipeline.model import Job, Recording
from pipeline.naming import S3Uri
from pipeline.recordings.bucket import S3Source
from pipeline.stages.collector import Collectors
from pipeline.stages.job_tracker import JobTracker
from pipeline.stages.metadata_reader import MetadataReader
from pipeline.stages.results import ResultDenied, Results
from pipeline.tasks.builder import TaskBuilder
from tests.support.between import Answer, Asked, between, refusal
from tests.support.state_files import SOURCE, begun

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.usefixtures("no_proxies")


def transcript_of(job_name: str, **more: Any) -> bytes:
    """A transcript of one word."""
    word = {"start_time": "0.0", "end_time": "0.4", "type": "pronunciation"}
    item = word | {"alternatives": [{"content": "yes", "confidence": "0.9"}]}
    results = {"transcripts": [{"transcript": "yes"}], "items": [item]}
    return json.dumps({"jobName": job_name, "results": results, **more}).encode()


def record(status: str = "COMPLETED", **more: Any) -> Answer:
    """What GetTranscriptionJob answers."""
    job = {"TranscriptionJobStatus": status, **more}
    return Answer(200, json.dumps({"TranscriptionJob": job}).encode(), {})


class Collected(NamedTuple):
    """A tracker whose one job has ended, and the collectors that it is given to."""

    tracker: JobTracker
    collectors: Collectors
    job: Job

    async def once(self) -> list[tuple[str, ...]]:
        """Reason and words of what has failed, once the job is collected or put back."""
        settled, lines = asyncio.Event(), asyncio.Queue[Any]()
        self.tracker.on_recorded.append(lambda _: settled.set())
        finished: asyncio.Queue[Job] = asyncio.Queue()
        finished.put_nowait(self.job)
        working = asyncio.create_task(self.collectors.work(finished, lines))
        waits = [asyncio.create_task(each) for each in (settled.wait(), lines.get())]
        await asyncio.wait({working, *waits}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()
        if working.done():
            working.result()
        working.cancel()
        assert settled.is_set() or lines.empty()
        return [tuple(why) for _, *why in self.tracker.state.failures.recordings()]


@asynccontextmanager
async def collecting(
    folder: Any, reply: Callable[[str, Asked], Answer], *, existing: bool = False, **settings: Any
) -> AsyncIterator[Collected]:
    """Collectors of a run with these settings; `reply` gets the name of its one job."""
    names: list[str] = []
    with between(None, lambda asked: reply(names[0], asked)) as url, begun(folder / "s") as state:
        config = resolve(settings, {})
        async with connect(
            Aws(region="us-east-1", endpoint_url=url), 1, ("key", "secret")
        ) as session:
            tracker = JobTracker(state, 9)
            async with open_s3(session, config.limits, tracker.waits) as s3:
                rules = JobRules(config, S3Source(S3Uri("calls", ""), s3))
                recording = Recording("a.mp3", "1", 7)
                identity = rules.identity(recording)
                if existing:
                    state.note_results([(identity, 1)])
                state.add([(recording, identity)])
                [job] = state.claim(1)
                names.append(job.name)
                state.started(job)
                service = Transcriber(session, config.limits, tracker.waits, tracker.slots)
                results = Results(state.facts, service, s3, rules)
                metadata = MetadataReader(config.metadata, state.metadata, rules, tracker.note)
                tasks = TaskBuilder(config.tasks.kind, config.model_version)
                yield Collected(tracker, Collectors(tracker, results, metadata, tasks), job)


def own_url(asked: Asked) -> str:
    """The service's own presigned URL of a transcript."""
    return f"{asked.own_url}/aws-transcribe-us-east-1-prod/t.json?X-Amz-Signature=0"


async def test_an_unredacted_job_is_not_taken_where_a_redacted_one_was_asked_for(tmp_path):
    """A record that names no redacted transcript fails its recording; the other is not fetched."""
    fetched = []

    def reply(name: str, asked: Asked) -> Answer:
        if asked.operation:
            return record(Transcript={"TranscriptFileUri": own_url(asked)})
        fetched.append(asked.path)
        return Answer(200, transcript_of(name), {})

    async with collecting(tmp_path, reply, redaction="redacted") as run:
        [(reason, message)] = await run.once()

    assert (reason, fetched) == ("job or transcript lost", [])
    assert message == "A redacted transcript was asked for, and this one is not."


async def test_an_unredacted_file_is_not_taken_where_a_redacted_one_was_asked_for(tmp_path):
    """A file that says of itself that it is not redacted becomes nobody's task."""

    def reply(name: str, asked: Asked) -> Answer:
        if asked.operation:
            return record(Transcript={"RedactedTranscriptFileUri": own_url(asked)})
        return Answer(200, transcript_of(name, isRedacted=False), {})

    async with collecting(tmp_path, reply, redaction="redacted") as run:
        [(reason, message)] = await run.once()

    assert reason == "broken transcript"
    assert message == "A redacted transcript was asked for, and this one is not."


async def test_an_expired_url_is_renewed_until_one_can_be_read(tmp_path):
    """Where others wait in front of it a URL may expire several times; nothing is lost by it."""
    asked_for: list[str] = []

    def reply(name: str, asked: Asked) -> Answer:
        asked_for.append(asked.operation)
        if asked.operation:
            return record(Transcript={"TranscriptFileUri": own_url(asked)})
        if len(asked_for) < 10:
            return refusal(asked, "AccessDenied", "Request has expired", 403)
        return Answer(200, transcript_of(name), {})

    async with collecting(tmp_path, reply) as run:
        assert await run.once() == []

    assert asked_for == ["GetTranscriptionJob", ""] * 5


@pytest.mark.parametrize("is_there", [False, True])
async def test_a_transcript_of_an_earlier_run_that_may_not_be_read_is_lost_if_absent(
    tmp_path, is_there
):
    """Where keys are kept secret S3 denies a missing object too; a listing tells them apart."""

    def reply(name: str, asked: Asked) -> Answer:
        key = f"t/{name}.json"
        if asked.operation:
            uri = f"https://s3.us-east-1.amazonaws.com/earlier/{key}"
            return record(Transcript={"TranscriptFileUri": uri})
        if "list-type=2" in asked.path:
            entry = f'<Contents><Key>{key}</Key><ETag>"1"</ETag><Size>7</Size></Contents>'
            found = entry if is_there else ""
            return Answer(200, f"<ListBucketResult>{found}</ListBucketResult>".encode(), {})
        return refusal(asked, "AccessDenied", "Access Denied", 403)

    async with collecting(tmp_path, reply) as run:
        run.tracker.state.begin(SOURCE, "s3://earlier/t/")
        with pytest.raises(ResultDenied if is_there else RecordingFailed) as told:
            await run.collectors._reader.read(run.job)

    lost = "The job is complete, but its transcript is not there."
    assert (lost in str(told.value)) is not is_there


async def test_a_found_job_that_failed_gets_no_new_name(tmp_path):
    """What an earlier run found done is not paid for anew because the service spoilt it."""

    def reply(_: str, asked: Asked) -> Answer:
        return record("FAILED", FailureReason="Internal failure. Try your request again.")

    async with collecting(tmp_path, reply, existing=True) as run:
        [(reason, _)] = await run.once()

    assert reason == "fault at the service"


async def test_a_job_that_is_forgotten_again_and_again_ends_the_run(tmp_path):
    """Three times it is started anew; a service that then knows nothing of it is not believed."""

    def reply(_: str, asked: Asked) -> Answer:
        return refusal(asked, "NotFoundException", "The requested job couldn't be found")

    async with collecting(tmp_path, reply) as run:
        for _ in range(3):
            assert await run.once() == []
        with pytest.raises(ServiceUnreachable, match="keeps forgetting the job"):
            await run.once()
