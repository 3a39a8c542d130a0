"""Recordings that were cut into several tasks: their reviews become one line each.

A recording has its line once every part has a review that counts; never a shortened one, and none
of two transcripts. A change of one part has all of them listed and fetched. Reviews of parts that
are in no line are noted beside the file.

A push that gives reviewed tasks new predictions does so one by one. While some tasks of a line have
the earlier job and some the later one, the line stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import to_builtins
from msgspec.structs import replace

from pipeline.errors import Unavailable
from pipeline.ground_truth.joined import line_of, partial_of
from pipeline.ground_truth.waiting_parts import Waiting, with_unread
from pipeline.label_studio.client import CHANGED, tasks_query
from pipeline.label_studio.errors import untrusted
from pipeline.label_studio.filters import job_id_filter, numbers_filter
from pipeline.label_studio.schema import Changed, Page, RecordingRow
from pipeline.tasks.recording_parts import parts_by_name, wholes_of

if TYPE_CHECKING:
    from collections.abc import (
        Awaitable,
        Callable,
        Collection,
        Iterator,
        Mapping,
        Sequence,
    )

    from pipeline.ground_truth.record import GroundTruth
    from pipeline.ground_truth.store import Update
    from pipeline.ground_truth.waiting_parts import ByJob
    from pipeline.label_studio.client import Client
    from pipeline.tasks.recording_parts import Part

    Reviews = Callable[[Sequence[Changed]], Awaitable[dict[int, list[GroundTruth]]]]

_AT_ONCE = 20
_MOST_LISTED = 500
"""Tasks of a call, which gives out a thousand."""


class Reviewed(NamedTuple):
    """A project of which reviews are taken, and whose reviews of a part count before others'.

    `whole` is whether all are taken, and not only what changed.
    """

    number: int
    url: str
    prefer: Sequence[str]
    whole: bool


class CutRecordings:
    """Those of a project, in one pull.

    `waiting` has what is in no line: first as it was noted, then as it is, as far as the server
    gives it out. What was chosen by other preferred reviewers than those of today is chosen again.
    `split` are reviewed tasks of lines of
    which other tasks have another job; `seen` the names of the annotations that were fetched;
    `unknown` how many annotations those tasks of parts have of which nothing tells which part.

    Args:
        client: asks the server.
        project: which one.
        have_lines: the jobs of recordings that have a line, with the numbers of its tasks.
        waiting: what was noted.
    """

    def __init__(
        self, client: Client, project: Reviewed, have_lines: Mapping[str, set[int]], waiting: ByJob
    ) -> None:
        self._client = client
        self._project = project
        self._known = {*have_lines, *waiting}
        self._have_lines = have_lines
        self._line_of = {task: job for job, tasks in have_lines.items() for task in tasks}
        again = {j: e for j, e in waiting.items() if project.whole or e.prefer != [*project.prefer]}
        self._jobs = {job: each.parts for job, each in again.items()}
        self.waiting = dict(waiting)
        self.split: list[int] = []
        self.seen: set[str] = set()
        self.unknown: dict[int, int] = {}
        partial = (part for each in waiting.values() if each.partial for part in each.partial.parts)
        self._joined = {*self._line_of, *(part.task_id for part in partial)}

    def note(self, task: Changed) -> None:
        """Have a task's recording looked at, unless it has no review and never had one."""
        part = task.part
        if task.total_annotations or part.job_id in self._known:
            self._jobs[part.job_id] = part.total

    def note_unnamed(self, task: int, lines: Sequence[GroundTruth], *, named: bool) -> bool:
        """Whether these reviews are of a part that a task's `meta` does not tell any more.

        The ids of the results tell that it is one, or the task's name does (`named`): where nothing
        was heard, or all was drawn anew, no id has a key. Its recording is then looked at.
        """
        self.waiting.pop(_unnamed(task), None)
        job_id = next((line.job_id for line in lines if named or line.transcript), None)
        if job_id is None:
            return False
        self.unknown[task] = len(lines)
        if job_id:
            self._jobs.setdefault(job_id, 1)
        return True

    async def put(self, reviews: Reviews, update: Update) -> int:
        """Put the lines of all that were noted; how many annotations they have.

        Args:
            reviews: fetches those of some tasks, by their numbers; a task is left out where the
                server does not give out what it counts.
            update: gets the lines.
        """
        counted = 0
        for jobs in _at_once(self._jobs):
            rows = await self._client.retried(self._tasks, jobs)
            for job_id in jobs:
                tasks = [row for row in rows if row.part.job_id == job_id]
                counted += await self._put(job_id, tasks, reviews, update)
        for task, reviewed in self.unknown.items():
            noted = Waiting(reviewed, 0, 0, [task], [*self._project.prefer])
            self.waiting[_unnamed(task)] = noted
        return counted + sum(self.unknown.values())

    async def _tasks(self, jobs: Sequence[str]) -> list[Changed]:
        """The tasks of the parts of these jobs' recordings."""
        query = tasks_query(self._project.number, CHANGED, job_id_filter(jobs))
        page = await self._client.get(Page[Changed], "tasks", query)
        found = [row for row in page.tasks if row.part.cuts]
        if not {row.part.job_id for row in found} <= set(jobs):
            raise untrusted(self._client.url, "it gives out other tasks than were asked for")
        if len(page.tasks) < page.total:
            raise Unavailable(f"{self._client.url} counts more tasks than it gives out")
        others = [row for row in page.tasks if not row.part.cuts and self._may_be_part(row)]
        return found + (await self._by_name(others, found) if others else [])

    def _may_be_part(self, task: Changed) -> bool:
        """Whether a task that tells no part is no reviewed one of a whole recording."""
        noted = {*self.unknown, *self._joined}
        return not task.total_annotations or task.id in noted or _unnamed(task.id) in self.waiting

    async def _by_name(self, tasks: Sequence[Changed], known: Sequence[Changed]) -> list[Changed]:
        """Those of the tasks that have a part by their names, with that part as their `meta`."""
        fields = "id,data,meta,total_annotations"
        query = tasks_query(
            self._project.number, fields, numbers_filter([each.id for each in tasks])
        )
        page = await self._client.get(Page[RecordingRow], "tasks", query)
        names: dict[str, dict[int, str]] = {}
        for row in page.tasks:
            job_id = str(row.data.get("job_id"))
            names.setdefault(job_id, {})[row.id] = str(row.data.get("recording"))
        parts: dict[int, Part] = {}
        for job_id, of_job in names.items():
            cuttings = {row.part.cuts for row in known if row.part.job_id == job_id}
            parts |= parts_by_name(of_job, job_id, sorted(cuttings))
        for task in parts:
            self.unknown.pop(task, None)
            self.waiting.pop(_unnamed(task), None)
        return [
            replace(each, meta={"part": to_builtins(parts[each.id])})
            for each in tasks
            if each.id in parts
        ]

    async def _put(
        self, job_id: str, tasks: Sequence[Changed], reviews: Reviews, update: Update
    ) -> int:
        """Put the line of a recording, or that it has none; how many annotations it has."""
        annotated = [task for task in tasks if task.total_annotations]
        parts = {task.part for task in annotated}
        whole = {part for parts in wholes_of(parts) for part in parts}
        if not whole and (split := await self._split(job_id, tasks)):
            self.split += split
            return 0
        found = await self._found([each for each in annotated if each.part in whole], reviews)
        if whole and not found:
            return 0  # what the server does not give out stays as it was
        more = [each for each in annotated if each.part not in whole]
        found |= await self._found(more, reviews)
        self._put_found(job_id, tasks, found, update)
        return sum(task.total_annotations for task in annotated)

    def _put_found(
        self,
        job_id: str,
        tasks: Sequence[Changed],
        found: Mapping[Part, list[GroundTruth]],
        update: Update,
    ) -> None:
        """Put the line of a recording, and note of its reviews what is in none."""
        prefer = self._project.prefer
        line, counts = line_of(found, prefer)
        numbers = {part.task_id for part in line.parts} if line else set()
        rest = {
            part: lines
            for part, lines in found.items()
            if numbers.isdisjoint(each.task_id for each in lines)
        }
        partial, alone = partial_of(rest, prefer)
        update.put_recording(self._project.url, job_id, [line] if line else [])
        before = self.waiting.pop(job_id, None)
        counted = sum(task.total_annotations for task in tasks)
        if counted > len(numbers):
            not_given = [e for e in tasks if e.total_annotations and e.part not in found]
            unread = {each.part for each in not_given}
            partial = with_unread(partial, before, {each.id for each in not_given})
            of_wholes = {part for whole in wholes_of(found) for part in whole}
            noted = _waiting(tasks, counted, len(numbers), counts | unread | (alone - of_wholes))
            self.waiting[job_id] = replace(noted, prefer=[*prefer], partial=partial)

    async def _split(self, job_id: str, tasks: Sequence[Changed]) -> list[int]:
        """The reviewed tasks of its line, or of that which its tasks are in, that are not of it.

        A server that was set up again gives the numbers of a line to other recordings, which are
        not cut at the same seconds.
        """
        numbers = {*(task.id for task in tasks), *self.unknown}
        cuts = {task.part.cuts for task in tasks}
        lines = {job_id, *(self._line_of.get(each, job_id) for each in numbers)}
        elsewhere = {n for each in lines for n in self._have_lines.get(each, ())} - numbers
        found: list[int] = []
        for some in _some(sorted(elsewhere)):
            query = tasks_query(self._project.number, CHANGED, numbers_filter(some))
            page = await self._client.retried(self._client.get, Page[Changed], "tasks", query)
            same = (row for row in page.tasks if not cuts or row.part.cuts in cuts)
            found += [row.id for row in same if row.id in elsewhere and row.total_annotations]
        return found

    async def _found(
        self, tasks: Sequence[Changed], reviews: Reviews
    ) -> dict[Part, list[GroundTruth]]:
        """The reviews of each part, none at all where the server does not give out all of them."""
        found: dict[int, list[GroundTruth]] = {}
        for begin in range(0, len(tasks), _AT_ONCE):
            found |= await reviews(tasks[begin : begin + _AT_ONCE])
        by_part: dict[Part, list[GroundTruth]] = {}
        for task in tasks if all(task.id in found for task in tasks) else ():
            by_part.setdefault(task.part, []).extend(found[task.id])
            self.seen |= {line.annotation_uid for line in found[task.id]} - {""}
        return by_part


