"""A later round over recordings that a project has: their tasks get the new predictions.

Another language or other settings make other jobs of the same recordings. A task is known by its
recording (the audio's URI and the ETag), so it is the same task: nobody reviews it twice. What a
person has reviewed stays as it is, unless that is asked for.

A prediction is changed where it stands and keeps its number: who has the task open just then can
submit all the same (1.23 refuses an annotation whose prediction was deleted). The task's data comes
last, with the job by which the next push finds it; whatever is killed before is done again.

A recording that was cut into several tasks stays cut where it was: the new prediction is cut there.
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
from pipeline.label_studio.task_lines import MOST_QUERY, id_length, named, parts_of
from pipeline.tasks.recording_parts import cuts_of

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
    """The tasks of a project, by their recordings.

    `segments_per_task` is how many segments a new task has at most; 0 cuts none.
    """

    def __init__(
        self,
        client: Client,
        project: Project,
        *,
        reviewed_too: bool = False,
        segments_per_task: int = 0,
    ) -> None:
        self.client = client
        self.project = project
        self._reviewed_too = reviewed_too
        self._segments_per_task = segments_per_task

    async def renew(
        self,
        lines: Sequence[TaskLine],
        renewed: set[str],
        kept: set[str],
        lacking: set[str],
    ) -> list[TaskLine]:
        """Give earlier tasks of the same recordings the new predictions; may be called again.

        Args:
            lines: those of which the project lacks tasks, by their jobs.
            renewed: gets the jobs whose recordings' tasks have their predictions now.
            kept: gets those whose recordings are reviewed.
            lacking: gets those of them that have not every part.

        Returns:
            The tasks that the project does not have.
        """
        new = []
        for some in askable(lines):
            rows = await self.tasks_of([str(line.data["audio"]) for line in some])
            for line in some:
                there = _tasks_there(line, rows)
                if self._is_kept(line, there):
                    kept.add(line.job_id)
                    if len(there) < there[0].part.total:
                        lacking.add(line.job_id)
                    continue
                cuts = there[0].part.cuts if there else self._cuts(line)
                parts = parts_of(line, cuts)
                for row in there:
                    if row.part.job_id != line.job_id:
                        await self._renew(row, parts[row.part.number - 1])
                        renewed.add(line.job_id)
                numbers = {row.part.number for row in there}
                new += [each for each in parts if each.part and each.part.number not in numbers]
        mute = [line for line in lines if not isinstance(line.data.get("audio"), str)]
        return [*new, *(part for line in mute for part in parts_of(line, ()))]

    def _is_kept(self, line: TaskLine, there: Sequence[RecordingRow]) -> bool:
        """Whether it is reviewed and to stay; a round that was begun with it is completed."""
        begun = any(row.part.job_id == line.job_id for row in there)
        return not (begun or self._reviewed_too) and any(row.total_annotations for row in there)

    def _cuts(self, line: TaskLine) -> tuple[float, ...]:
        return cuts_of(line.content, self._segments_per_task)

    async def known(self, lines: Sequence[TaskLine]) -> set[str]:
        """The jobs of those lines of which the project has a task, by its job or its recording."""
        found = await self.client.find_tasks(self.project.id, [line.job_id for line in lines])
        known = {row.data.job_id for row in found}
        for some in askable(line for line in lines if line.job_id not in known):
            rows = await self.tasks_of([str(line.data["audio"]) for line in some])
            known |= {line.job_id for line in some if _tasks_there(line, rows)}
        return known

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


def is_of_recording(row: RecordingRow, line: TaskLine) -> bool:
    """Whether a task is one of a line's recording, of the same content, that a push has made."""
    return (
        row.data.get(COPIED, row.data.get("audio")) == line.data["audio"]
        and isinstance(row.data.get("job_id"), str)  # another program's tasks stay as they are
        and (not line.etag or (row.meta or {}).get("etag", line.etag) == line.etag)
    )


def _tasks_there(line: TaskLine, rows: Iterable[RecordingRow]) -> list[RecordingRow]:
    """The recording's tasks, one for each part; of several a reviewed one, else the first.

    There are none where the content was another. Where it was cut in several ways, one of them
    counts: that of which a task is reviewed.
    """
    same = [row for row in rows if is_of_recording(row, line)]
    same.sort(key=lambda row: (row.part.job_id != line.job_id, not row.total_annotations, row.id))
    parts: dict[int, RecordingRow] = {}
    for row in same:
        if row.part.cuts == same[0].part.cuts:
            parts.setdefault(row.part.number, row)
    return list(parts.values())


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
