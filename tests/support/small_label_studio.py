"""A Label Studio with one project, as far as `push`, `pull`, `report` and `check` ask it.

Its answers are those that the real server (1.23) was recorded with; tests/label_studio_server has
that server itself.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from pipeline.model import TaskKind
from pipeline.tasks.labeling_config import labeling_config
from tests.support.between import Answer, between

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Cli
    from tests.support.between import Asked
    from tests.support.in_process import InProcess

PROJECT = 1
TITLE = "Calls"
TOKEN = "0" * 40
_TASKS = 10_000
_UNREADABLE = (400, {"status_code": 400, "detail": "Can't connect to S3 bucket: Forbidden"})
_CREATED = "2026-11-01T00:00:00.000000Z"
_MADE = datetime(2026, 11, 1, tzinfo=UTC)
_CONTROLS = {
    "transcription": {"type": "TextArea", "to_name": ["audio"]},
    "language": {"type": "Choices", "to_name": ["audio"]},
    "speaker": {"type": "Labels", "to_name": ["audio"], "dynamic_labels": True},
    "text": {"type": "TextArea", "to_name": ["audio"]},
}


class Request(NamedTuple):
    """One request below `/api/`; `path` has no slash before it."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: bytes

    @classmethod
    def of(cls, method: str, target: str, body: bytes) -> Request:
        """Read a request's target as it was sent."""
        parts = urlsplit(target)
        path = parts.path.partition("/api/")[2]
        return cls(method, path, parse_qs(parts.query), body)

    @property
    def call(self) -> str:
        """Which call of the API it is, in two words."""
        names = {
            "projects/N/": "project",
            "projects/N/import": "import",
            "projects/N/import/predictions": "import",
            "projects/N/export": "export",
            "dm/views/": "tabs",
            "tasks": "tasks",
            "users/": "people",
            "projects/": "projects",
            "storages/s3": "storages",
            "storages/s3/validate": "validate",
            "current-user/whoami": "whoami",
        }
        if self.method == "PATCH" and self.path.startswith("tasks/"):
            return "task"
        if self.method == "PATCH" and self.path.startswith("import/file-upload/"):
            return "upload"
        if self.path.startswith("predictions"):
            return "predictions"
        return names[re.sub("^projects/[0-9]+/", "projects/N/", self.path)]


