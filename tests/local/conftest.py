from __future__ import annotations

import asyncio
import math
import wave
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aioboto3
import aiohttp
import pytest
import yarl
from botocore.config import Config

from pipeline.local import (
    Cloud,
    CloudOptions,
    MediaRefused,
    MediaSettings,
    Quotas,
    Speech,
    SpokenWord,
    local_cloud,
)
from tests.support.signing import presigned

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

UNHURRIED = Quotas(
    start=math.inf, get=math.inf, list=math.inf, delete=math.inf, vocabulary=math.inf
)
SESSION = aioboto3.Session(region_name="us-east-1")
ONE_TRY = Config(retries={"total_max_attempts": 1})


@dataclass
class Scripted:
    """A recogniser that reads the words from the file; an asyncio.Event can hold it back."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    held: bool = False

    async def __aenter__(self):
        """Nothing to open."""
        return self

    async def __aexit__(self, *_):
        """Nothing to close."""

    async def recognise(self, path: Path, settings: MediaSettings) -> Speech:
        """The file's words, a second each."""
        assert not settings.sample_rate
        if self.held:
            await self.gate.wait()
        text = path.read_text()  # noqa: ASYNC240 (a few bytes)
        if text.startswith("!"):
            raise MediaRefused(text.removeprefix("!"))
        words = [SpokenWord(word, n, n + 0.5, 0.9) for n, word in enumerate(text.split())]
        return Speech(tuple(words), len(words) + 1.0, "wav", 16000)


@dataclass
class Client:
    """A local cloud with both ways of talking to it."""

    cloud: Cloud
    transcribe: Any
    http: aiohttp.ClientSession

    async def start(self, name: str, key: str = "hello.wav", **more: Any) -> dict[str, Any]:
        """Start a job; None takes a parameter out."""
        request: dict[str, Any] = {
            "TranscriptionJobName": name,
            "Media": {"MediaFileUri": f"s3://{self.cloud.bucket}/{key}"},
            "LanguageCode": "en-US",
            **more,
        }
        asked = {name: value for name, value in request.items() if value is not None}
        answer = await self.transcribe.start_transcription_job(**asked)
        return dict(answer["TranscriptionJob"])

    async def get(self, name: str) -> dict[str, Any]:
        """Get a job."""
        answer = await self.transcribe.get_transcription_job(TranscriptionJobName=name)
        return dict(answer["TranscriptionJob"])

    async def ended(self, name: str) -> dict[str, Any]:
        """Get a job until it has ended."""
        while True:
            job = await self.get(name)
            if job["TranscriptionJobStatus"] in {"COMPLETED", "FAILED"}:
                return job
            await asyncio.sleep(0.01)

    async def names(self, **query: Any) -> list[str]:
        """The names in one page of a listing."""
        answer = await self.transcribe.list_transcription_jobs(**query)
        return [job["TranscriptionJobName"] for job in answer["TranscriptionJobSummaries"]]

    async def refusal(self, call: Any) -> tuple[str, str]:
        """The code and the sentence with which a call is refused."""
        with pytest.raises(self.transcribe.exceptions.ClientError) as caught:
            await call
        error = caught.value.response["Error"]
        return error["Code"], error["Message"]

    def url(self, address: str, method: str = "GET") -> yarl.URL:
        """The address of a call, or its path, byte for byte; presigned unless it is already."""
        url = address if address.startswith("http") else self.cloud.url + address
        if "X-Amz-Signature" not in url:
            url = presigned(url, method, keys=self.cloud.keys)
        return yarl.URL(url, encoded=True)

    async def put(self, name: str, content: bytes | str) -> None:
        """Put an object into the bucket."""
        path = f"/{self.cloud.bucket}/{name}"
        async with self.http.put(self.url(path, "PUT"), data=content) as answer:
            answer.raise_for_status()

    async def read(self, address: str) -> dict[str, Any]:
        """The JSON at an address or path."""
        async with self.http.get(self.url(address)) as answer:
            answer.raise_for_status()
            return dict(await answer.json(content_type=None))


def client_of(cloud: Cloud, service: str, config: Config) -> Any:
    """A client of the AWS SDK for a service of the cloud."""
    access, secret = cloud.keys
    return SESSION.client(
        service, endpoint_url=cloud.url, config=config,
        aws_access_key_id=access, aws_secret_access_key=secret,
    )  # fmt: skip


@asynccontextmanager
async def connected(cloud: Cloud) -> AsyncIterator[Client]:
    async with (
        client_of(cloud, "transcribe", ONE_TRY) as transcribe,
        aiohttp.ClientSession() as http,
    ):
        yield Client(cloud, transcribe, http)


@pytest.fixture
def opened(tmp_path) -> Callable[..., Any]:
    """Opens a cloud over a folder with one recording; a scripted recogniser unless told."""

    @asynccontextmanager
    async def open_(recogniser: Scripted | None = None, **options: Any) -> AsyncIterator[Client]:
        folder = tmp_path / "audio"
        folder.mkdir(exist_ok=True)
        (folder / "hello.wav").write_text("hello world")
        script = recogniser or Scripted()
        settings = CloudOptions(
            **{"recogniser": lambda: script, "quotas": UNHURRIED, "bucket": "audio", **options}
        )
        async with local_cloud(folder, settings) as cloud, connected(cloud) as client:
            yield client

    return open_


@pytest.fixture
def write_wav(tmp_path) -> Callable[..., Path]:
    """Writes a WAV file of silence or of the samples given."""

    def write(name: str, seconds: float = 1.0, channels: int = 1, rate: int = 16000) -> Path:
        path: Path = tmp_path / name
        with wave.open(str(path), "wb") as file:
            file.setnchannels(channels)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(b"\0\0" * channels * int(seconds * rate))
        return path

    return write
