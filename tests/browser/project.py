"""Projects of the tests in a browser: what was pushed into them, and where its sound lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import boto3

from pipeline.tasks.builder import TaskBuilder
from tests.browser.reviewer import Shown
from tests.label_studio_server.outputs import MODEL, add_transcripts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.model import TaskKind, Transcript

BUCKET = "calls"
CONVERSATION = "conversation.wav"


class Project(NamedTuple):
    """What was pushed: where it is, and the tasks by the keys of their recordings."""

    number: int
    tasks: dict[str, dict[str, Any]]

    def heard(self, key: str) -> list[Shown]:
        """Speaker and text of each result of a prediction that has a text."""
        [prediction] = self.tasks[key]["predictions"]
        labels = {
            each["id"]: each["value"]["labels"][0]
            for each in prediction["result"]
            if each["type"] == "labels"
        }
        return [
            Shown(labels.get(each["id"], ""), each["value"]["text"][0])
            for each in prediction["result"]
            if each["type"] == "textarea"
        ]


def bucket_at(endpoint: str) -> Any:
    """The bucket of the recordings, which a boto3 client would make or fill."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    s3 = boto3.resource("s3", region_name="us-east-1", endpoint_url=endpoint, **keys)
    return s3.Bucket(BUCKET)


def add_heard(folder: Path, heard: Mapping[str, Transcript], kind: TaskKind) -> None:
    """Write what was heard as tasks."""
    add_transcripts(folder, heard, TaskBuilder(kind, MODEL, mark_below=0.5))