class SmallLabelStudio:
    """One project for tasks of one kind, what reviewers saved; tasks have numbers from `first`.

    `storages` are those of the project; `reads` says whether the server can read the buckets.
    `settings` are those of the project which a push may change, `patches` how often it did.
    `uploads` are the files that were sent, by the address that a task may play.
    `calls` are what it was asked, `imported` the sizes of imports in bytes. Tasks that are
    `withheld` it counts and does not give out.
    """

    def __init__(
        self,
        kind: TaskKind = TaskKind.TRANSCRIPT,
        number: int = PROJECT,
        title: str = TITLE,
        first: int = 1,
    ) -> None:
        self._kind = kind
        self.number, self.title, self.first = number, title, first
        self.storages: list[dict[str, Any]] = [{"id": 1, "bucket": "audio", "presign": False}]
        self.reads = True
        self.settings = {"maximum_annotations": 1, "overlap_cohort_percentage": 100}
        self.patches = 0
        self.description, self.sampling = "", ""
        self.uploads: dict[str, bytes] = {}
        self.calls: list[str] = []
        self.imported: list[int] = []
        self.withheld: set[int] = set()
        self.tasks: list[dict[str, Any]] = []
        self._moment = _MADE

    def answer(self, request: Request) -> tuple[int, Any]:
        """Status and content of an answer."""
        answers: dict[str, Callable[[Request], tuple[int, Any]]] = {
            "project": self._project,
            "import": self._import,
            "export": self._export,
            "tasks": self._found,
            "task": self._changed,
            "upload": self._uploaded,
            "predictions": self._predicted,
            "people": lambda _: (200, [{"id": 1, "email": "anna@example.com"}]),
            "projects": lambda _: (
                200,
                {"results": [self.listed()], "next": None},
            ),
            "storages": self._stored,
            "validate": lambda _: (200, {}) if self.reads else _UNREADABLE,
            "tabs": lambda _: (200, []),
            "whoami": lambda _: (200, {"id": 1, "email": "anna@example.com"}),
        }
        self.calls.append(request.call)
        return answers[request.call](request)

    def listed(self) -> dict[str, Any]:
        """What the list of projects says of it."""
        names = {"title": self.title, "description": self.description, "sampling": self.sampling}
        return {"id": self.number, "created_at": _CREATED} | names

    def review(self, task: dict[str, Any], text: str) -> None:
        """Have a reviewer save a text for a task, in place of an earlier one."""
        value = {"value": {"text": [text]}, "id": "tr", "type": "textarea"}
        self.submit(task, [{**value, "from_name": "transcription", "to_name": "audio"}])

    def submit(self, task: dict[str, Any], result: list[dict[str, Any]], **more: Any) -> None:
        """Have a reviewer save results for a task, in place of earlier ones."""
        annotation = {
            "id": 10 * task["id"],
            "unique_id": f"uid-{task['id']}",
            "completed_by": 1,
            "lead_time": 2.0,
            "updated_at": self._now(),
            "was_cancelled": False,
            "result": result,
            "prediction": dict(task["predictions"][0]),
        }
        task["annotations"] = [annotation | more]
        task["updated_at"] = self._now()

    def withdraw(self, task: dict[str, Any]) -> None:
        """Have a task's annotations deleted."""
        task["annotations"] = []
        task["updated_at"] = self._now()

    def _now(self) -> str:
        self._moment += timedelta(hours=1)
        return self._moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _project(self, request: Request) -> tuple[int, Any]:
        if request.method == "PATCH":
            changes = json.loads(request.body)
            self.description = changes.pop("description", self.description)
            self.settings |= changes
            self.patches += bool(changes)
        versions = [each["predictions"][0]["model_version"] for each in self.tasks]
        config = labeling_config(self._kind)
        return 200, {
            **self.listed(),
            "task_number": len(self.tasks),
            "label_config": config,
            "model_version": versions[0] if versions else "",
            "total_annotations_number": sum(len(each["annotations"]) for each in self.tasks),
            "parsed_label_config": {
                name: each for name, each in _CONTROLS.items() if f'name="{name}"' in config
            },
            **self.settings,
        }

    def _import(self, request: Request) -> tuple[int, Any]:
        if request.query.get("commit_to_project") == ["false"]:
            return 201, {"task_count": 1, "prediction_count": None, "file_upload_ids": [7]}
        self.imported.append(len(request.body))
        for each in json.loads(request.body):
            number = self.first + len(self.tasks)
            self.tasks.append({"annotations": [], "updated_at": self._now()} | each)
            self.tasks[-1]["id"] = number
            for of, prediction in enumerate(self.tasks[-1]["predictions"]):
                prediction["id"] = 100 * number + of
        sent = len(json.loads(request.body))
        return 201, {"task_count": sent, "prediction_count": sent}

    def _predicted(self, request: Request) -> tuple[int, Any]:
        if request.method == "GET":
            [task] = request.query["task"]
            return 200, self.tasks[int(task) - self.first]["predictions"]
        number = int(request.path.split("/")[1])
        prediction = self.tasks[number // 100 - self.first]["predictions"][number % 100]
        prediction |= json.loads(request.body)
        return 200, prediction

    def _uploaded(self, request: Request) -> tuple[int, Any]:
        head, _, rest = request.body.partition(b"\r\n\r\n")
        content = rest.rpartition(b"\r\n--")[0]
        name = head.partition(b'filename="')[2].partition(b'"')[0].decode()
        file = f"upload/{PROJECT}/{len(self.uploads):08x}-{name}"
        self.uploads[f"/data/{file}"] = content
        return 200, {"id": 7, "file": file, "size": len(content)}

    def _stored(self, request: Request) -> tuple[int, Any]:
        if request.method == "GET":
            return 200, self.storages
        if not self.reads:
            return _UNREADABLE
        self.storages.append({"id": len(self.storages) + 1} | json.loads(request.body))
        return 201, self.storages[-1]

    def _found(self, request: Request) -> tuple[int, Any]:
        filters = json.loads(request.query["query"][0])["filters"]["items"]
        found = [each for each in self.tasks if all(_meets(each, one) for one in filters)]
        rows = [
            {
                "id": each["id"],
                "data": each["data"],
                "meta": each.get("meta", {}),
                "total_predictions": len(each["predictions"]),
                "total_annotations": len(each["annotations"]),
            }
            for each in found
        ]
        return 200, {"tasks": rows, "total": len(rows)}

    def _changed(self, request: Request) -> tuple[int, Any]:
        number = int(request.path.split("/")[1])
        task = next(each for each in self.tasks if each["id"] == number)
        task |= json.loads(request.body) | {"updated_at": self._now()}
        return 200, task

    def _export(self, request: Request) -> tuple[int, Any]:
        wanted = {int(each) for each in request.query["ids[]"]} - self.withheld
        return 200, [each for each in self.tasks if each["id"] in wanted]


class Projects:
    """Several projects of one server, with their numbers from 1; tasks begin at 10,000 times it.

    `deleted` are the numbers of those that it lists no more, and `kind` that of new ones' tasks.
    """

    def __init__(self) -> None:
        self.all: list[SmallLabelStudio] = []
        self.deleted: set[int] = set()
        self.kind = TaskKind.TRANSCRIPT

    def answer(self, request: Request) -> tuple[int, Any]:
        """Status and content of an answer."""
        if request.path == "projects/":
            return self._listed_or_made(request)
        if request.path in ("users/", "current-user/whoami"):
            return self.all[0].answer(request)
        found = re.match("(projects|tasks|predictions)/([0-9]+)", request.path)
        asked = request.query.get("project") or request.query.get("task") or ["0"]
        number = int(found[2] if found else asked[0]) or json.loads(request.body)["project"]
        if found and found[1] == "predictions":
            number //= 100
        return self.all[(number if number < _TASKS else number // _TASKS) - 1].answer(request)

    def _listed_or_made(self, request: Request) -> tuple[int, Any]:
        if request.method == "POST":
            number = len(self.all) + 1
            asked = json.loads(request.body)
            made = SmallLabelStudio(self.kind, number, asked["title"], number * _TASKS)
            made.description, made.sampling = asked["description"], asked["sampling"]
            self.all.append(made)
            return 201, made.listed()
        rows = [each.listed() for each in self.all if each.number not in self.deleted]
        return 200, {"results": rows, "next": None}


def _meets(task: dict[str, Any], condition: dict[str, Any]) -> bool:
    column = condition["filter"].removeprefix("filter:tasks:")
    value = condition["value"]
    if column.startswith("data."):
        return task["data"].get(column.removeprefix("data.")) in value
    known = {"total_annotations": len(task["annotations"]), "cancelled_annotations": 0} | task
    if condition["operator"] == "equal":
        return bool(known[column] == value)
    if condition["operator"] == "in_list":
        return known[column] in value
    return bool(known[column] > value)


@contextmanager
def served(labels: SmallLabelStudio | Projects, run: Cli | InProcess) -> Iterator[None]:
    """Have the commands of a test know a server from their environment; status 0 is no answer."""

    def reply(asked: Asked) -> Answer:
        status, content = labels.answer(Request.of(asked.method, asked.path, asked.body))
        return Answer(status, json.dumps(content).encode() if status else None, {})

    with between(None, reply) as url:
        run.use(LABEL_STUDIO_URL=url, LABEL_STUDIO_API_KEY=TOKEN)
        yield
