"""What `clean` deletes at the service, call by call, over the real wire."""

from __future__ import annotations

import json
import time

import pytest

from pipeline.aws.s3 import open_s3
from pipeline.aws.session import connect
from pipeline.config.schema import Aws, Budget, Limits
from pipeline.jobs.cleanup import Cleaned, Cleaner
from pipeline.jobs.client import Transcriber
from pipeline.net.concurrency import JobSlots
from pipeline.net.wait_times import WaitTimes
from pipeline.state.cleanup import Cleaning, open_for_cleaning
from tests.support.between import Answer, Asked, between
from tests.support.state_files import begun, written

pytestmark = pytest.mark.usefixtures("no_proxies")


async def cleaned(path, status: str, calls: list[str]) -> Cleaned:
    """What was done about one written recording whose job has this status at the service."""

    def reply(asked: Asked) -> Answer:
        calls.append(asked.operation)
        media = {"MediaFileUri": "s3://calls/a.mp3"}
        job = {"TranscriptionJobStatus": status, "Media": media}
        return Answer(200, json.dumps({"TranscriptionJob": job}).encode(), {})

    with begun(path) as state:
        written(state, "a.mp3")
    waiting, limits = WaitTimes(), Limits()
    with between(None, reply) as url, open_for_cleaning(path) as ended:
        settings = Aws(region="us-east-1", endpoint_url=url)
        async with (
            connect(settings, 1, ("key", "secret")) as session,
            open_s3(session, limits, waiting) as s3,
        ):
            transcriber = Transcriber(session, limits, waiting, JobSlots(1, waiting))
            what = Cleaning(time.time() + 1, results_too=False)
            cleaner = Cleaner([(ended, transcriber)], s3, what, lambda _: None)
            await cleaner.clean(Budget())
            return cleaner.cleaned


@pytest.mark.parametrize("status", ["QUEUED", "IN_PROGRESS"])
async def test_a_job_that_has_not_ended_is_not_deleted(tmp_path, status):
    """Whoever started it again under its name waits for it: it is left, and counted as that."""
    calls: list[str] = []

    done = await cleaned(tmp_path / "state", status, calls)

    assert calls == ["GetTranscriptionJob"]
    assert (done.deleted, done.left) == (0, {"still running": 1})


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED"])
async def test_a_job_that_has_ended_is_deleted(tmp_path, status):
    """However it ended, the service forgets it."""
    calls: list[str] = []

    done = await cleaned(tmp_path / "state", status, calls)

    assert calls == ["GetTranscriptionJob", "DeleteTranscriptionJob"]
    assert (done.deleted, done.left) == (1, {})
