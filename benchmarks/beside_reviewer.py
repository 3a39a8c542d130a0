"""Tasks pushed into a real Label Studio while somebody reviews: `make bench-push COUNT=40000`.

The reviewer takes the next task as *Label All Tasks* does, submits what it predicts, and waits a
fifth of a second; each answer's time is theirs to wait. Label Studio loses predictions where two
writers meet (1.23 on SQLite), so what stands in the project is counted at the end: it ends with 1
unless every task is there with its one prediction, and no reviewer met one without.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tests.conftest import COMMAND, clean_environment
from tests.label_studio_server.outputs import add_tasks, many
from tests.label_studio_server.server import LabelStudio, from_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COUNT = 40_000
_TITLE = "Calls beside a reviewer"
_PAUSE_SECONDS = 0.2
_PAGE = 5_000


@dataclass
class Reviewer:
    """Somebody who reviews one task after the other, once a project has some.

    `opened` and `submitted` are how long each took, in seconds; `empty` counts tasks that had no
    prediction when they were opened.
    """

    server: LabelStudio
    project: Callable[[], int | None]
    opened: list[float] = field(default_factory=list)
    submitted: list[float] = field(default_factory=list)
    empty: int = 0
    errors: list[str] = field(default_factory=list)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Review for as long as this is held."""
        stop = threading.Event()
        thread = threading.Thread(target=self._review, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _review(self, stop: threading.Event) -> None:
        project = None
        while not stop.wait(_PAUSE_SECONDS):
            try:
                if project := project or self.project():
                    self._review_one(project)
            except (
                AssertionError,
                OSError,
            ) as error:
                self.errors.append(str(error)[:200])

    def _review_one(self, project: int) -> None:
        begun = time.monotonic()
        task = self.server.call("GET", f"projects/{project}/next/")
        self.opened.append(time.monotonic() - begun)
        predictions = task["predictions"]
        self.empty += not predictions
        begun = time.monotonic()
        self.server.annotate(task["id"], predictions[0]["result"] if predictions else [])
        self.submitted.append(time.monotonic() - begun)


def number_of(server: LabelStudio, title: str) -> int | None:
    """The number of a project, once there are tasks to review in it."""
    found = server.call("GET", "projects/", title=title)["results"]
    return found[0]["id"] if found and found[0]["task_number"] else None


def predictions_in(server: LabelStudio, project: int) -> list[int]:
    """How many predictions each task has."""
    counts: list[int] = []
    asked = {"fields": "task_only", "include": "id,total_predictions", "resolve_uri": "false"}
    for page in range(1, sys.maxsize):
        answer = server.call("GET", "tasks", project=project, page=page, page_size=_PAGE, **asked)
        counts += [each["total_predictions"] for each in answer["tasks"]]
        if len(counts) >= answer["total"]:
            return counts
    raise AssertionError


def timed(server: LabelStudio, **query: Any) -> float:
    """Seconds that an answer of the Data Manager takes."""
    begun = time.monotonic()
    server.call("GET", "tasks", **query)
    return time.monotonic() - begun


def measure(folder: Path, count: int) -> dict[str, Any]:
    """Push so many tasks beside a reviewer; what was counted, and the longest waits in seconds."""
    server = from_seed(folder / "label-studio")
    server.start()
    try:
        add_tasks(folder, many(count))
        reviewer = Reviewer(server, lambda: number_of(server, _TITLE))
        begun = time.monotonic()
        with reviewer.at_work():
            report = _pushed(folder, server)
            seconds = time.monotonic() - begun
        counts = predictions_in(server, report["project"])
        opening = timed(server, project=report["project"], page=1, page_size=30, fields="all")
        return {
            "tasks": len(counts),
            "with_one_prediction": counts.count(1),
            "seconds": seconds,
            "repaired": report["mended"],
            "reviews": len(reviewer.submitted),
            "opened_empty": reviewer.empty,
            "errors": reviewer.errors,
            "longest_opening": max(reviewer.opened, default=0.0),
            "longest_submit": max(reviewer.submitted, default=0.0),
            "data_manager": opening,
        }
    finally:
        server.stop()


def _pushed(folder: Path, server: LabelStudio) -> dict[str, Any]:
    told = {"LABEL_STUDIO_URL": server.url, "LABEL_STUDIO_API_KEY": server.token}
    done = subprocess.run(
        [COMMAND, "push", "--create", _TITLE, "--json", "--output", folder / "tasks.jsonl"],
        env=clean_environment(**told),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def is_whole(found: dict[str, Any], count: int) -> bool:
    """Whether every task is there with its one prediction, and each was opened with it."""
    everything = found["tasks"] == found["with_one_prediction"] == count
    return everything and not found["opened_empty"] and not found["errors"]


def main() -> None:
    """Measure with so many tasks as are named."""
    count = int(sys.argv[1]) if sys.argv[1:] else COUNT
    with TemporaryDirectory(prefix="push-") as folder:
        found = measure(Path(folder), count)
    sys.stdout.write(f"{json.dumps(found, indent=1)}\n")
    sys.exit(not is_whole(found, count))


if __name__ == "__main__":
    main()
