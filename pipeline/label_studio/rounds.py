"""A later round over recordings that a project has: their tasks get the new predictions.

Another language or other settings make other jobs of the same recordings. A task is known by its
recording (the audio's URI and the ETag), so it is the same task: nobody reviews it twice. What a
person has reviewed stays as it is, unless that is asked for.

A prediction is changed where it stands and keeps its number: who has the task open just then can
submit all the same (1.23 refuses an annotation whose prediction was deleted). The task's data comes
last, with the job by which the next push finds it; whatever is killed before is done again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from pipeline.config.metadata import COPIED, TASK_NAMES
from pipeline.errors import Unavailable
from pipeline.label_studio.client import MOST_ROWS, tasks_query
from pipeline.label_studio.errors import untrusted
from pipeline.label_studio.filters import recordings_filter
from pipeline.label_studio.schema import Page, RecordingRow
from pipeline.label_studio.task_lines import MOST_QUERY, id_length, named

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from pipeline.label_studio.client import Client
    from pipeline.label_studio.schema import Project
    from pipeline.label_studio.task_lines import TaskLine

_LISTS = ("speakers", "languages")
_OUR_META = ("audit", "etag", "size", "silent", "redacted", "unredacted_transcript")


class _Known(msgspec.Struct, frozen=True):
    """A prediction that a task has."""

    id: int
    model_version: str | None = ""


class EarlierTasks:
    """The tasks of a project, by their recordings."""

    def __init__(self, client: Client, project: Project, *, reviewed_too: bool = False) -> None:
        self.client = client
        self.project = project
        self._reviewed_too = reviewed_too

    async def renew(
        self, lines: Sequence[TaskLine], renewed: set[str], kept: set[str]
    ) -> list[TaskLine]:
        """Give earlier tasks of the same recordings the new predictions; may be called again.

        Args:
            lines: tasks that the project has not, by their jobs.
            renewed: gets the jobs whose recordings' tasks have their predictions now.
            kept: gets those whose recordings are reviewed.

        Returns:
            The tasks of recordings that the project does not have.
        """
        new = []
        for some in askable(lines):
            rows = await self.tasks_of([str(line.data["audio"]) for line in some])
            for line in some:
                row = _task_of(line, rows)
                if row is None:
                    new.append(line)
                elif row.total_annotations and not self._reviewed_too:
                    kept.add(line.job_id)
                else:
                    await self._renew(row, line)
                    renewed.add(line.job_id)
        return [*new, *(line for line in lines if not isinstance(line.data.get("audio"), str))]

    async def tasks_of(self, audio: Sequence[str]) -> list[RecordingRow]:
        """The tasks of recordings by their URIs, also those that play a copy."""
        rows = await self._with(audio, "audio")
        local = [each for each in audio if each.startswith("file:")]
        return rows + await self._with(local, COPIED) if local else rows

    async def _with(self, audio: Sequence[str], name: str) -> list[RecordingRow]:
        fields = "id,data,meta,total_annotations"
        query = tasks_query(self.project.id, fields, recordings_filter(name, audio))
        page = await self.client.get(Page[RecordingRow], "tasks", query)
        if not {row.data.get(name) for row in page.tasks} <= set(audio):
            raise untrusted(self.client.url, "it gives out other tasks than were asked for")
        if len(page.tasks) < min(page.total, MOST_ROWS):
            raise Unavailable(f"{self.client.url} counts more tasks than it gives out")
        return page.tasks

    async def _renew(self, row: RecordingRow, line: TaskLine) -> None:
        shown = self.project.model_version or ""
        task = orjson.loads(named(line, shown))
        await self._predict(row.id, task.get("predictions", []))
        version = line.predictions[0].model_version if line.predictions else ""
        copy = {"audio": row.data["audio"], COPIED: row.data[COPIED]} if COPIED in row.data else {}
        fresh = {
            "data": merged(row.data, task["data"]) | {"model_version": version} | copy,
            "meta": _others(row.meta or {}, _OUR_META) | task.get("meta", {}),
        }
        await self._patch(f"tasks/{row.id}/", fresh)

    async def _predict(self, task: int, predictions: Sequence[dict[str, Any]]) -> None:
        """Put a prediction in the place of the task's only one, or of the one that is shown."""
        for prediction in predictions:
            known = await self.client.get(list[_Known], "predictions", {"task": str(task)})
            shown = [each for each in known if each.model_version == prediction["model_version"]]
            if place := (known if not known[1:] else shown)[:1]:
                whose = {"task": task, "project": self.project.id}  # or 1.23 can't check it
                await self._patch(f"predictions/{place[0].id}/", whose | prediction)
            else:
                wanted = [{"task": task, **prediction}]
                await self.client.import_predictions(self.project.id, wanted)

    async def _patch(self, path: str, changes: dict[str, Any]) -> None:
        await self.client.ask("PATCH", path, None, msgspec.json.encode(changes))


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The new data over the old; what someone may have chosen already stays in the lists."""
    both = _others(old, TASK_NAMES) | new
    for name in _LISTS:
        if isinstance(old.get(name), list) and isinstance(new.get(name), list):
            listed = [each["value"] for each in new[name]]
            more = [e for e in old[name] if isinstance(e, dict) and e.get("value") not in listed]
            both[name] = [*new[name], *more]
    return both


def _others(old: dict[str, Any], ours: Collection[str]) -> dict[str, Any]:
    """What is not ours to write again: what a round says that the next one does not is over."""
    return {name: value for name, value in old.items() if name not in ours}


def _task_of(line: TaskLine, rows: Iterable[RecordingRow]) -> RecordingRow | None:
    """The recording's task, of several a reviewed one; None where the content was another."""
    audio = line.data["audio"]
    same = [
        row
        for row in rows
        if row.data.get(COPIED, row.data.get("audio")) == audio
        and isinstance(row.data.get("job_id"), str)  # another program's tasks stay as they are
        and (not line.etag or (row.meta or {}).get("etag", line.etag) == line.etag)
    ]
    return max(same, key=lambda row: (row.total_annotations > 0, -row.id), default=None)


def askable(lines: Iterable[TaskLine]) -> Iterator[list[TaskLine]]:
    """The lines with audio, as many at a time as one address can ask for."""
    some: list[TaskLine] = []
    size = 0
    for line in lines:
        if not isinstance(audio := line.data.get("audio"), str):
            continue
        longer = id_length(audio)
        if some and size + longer > MOST_QUERY:
            yield some
            some, size = [], 0
        some.append(line)
        size += longer
    if some:
        yield some
