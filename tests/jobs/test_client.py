"""The Transcribe calls, answered by whoever may stand in the service's place."""

from __future__ import annotations

import json
from itertools import cycle

import pytest

from pipeline.aws.session import connect
from pipeline.config.schema import Aws, Limits
from pipeline.errors import ServiceUnreachable
from pipeline.iam.account import Account
from pipeline.iam.profiles import Profiles
from pipeline.jobs.client import Transcriber
from pipeline.model import JobStatus
from pipeline.net.concurrency import JobSlots
from pipeline.net.wait_times import WaitTimes
from tests.support.between import Answer, between

IAM_PAGE = (
    "<R><ListRolesResult><Roles/><IsTruncated>true</IsTruncated><Marker>{}</Marker>"
    "</ListRolesResult></R>"
)


async def test_a_list_of_jobs_that_goes_round_in_circles_is_no_list(no_proxies):
    """Tokens that alternate end it with a sentence; the poller would ask for ever otherwise."""
    tokens = cycle("AB")

    def reply(_: object) -> Answer:
        page = {"TranscriptionJobSummaries": [], "NextToken": next(tokens)}
        return Answer(200, json.dumps(page).encode(), {})

    with between(None, reply) as url:
        async with connect(Aws(region="us-east-1", endpoint_url=url), 1, ("a", "b")) as session:
            waiting = WaitTimes()
            transcriber = Transcriber(session, Limits(), waiting, JobSlots(1, waiting))
            with pytest.raises(ServiceUnreachable, match="transcription jobs has no end"):
                async for _ in transcriber.pages(JobStatus.COMPLETED, "job-"):
                    pass


async def test_a_list_of_roles_that_goes_round_in_circles_is_no_list(no_proxies):
    """IAM's markers lead on as tokens do."""
    tokens = cycle("AB")

    def reply(_: object) -> Answer:
        return Answer(200, IAM_PAGE.format(next(tokens)).encode(), {})

    with between(None, reply) as url:
        async with connect(Aws(region="us-east-1", endpoint_url=url), 1, ("a", "b")) as session:
            account = Account(session, WaitTimes(), Profiles())
            with pytest.raises(ServiceUnreachable, match="ListRoles has no end"):
                await account.all("ListRoles", "Roles")
