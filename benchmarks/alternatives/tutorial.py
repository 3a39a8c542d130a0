"""The well-known tutorial script: one recording after the other, a look every ten seconds.

    python -m benchmarks.alternatives.tutorial COUNT

It takes the first COUNT recordings only, as the whole bucket would take hours.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import boto3

_SECONDS = 10


def transcript_of(transcribe: Any, s3: Any, key: str) -> bytes:
    """Start one job, wait for it, read its result."""
    name = key.replace("/", "-")
    transcribe.start_transcription_job(
        TranscriptionJobName=name,
        Media={"MediaFileUri": f"s3://audio/{key}"},
        MediaFormat="mp3",
        LanguageCode="en-US",
        OutputBucketName="audio",
        OutputKey=f"transcripts/{name}.json",
    )
    while True:
        time.sleep(_SECONDS)
        job = transcribe.get_transcription_job(TranscriptionJobName=name)["TranscriptionJob"]
        if job["TranscriptionJobStatus"] in ("COMPLETED", "FAILED"):
            break
    answer = s3.get_object(Bucket="audio", Key=f"transcripts/{name}.json")
    content: bytes = answer["Body"].read()
    return content


def task_of(audio: str, document: bytes) -> dict[str, Any]:
    """The tutorial's way from a transcript to a task, with the mean confidence as score."""
    results = json.loads(document)["results"]
    known = [
        float(item["alternatives"][0]["confidence"])
        for item in results["items"]
        if item["type"] == "pronunciation"
    ]
    area = {"from_name": "transcription", "to_name": "audio", "type": "textarea"}
    text = {"value": {"text": [results["transcripts"][0]["transcript"]]}}
    prediction = {"score": sum(known) / len(known), "result": [{**area, **text}]}
    return {"data": {"audio": audio}, "predictions": [prediction]}


def main() -> None:
    """List, transcribe one after the other, write everything at the end."""
    transcribe, s3 = boto3.client("transcribe"), boto3.client("s3")
    listing = s3.list_objects_v2(Bucket="audio", MaxKeys=int(sys.argv[1]))
    keys = [each["Key"] for each in listing["Contents"]]
    tasks = [task_of(f"s3://audio/{key}", transcript_of(transcribe, s3, key)) for key in keys]
    Path("tutorial.json").write_text(json.dumps(tasks), encoding="utf-8")


if __name__ == "__main__":
    main()
