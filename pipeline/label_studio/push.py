"""Read this first: how the committed tasks get into a project.

    find or make ─► survey the tasks ─► refuse what ─► keep what needs ─► deliver the others,
    the project     that are new        doesn't fit    no review          batch after batch

Everything before the delivery may be repeated; a refusal comes before anything is sent.
"""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import orjson

from pipeline.errors import BadSettings
from pipeline.ground_truth.store import updating
from pipeline.label_studio import label_config, projects
from pipeline.label_studio.annotations import unreviewed
from pipeline.label_studio.client import connected
from pipeline.label_studio.compatibility import Survey
from pipeline.label_studio.members import (
    Mark,
    Member,
    first_title,
    one_of_several,
    projects_titled,
    title_of_several,
)
from pipeline.label_studio.push_ledger import Place, opened_ledger, project_key
from pipeline.label_studio.push_report import PushReport
from pipeline.label_studio.selection import Selection
from pipeline.label_studio.series import Opening, Series, check_split
from pipeline.label_studio.task_lines import task_lines
from pipeline.label_studio.token import address, read_token
from pipeline.tasks.export import committed_lines
from pipeline.terminal import counted, tell
from pipeline.text import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.label_studio.client import Client
    from pipeline.label_studio.push_ledger import PushLedger
    from pipeline.label_studio.push_report import PushOptions
    from pipeline.label_studio.schema import Project
    from pipeline.label_studio.task_lines import TaskLine