def _unnamed(task: int) -> str:
    """The name under which a task of an unknown part is noted; no job has it."""
    return f"task {task}"


def _waiting(
    tasks: Sequence[Changed], counted: int, in_line: int, counts: Collection[Part]
) -> Waiting:
    """What is noted of a recording with so many annotations in all and in its line.

    Of the parts in `counts` there is a review that counts. Where it was cut in several ways, that
    way is noted which lacks the fewest.
    """
    if in_line:
        return Waiting(annotations=counted - in_line, parts=in_line, reviewed=in_line)

    def way(cuts: tuple[float, ...]) -> Waiting:
        reviewed = {part.number for part in counts if part.cuts == cuts}
        of_it = [task for task in tasks if task.part.cuts == cuts]
        lacking = [task.id for task in of_it if task.part.number not in reviewed]
        return Waiting(counted, len(cuts) + 1, len(reviewed), lacking)

    ways = [way(cuts) for cuts in sorted({task.part.cuts for task in tasks})]
    return min(ways, key=lambda each: each.parts - each.reviewed)


def _at_once(jobs: Mapping[str, int]) -> Iterator[list[str]]:
    """The jobs whose tasks are listed by one call."""
    some: list[str] = []
    tasks = 0
    for job_id, parts in jobs.items():
        if some and (len(some) == _AT_ONCE or tasks + parts > _MOST_LISTED):
            yield some
            some, tasks = [], 0
        some.append(job_id)
        tasks += parts
    if some:
        yield some


def _some(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """The numbers, as many at a time as a call lists tasks."""
    for begin in range(0, len(numbers), _MOST_LISTED):
        yield numbers[begin : begin + _MOST_LISTED]
