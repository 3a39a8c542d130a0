"""What a Label Studio answers to `pull`, with faults; tests/label_studio_server has real ones."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.support.between import Answer

if TYPE_CHECKING:
    from tests.support.between import Asked


def reviewed(number: int) -> dict[str, Any]:
    """A task with one annotation, as `exportType=JSON` gives it."""
    text = {"from_name": "transcription", "type": "textarea", "value": {"text": [f"text {number}"]}}
    annotation = {
        "id": 1000 + number,
        "unique_id": f"uid-{number}",
        "updated_at": "2026-11-23T12:18:19.576476Z",
        "completed_by": 1,
        "result": [text],
        "prediction": {},
    }
    data = {"audio": f"s3://b/{number}.mp3", "job_id": f"job-{number}"}
    return {"id": number, "data": data, "annotations": [annotation]}


@dataclass
class ReviewServer:
    """Answers from `tasks` (by number); `counted` is what the project says that it has.

    `listed` and `exported`, where they are given, take the place of its own answers.
    """

    tasks: dict[int, dict[str, Any]] = field(default_factory=dict)
    counted: int | None = None
    listed: Any = None
    exported: Any = None
    skipped: tuple[int, ...] = ()
    calls: int = 0

    def __call__(self, asked: Asked) -> Answer:
        """The answer to one call."""
        self.calls += 1
        return Answer(200, json.dumps(self._answer(asked)).encode(), {})

    def _answer(self, asked: Asked) -> Any:
        parts = urlsplit(asked.path)
        query = parse_qs(parts.query)
        if parts.path == "/api/users/":
            return []
        if parts.path.endswith("/export"):
            wanted = [self.tasks[int(each)] for each in query["ids[]"]]
            return wanted if self.exported is None else self.exported
        if parts.path == "/api/tasks":
            return self._list(json.loads(query["query"][0])) if self.listed is None else self.listed
        return {"id": 1} | (
            {} if self.counted is None else {"total_annotations_number": self.counted}
        )

    def _list(self, query: Any) -> Any:
        if "cancelled" in query["filters"]["items"][0]["filter"]:
            return {
                "tasks": [{"id": each, "total_annotations": 0} for each in self.skipped[:1_000]],
                "total": len(self.skipped),
            }
        after = query["filters"]["items"][0]["value"]
        rows = [
            {"id": number, "total_annotations": len(task["annotations"])}
            for number, task in sorted(self.tasks.items())
            if number > after
        ]
        return {"tasks": rows, "total": len(rows)}
