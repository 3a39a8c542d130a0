"""aioboto3's StartTranscriptionJob and nothing else: what every start costs at least.

    python -m benchmarks.alternatives.start_alone COUNT

It prints the CPU seconds of one call, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import aioboto3
import uvloop
from aiobotocore.config import AioConfig

_AT_ONCE = 16
_WARM_UP = 100


async def measure(count: int) -> float:
    """CPU seconds per call, with as many at once as a run has."""
    config = AioConfig(max_pool_connections=_AT_ONCE, retries={"total_max_attempts": 1})
    async with aioboto3.Session().client("transcribe", config=config) as client:

        async def start(numbers: range) -> None:
            for number in numbers:
                await client.start_transcription_job(
                    TranscriptionJobName=f"start-alone-{number}",
                    Media={"MediaFileUri": "s3://audio/00000/00000000.mp3"},
                    LanguageCode="en-US",
                    MediaFormat="mp3",
                    OutputBucketName="audio",
                    OutputKey=f"transcripts/start-alone-{number}.json",
                )

        async def start_all(numbers: range) -> None:
            async with asyncio.TaskGroup() as group:
                for first in range(_AT_ONCE):
                    group.create_task(start(numbers[first::_AT_ONCE]))

        await start_all(range(_WARM_UP))
        begun = time.process_time()
        await start_all(range(_WARM_UP, _WARM_UP + count))
        return (time.process_time() - begun) / count


if __name__ == "__main__":
    print(json.dumps(uvloop.run(measure(int(sys.argv[1])))))  # noqa: T201 # whoever started it reads it
