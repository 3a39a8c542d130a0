"""Sends the events of a scripted cloud's jobs to a real queue, as EventBridge's rule would."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3

from tests.support.job_events import event

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOK_SECONDS = 0.1
OWN_KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


@contextmanager
def feeding(cloud_url: str, sqs: Any, queue: str) -> Iterator[None]:
    """While the body goes on each job that ends is told to the queue within a second."""
    transcribe = boto3.client("transcribe", "us-east-1", endpoint_url=cloud_url, **OWN_KEYS)
    stopped = threading.Event()
    thread = threading.Thread(target=_feed, args=(transcribe, sqs, queue, stopped))
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _feed(transcribe: Any, sqs: Any, queue: str, stopped: threading.Event) -> None:
    told: set[str] = set()
    while not stopped.is_set():
        for status in ("COMPLETED", "FAILED"):
            for job in _new(transcribe, status, told):
                told.add(job["TranscriptionJobName"])
                kept = ("TranscriptionJobName", "TranscriptionJobStatus", "FailureReason")
                detail = {name: job[name] for name in kept if name in job}
                sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event(**detail)))
        time.sleep(_LOOK_SECONDS)


def _new(transcribe: Any, status: str, told: set[str]) -> Iterator[dict[str, Any]]:
    """The jobs of a status that were not told yet; they are listed by their creation, not end."""
    token: dict[str, str] = {}
    while True:
        page = transcribe.list_transcription_jobs(Status=status, MaxResults=100, **token)
        jobs = page["TranscriptionJobSummaries"]
        yield from (job for job in jobs if job["TranscriptionJobName"] not in told)
        if "NextToken" not in page:
            return
        token = {"NextToken": page["NextToken"]}
