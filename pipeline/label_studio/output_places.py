"""Where in the output each project of a push goes on, and what the tasks from there need."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

import msgspec

from pipeline.label_studio.compatibility import Survey
from pipeline.label_studio.push_ledger import Place, project_key
from pipeline.label_studio.selection import Selection
from pipeline.label_studio.task_lines import task_lines
from pipeline.tasks.export import committed_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipeline.config.label_studio import LabelStudio
    from pipeline.label_studio.push_ledger import PushLedger
    from pipeline.label_studio.schema import Project
    from pipeline.label_studio.task_lines import TaskLine


class OutputPlaces:
    """The places in the output up to which projects of a server have its tasks.

    `url` is the server's, `files` are the output and its state file. The `ledger` tells what
    earlier pushes have done; with `again` they count for nothing.
    """

    def __init__(
        self,
        ledger: PushLedger,
        url: str,
        chosen: LabelStudio,
        files: tuple[Path, Path],
        *,
        again: bool,
    ) -> None:
        self.ledger = ledger
        self._url = url
        self._sound = chosen.upload_audio
        self._selection = Selection(chosen.review_below, chosen.audit)
        self._output, self._state = files
        self._again = again

    def title(self, project: Project) -> str:
        """The title by which the ledger knows a project; "" where it knows none."""
        return self._kept(project).title

    def of(self, project: Project | None) -> Place:
        """Where in the output to go on for a project: at its begin for one that is yet to be made.

        It begins again, and each task is looked up, where that was asked for, or where recordings
        are to be heard that were not before.
        """
        if not project:
            return Place(**self._selection._asdict(), sound=self._sound)
        kept = self._kept(project)
        begins = self._again or (self._sound and not kept.sound)
        kept = msgspec.structs.replace(kept, sound=self._sound)
        if begins:
            return msgspec.structs.replace(kept, size=0, tasks=0)
        return kept if kept.tasks else self._counted(kept)

    def of_full(self, full: Sequence[Project], last: Place) -> list[Place]:
        """Those of full projects, whose tasks count again when the last one begins again."""
        places = [self.of(each) for each in full]
        return places if last.size else [msgspec.structs.replace(p, tasks=0) for p in places]

    def survey(self, place: Place) -> Survey:
        """What the tasks from there on need."""
        survey = Survey()
        for line in self.lines(place.size):
            survey.add(line)
        return survey

    def lines(self, after: int) -> Iterator[TaskLine]:
        """The committed tasks behind so many bytes of the output."""
        return task_lines(committed_lines(self._output, self._state, after), after)

    def _kept(self, project: Project) -> Place:
        key = project_key(f"{self._url}/projects/{project.id}", project.created_at)
        return self.ledger.place(key, self._selection)

    def _counted(self, place: Place) -> Place:
        """The place with what was pushed before it, where it does not say so itself."""
        survey = Survey()
        lines = self.lines(0) if place.size else iter(())
        for line in takewhile(lambda line: line.end <= place.size, lines):
            if place.selection.is_for_review(line):
                survey.add(line)
        buckets = tuple(sorted(survey.buckets))
        return msgspec.structs.replace(place, tasks=survey.tasks, buckets=buckets)
