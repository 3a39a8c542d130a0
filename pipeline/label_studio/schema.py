"""What Label Studio's API answers (1.23), as far as it is read; pure."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from pipeline.tasks.recording_parts import Part, part_of

T = TypeVar("T")


class Control(msgspec.Struct, frozen=True):
    """One control of a labeling configuration, as the server parses it."""

    type: str
    to_name: list[str]
    labels: list[str] = []
    dynamic_labels: bool = False


class Project(msgspec.Struct, frozen=True):
    """What the server says of a project; `model_version` is "" before the first prediction.

    `total_annotations_number` is None where the server does not count, which is not 0.
    """

    id: int
    created_at: str = ""
    title: str = ""
    description: str | None = ""
    sampling: str | None = ""
    label_config: str = ""
    model_version: str | None = ""
    task_number: int | None = 0
    total_annotations_number: int | None = None
    maximum_annotations: int = 1
    overlap_cohort_percentage: int = 100
    parsed_label_config: dict[str, Control] | None = None


class Imported(msgspec.Struct, frozen=True):
    """What an import did; without counts the server goes on with it in the background."""

    task_count: int | None = None
    prediction_count: int | None = None
    file_upload_ids: list[int] = []


class Copy(msgspec.Struct, frozen=True):
    """A file that was sent, by where it lies below the server's `data/`."""

    file: str


class TaskData(msgspec.Struct, frozen=True):
    """The part of a task's data by which it is found again."""

    job_id: str = ""


class TaskRow(msgspec.Struct, frozen=True):
    """A task as the server has it."""

    id: int
    data: TaskData
    total_predictions: int
    meta: dict[str, Any] | None = None

    @property
    def part(self) -> Part:
        """What of its recording the task has."""
        return part_of(self.meta, self.data.job_id)


class RecordingRow(msgspec.Struct, frozen=True):
    """A task as the server has it, by its recording."""

    id: int
    data: dict[str, Any]
    total_annotations: int
    meta: dict[str, Any] | None = None

    @property
    def part(self) -> Part:
        """What of its recording the task has."""
        return part_of(self.meta, str(self.data.get("job_id")))


class Changed(msgspec.Struct, frozen=True):
    """A task that changed, and how many annotations it has now, without the skipped ones."""

    id: int
    total_annotations: int
    meta: dict[str, Any] | None = None

    @property
    def part(self) -> Part:
        """What of its recording the task has; the job of a whole one is not known."""
        return part_of(self.meta)


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some tasks, and how many there are with those that follow."""

    tasks: list[T]
    total: int


class Storage(msgspec.Struct, frozen=True):
    """An S3 source storage of a project; with `presign` browsers fetch from S3 themselves."""

    id: int
    bucket: str | None = None
    presign: bool = False
    title: str | None = None
    region_name: str | None = None
    s3_endpoint: str | None = None
