"""The script that many teams have: a pool of threads, each of which looks at its own job.

    python -m benchmarks.alternatives.thread_pool THREADS

Each thread starts a job, asks for it every two seconds, reads its result and takes the next one.
When it is told that it calls too often or that no slot is free, and boto3's own retries are used
up, it waits for two seconds and tries again.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from benchmarks.alternatives.tutorial import task_of

_SECONDS = 2
_PATIENT = ("ThrottlingException", "LimitExceededException")


class Pool:
    """Two clients that all threads share, as boto3 allows."""

    def __init__(self, threads: int) -> None:
        config = Config(max_pool_connections=threads)
        self._transcribe = boto3.client("transcribe", config=config)
        self._s3 = boto3.client("s3", config=config)
        self._threads = threads

    def run(self) -> None:
        """Transcribe the bucket and write everything at the end."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket="audio")
        keys = [each["Key"] for page in pages for each in page["Contents"]]
        with ThreadPoolExecutor(self._threads) as pool:
            tasks = list(pool.map(self._task, keys))
        Path("pool.json").write_text(json.dumps(tasks), encoding="utf-8")

    def _task(self, key: str) -> dict[str, Any]:
        name = key.replace("/", "-")
        self._patiently(
            self._transcribe.start_transcription_job,
            TranscriptionJobName=name,
            Media={"MediaFileUri": f"s3://audio/{key}"},
            MediaFormat="mp3",
            LanguageCode="en-US",
            OutputBucketName="audio",
            OutputKey=f"transcripts/{name}.json",
        )
        status = "IN_PROGRESS"
        while status not in ("COMPLETED", "FAILED"):
            time.sleep(_SECONDS)
            get = self._transcribe.get_transcription_job
            job = self._patiently(get, TranscriptionJobName=name)["TranscriptionJob"]
            status = job["TranscriptionJobStatus"]
        answer = self._s3.get_object(Bucket="audio", Key=f"transcripts/{name}.json")
        return task_of(f"s3://audio/{key}", answer["Body"].read())

    @staticmethod
    def _patiently(call: Any, **request: Any) -> Any:
        while True:
            try:
                return call(**request)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _PATIENT:
                    raise
                time.sleep(_SECONDS)


if __name__ == "__main__":
    Pool(int(sys.argv[1])).run()
