"""Read this first: how the committed tasks get into a project.

    find or make ─► survey the tasks ─► refuse what ─► keep what needs ─► deliver the others,
    the project     that are new        doesn't fit    no review          batch after batch

Everything before the delivery may be repeated; a refusal comes before anything is sent.
"""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import orjson

from pipeline.errors import BadSettings
from pipeline.ground_truth.store import updating
from pipeline.label_studio import label_config, projects
from pipeline.label_studio.annotations import unreviewed
from pipeline.label_studio.client import connected
from pipeline.label_studio.members import (
    Mark,
    Member,
    first_title,
    one_of_several,
    projects_titled,
    title_of_several,
)
from pipeline.label_studio.output_places import OutputPlaces
from pipeline.label_studio.push_ledger import opened_ledger
from pipeline.label_studio.push_report import PushReport
from pipeline.label_studio.series import Opening, Series, check_split
from pipeline.label_studio.token import address, read_token
from pipeline.terminal import counted, tell
from pipeline.text import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.label_studio.client import Client
    from pipeline.label_studio.compatibility import Survey
    from pipeline.label_studio.delivery import Deliveries
    from pipeline.label_studio.push_ledger import Place
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
        self.report = PushReport(ground_truth=known.ground_truth)

    async def complete(self) -> None:
        """Find the project, see whether it fits, then send what it lacks.

        Raises:
            CannotRun: what it says; the same command goes on.
        """
        config, again = self._config, self._options.again
        files = config.output_path, config.state_path
        with opened_ledger(config.output_path) as ledger:
            async with connected(self._url, self._token, config.limits) as client:
                places = OutputPlaces(ledger, self._url, config.label_studio, files, again=again)
                found = await self._found(client, places)
                last = found[-1].project if found else None
                place = await asyncio.to_thread(places.of, last)
                if last and self._title:
                    self._refuse_other_config(last, place)
                survey = await asyncio.to_thread(places.survey, place)
                if not found and survey.tasks:
                    project, place = await self._created(client, survey, place)
                    found = [Member(1, project)]
                if found:
                    await self._into(client, found, places, survey, place)

    async def _found(self, client: Client, places: OutputPlaces) -> list[Member]:
        """The projects that there are, the last of which takes what none of them has."""
        if self._title:
            return await projects_titled(client, self._title, places.title)
        number = self._config.label_studio.project
        project = await client.retried(client.project, number)
        listed = await client.retried(client.projects)
        if title := title_of_several(project, listed, places.title):
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
        places: OutputPlaces,
        survey: Survey,
        place: Place,
    ) -> None:
        """Deliver what the projects lack, once nothing refuses it.

        Args:
            client: of the server.
            found: the projects, the last of which takes what none of them has.
            places: how far each of them is.
            survey: what the tasks from the last one's place on need.
            place: the last one's.
        """
        *full, last = (each.project for each in found)
        self.report.project, self.report.address = last.id, self._address(last)
        for each in (*full, last):
            projects.check_fit(self._address(each), each, survey)
        place = await self._titled(client, found, place)
        last, place = await self._upgraded(client, last, place)
        buckets = tuple(sorted({*place.buckets, *survey.buckets}))
        place = msgspec.structs.replace(place, buckets=buckets)
        self.report.advice += _unheard(survey, copied=place.sound)
        await asyncio.to_thread(self._keep_good, place, places.lines(place.size), survey.tasks)
        shown = msgspec.structs.replace(last, model_version=last.model_version or survey.version)
        opening = Opening(client, places.ledger, self._options, self.report)
        of_full = await asyncio.to_thread(places.of_full, full, place)
        ways = [await opening.way(each, known) for each, known in zip(full, of_full, strict=True)]
        ways.append(await opening.ready(shown, place))
        most = self._config.label_studio.segments_per_task
        series = Series(ways, self._size, most, opening.behind)
        await self._deliver(ways, series, places.lines(place.size), survey.tasks)

    async def _titled(self, client: Client, found: list[Member], place: Place) -> Place:
        """The place with the title by which its projects are found, as their descriptions say."""
        if not self._title:
            return place
        title = first_title(found, place.title, self._title)
        for member in found:
            self.report.advice += await projects.mark(client, title, member)
        return msgspec.structs.replace(place, title=title, made=True)

    async def _deliver(
        self, ways: list[Deliveries], series: Series, lines: Iterator[TaskLine], count: int
    ) -> None:
        """Send so many tasks, batch after batch: into the series of a title, or the one project."""
        self.report.there = sum(each.place.tasks for each in ways)
        with counted(self._options.style, count, "tasks") as show:
            await ways[-1].complete(
                islice(lines, count),
                show,
                partial(tell, self._options.style),
                series.take if self._title else None,
            )

    def _keep_good(self, place: Place, lines: Iterator[TaskLine], count: int) -> None:
        """Put those of so many tasks that need no review into the ground truth."""
        if not place.review_below:
            return
        with updating(Path(self._config.label_studio.ground_truth)) as update:
            for line in islice(lines, count):
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
