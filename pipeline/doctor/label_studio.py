"""Label Studio: does it know us, is the project made for the tasks, will reviewers hear them?"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.doctor.findings import Finding, ok, problem, skipped, warning
from pipeline.doctor.runner import Check, constant, once
from pipeline.errors import PipelineError
from pipeline.label_studio.compatibility import Survey, misfits
from pipeline.label_studio.playback import storage_advice
from pipeline.label_studio.task_lines import task_lines
from pipeline.model import Job, Recording, Segment, Transcript
from pipeline.net.http import request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import aiohttp

    from pipeline.label_studio.client import Client
    from pipeline.label_studio.schema import Project
    from pipeline.tasks.builder import TaskBuilder

    Playing = Callable[[], Awaitable[str | None]]
    """A presigned URL of some recording, None where there is none to try."""


class LabelStudioChecks:
    """The lines about one Label Studio, and about the recordings of one bucket ("" for none).

    `number` is that of the project, 0 for none, and `needed` what tasks need of it.
    """

    def __init__(self, client: Client, number: int, needed: Survey, bucket: str) -> None:
        self._client = client
        self._number = number
        self._needed = needed
        self._bucket = bucket
        self._project = once(self._asked)

    def checks(self, http: aiohttp.ClientSession, playing: Playing) -> list[Check]:
        """What there is to look at; without a project's number only who the token is of."""
        if not self._number:
            why = "No project is named (--project); `push --create TITLE` makes one."
            return [Check("Label Studio", self.token), Check("project", constant(skipped(why)))]
        return [
            Check("Label Studio", self.token),
            Check("project", self.project),
            Check("playing", partial(self.storage, http, playing)),
        ]

    async def token(self) -> Finding:
        """Whether the server knows the token, and who it is of."""
        who = await self._client.retried(self._client.whoami)
        return ok(f"{self._client.url} knows the token, as {who}.")

    async def project(self) -> Finding:
        """Whether `push` would take the project for the tasks that a run writes."""
        project = await self._project()
        if unfit := list(misfits(project, self._needed)):
            return problem(
                f"{self._address} is not made for the tasks: {'; '.join(unfit)}.",
                "Give it what `transcribe-pipeline labeling-config` prints (Settings, Labeling "
                "Interface), or have a project made with `push --create TITLE`.",
            )
        return ok(f"{self._address} ({project.title}) is made for the tasks.")

    async def storage(self, http: aiohttp.ClientSession, playing: Playing) -> Finding:
        """Whether the recordings can be heard: a storage, and where need be the bucket's CORS."""
        try:
            project = await self._project()
        except PipelineError:
            return skipped("The project could not be looked at.")
        if not self._bucket:
            return skipped("No bucket is named whose recordings could be heard.")
        known = await self._client.retried(self._client.storages, project.id)
        storages = [each for each in known if each.bucket == self._bucket]
        if not storages:
            return warning(storage_advice(self._address, self._bucket, ""))
        if not any(each.presign for each in storages):
            return ok(f"Label Studio itself fetches s3://{self._bucket} for reviewers.")
        return await self._cors(http, await playing())

    async def _cors(self, http: aiohttp.ClientSession, url: str | None) -> Finding:
        """Whether the bucket lets the browser fetch from it, tried as a browser does."""
        if url is None:
            return skipped("There is no recording to try whether browsers may fetch one.")
        parts = urlsplit(self._client.url)
        origin = f"{parts.scheme}://{parts.netloc}"
        asked = {"Origin": origin, "Range": "bytes=0-0"}
        _, _, headers = await request(http, url, headers=asked)
        if headers.get("Access-Control-Allow-Origin") in ("*", origin):
            return ok(f"Browsers at {origin} may fetch recordings from s3://{self._bucket}.")
        return warning(
            f"Reviewers can't hear s3://{self._bucket}: its storage uses pre-signed URLs, and the "
            f"bucket lets no page of {origin} fetch.",
            f"Give the bucket a CORS rule that allows GET from {origin}, or set the storage to "
            "proxy.",
        )

    async def _asked(self) -> Project:
        return await self._client.retried(self._client.project, self._number)

    @property
    def _address(self) -> str:
        return f"{self._client.url}/projects/{self._number}"


def sample(tasks: TaskBuilder, bucket: str, *, identifies: bool) -> Survey:
    """What such tasks need of a project, from one that never was.

    `identifies` tells whether the language of recordings is to be identified.
    """
    identified = ("en-US",) if identifies else ()
    transcript = Transcript("check", "a word", (Segment("a word", 0.0, 1.0),), 2, 1.0, identified)
    job = Job(1, b"", "check", Recording("check.mp3", "", 1))
    survey = Survey()
    for line in task_lines([tasks.line(f"s3://{bucket or 'bucket'}/check.mp3", job, transcript)]):
        survey.add(line)
    return survey