class Push:
    """One push; `report` is filled in on the way.

    Raises:
        BadSettings: no address, token, project or title that could be one, or an audit of nothing.
    """

    def __init__(self, options: PushOptions, environment: Mapping[str, str]) -> None:
        self._config = options.config
        self._options = options
        known = options.config.label_studio
        self._url, self._token = address(known, environment), read_token(known, environment)
        self._size = known.project_size
        self._title = "" if options.create is None else projects.checked_title(options.create)
        check_split(self._title, self._size)
        if not self._title and not known.project:
            raise BadSettings(
                "Into which project?", "Name its number with --project, or --create TITLE."
            )
        if known.audit and not known.review_below:
            raise BadSettings(
                "--audit has nothing to draw from, as every task is pushed",
                "Name with --review-below the score from which tasks need no review.",
            )
        team = options.label_config
        self._team_config = label_config.config_of_team(team) if team else ""
        self._selection = Selection(known.review_below, known.audit)
        self.report = PushReport(ground_truth=known.ground_truth)

    async def complete(self) -> None:
        """Find the project, see whether it fits, then send what it lacks.

        Raises:
            CannotRun: what it says; the same command goes on.
        """
        with opened_ledger(self._config.output_path) as ledger:
            async with connected(self._url, self._token, self._config.limits) as client:
                found = await self._found(client, ledger)
                last = found[-1].project if found else None
                place = await asyncio.to_thread(self._place, ledger, last)
                if last and self._title:
                    self._refuse_other_config(last, place)
                survey = await asyncio.to_thread(self._survey, place)
                if not found and survey.tasks:
                    project, place = await self._created(client, survey, place)
                    found = [Member(1, project)]
                if found:
                    await self._into(client, found, ledger, survey, place)

    async def _found(self, client: Client, ledger: PushLedger) -> list[Member]:
        """The projects that there are, the last of which takes what none of them has."""

        def kept(project: Project) -> str:
            return self._kept(ledger, project).title

        if self._title:
            return await projects_titled(client, self._title, kept)
        number = self._config.label_studio.project
        project = await client.retried(client.project, number)
        if title := title_of_several(project, await client.retried(client.projects), kept):
            raise one_of_several(f"Project {number}", title)
        return [Member(1, project)]

    def _refuse_other_config(self, project: Project, place: Place) -> None:
        """Refuse a labeling configuration for a project that is there and keeps another."""
        asked = self._options.label_config
        if asked and label_config.digest(self._team_config) != label_config.digest(
            project.label_config
        ):
            raise label_config.keeps_another(self._address(project), f"that of {asked}")
        layout = self._options.layout
        if layout and not label_config.has_layout(project, place, layout):
            raise label_config.keeps_another(self._address(project), f"the layout {layout}")

    def _kept(self, ledger: PushLedger, project: Project) -> Place:
        key = project_key(self._address(project), project.created_at)
        return ledger.place(key, self._selection)

    def _place(self, ledger: PushLedger, project: Project | None) -> Place:
        """Where in the output to begin."""
        if not project:
            return Place(**self._selection._asdict(), sound=self._config.label_studio.upload_audio)
        kept = self._kept(ledger, project)
        sound = self._config.label_studio.upload_audio
        again = self._options.again or (sound and not kept.sound)
        kept = msgspec.structs.replace(kept, sound=sound)
        if again:
            return msgspec.structs.replace(kept, size=0, tasks=0)
        return kept if kept.tasks else self._counted(kept)

    def _places(self, ledger: PushLedger, full: list[Project], last: Place) -> list[Place]:
        """Those of full projects, whose tasks count again when the last one begins again."""
        places = [self._place(ledger, each) for each in full]
        return places if last.size else [msgspec.structs.replace(p, tasks=0) for p in places]

    def _counted(self, place: Place) -> Place:
        """The place with what was pushed before it, where it does not say so itself."""
        survey = Survey()
        lines = self._tasks(0) if place.size else iter(())
        for line in takewhile(lambda line: line.end <= place.size, lines):
            if place.selection.is_for_review(line):
                survey.add(line)
        buckets = tuple(sorted(survey.buckets))
        return msgspec.structs.replace(place, tasks=survey.tasks, buckets=buckets)

    def _survey(self, place: Place) -> Survey:
        """What the tasks from there on need."""
        survey = Survey()
        for line in self._tasks(place.size):
            survey.add(line)
        return survey

    def _tasks(self, after: int) -> Iterator[TaskLine]:
        path = self._config.output_path
        return task_lines(committed_lines(path, self._config.state_path, after), after)

    async def _created(self, client: Client, survey: Survey, place: Place) -> tuple[Project, Place]:
        layout, content = self._config.label_studio.layout, self._team_config
        if self._options.label_config:
            label_config.check_config_of_team(self._options.label_config, content, survey)
        if self._options.layout:
            label_config.check_layout(survey)
        ours = label_config.label_config_for(survey, layout)
        project = await projects.create_project(client, Mark(self._title, 1), content or ours)
        self.report.created = True
        known = "" if content else label_config.digest(project.label_config)
        return project, msgspec.structs.replace(place, label_config=known, layout=layout)

    async def _upgraded(
        self, client: Client, project: Project, place: Place
    ) -> tuple[Project, Place]:
        """The project with the labeling configuration of this version, where it may have it."""
        fresh = label_config.later_config(project, place)
        if not fresh:
            return project, place
        if why := await label_config.upgrade(client, project, fresh):
            self.report.advice.append(label_config.outdated_advice(self._address(project), why))
            return project, place
        self.report.upgraded = True
        project = await client.retried(client.project, project.id)
        known = label_config.digest(project.label_config)
        return project, msgspec.structs.replace(place, label_config=known)

    async def _into(
        self,
        client: Client,
        found: list[Member],
        ledger: PushLedger,
        survey: Survey,
        place: Place,
    ) -> None:
        *full, project = (each.project for each in found)
        self.report.project, self.report.address = project.id, self._address(project)
        for each in (*full, project):
            projects.check_fit(self._address(each), each, survey)
        title = first_title(found, place.title, self._title) if self._title else place.title
        for member in found if self._title else ():
            self.report.advice += await projects.mark(client, title, member)
        project, place = await self._upgraded(client, project, place)
        buckets = tuple(sorted({*place.buckets, *survey.buckets}))
        made = place.made or bool(self._title)
        place = msgspec.structs.replace(place, buckets=buckets, made=made, title=title)
        self.report.advice += _unheard(survey, copied=place.sound)
        await asyncio.to_thread(self._keep_good, place, survey.tasks)
        shown = msgspec.structs.replace(
            project, model_version=project.model_version or survey.version
        )
        opening = Opening(client, ledger, self._options, self.report)
        places = await asyncio.to_thread(self._places, ledger, full, place)
        ways = [await opening.way(each, known) for each, known in zip(full, places, strict=True)]
        ways.append(await opening.ready(shown, place))
        self.report.there = sum(each.place.tasks for each in ways)
        most = self._config.label_studio.segments_per_task
        series = Series(ways, self._size, most, opening.behind)
        with counted(self._options.style, survey.tasks, "tasks") as show:
            await ways[-1].complete(
                islice(self._tasks(place.size), survey.tasks),
                show,
                partial(tell, self._options.style),
                series.take if self._title else None,
            )

    def _keep_good(self, place: Place, most: int) -> None:
        """Put what needs no review into the ground truth."""
        if not place.review_below:
            return
        with updating(Path(self._config.label_studio.ground_truth)) as update:
            for line in islice(self._tasks(place.size), most):
                if not place.selection.is_uncertain(line):
                    task = orjson.loads(place.selection.content(line))
                    update.put_auto(unreviewed(task))
            update.commit()

    def _address(self, project: Project) -> str:
        return f"{self._url}/projects/{project.id}"


def _unheard(survey: Survey, *, copied: bool) -> list[str]:
    """Which recordings no browser plays, wherever they lie."""
    advice = []
    if survey.unplayable and not copied:
        advice.append(
            f"{count_of(survey.unplayable, 'recording lies', 'recordings lie')} in a folder of "
            f"this machine (file://), {survey.unplayable_bytes / 1e6:,.1f} MB, which browsers do "
            "not play. To have them heard, copy them to Label Studio with --upload-audio, or put "
            "them into a bucket and run over that."
        )
    if survey.mute:
        advice.append(
            f"{count_of(survey.mute, 'recording is', 'recordings are')} AMR, which browsers do not "
            "play: reviewers see the text and hear nothing. Put copies in MP3 or FLAC into the "
            "bucket, and run over those."
        )
    return advice
