"""What a survey means for a run, and what it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from pipeline.config.loading import resolve
from pipeline.errors import Deferred
from pipeline.jobs.rules import JobRules
from pipeline.model import SourceObject
from pipeline.plan.forecast import Plan, forecast
from pipeline.plan.job_duration import JobDuration
from pipeline.plan.planning import known_from
from pipeline.plan.sampling import Sample
from pipeline.plan.survey import Survey
from pipeline.recordings.folder import FolderSource
from pipeline.recordings.prober import open_prober
from tests.support import made_media as made
from tests.support.state_files import begun

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


async def planned(folder: Path, source: Any, **settings: Any) -> Plan:
    """The plan of a run over a source, with every recording probed."""
    config = resolve(settings, {})
    rules = JobRules(config, source)
    survey = Survey(rules, JobDuration(60.0, 0.25), Sample(0))
    with begun(folder / "state") as state:
        async with open_prober(source, 2) as prober:
            earlier = known_from("state", state.reader)
            await survey.complete(earlier.standings, prober, lambda _: None)
        return forecast(survey.found, config, earlier, {}, source.uri)


async def test_a_run_lasts_until_its_last_job_has_ended(tmp_path):
    """Ten starts take twenty seconds, and the last job 75 more; a part of a file is a file."""
    folder = tmp_path / "calls"
    folder.mkdir()
    for number in range(10):
        made.wav(folder / f"{number}.wav", 60)

    plan = await planned(tmp_path, FolderSource(folder, "calls"), start_rate=0.5)

    assert plan.run_time.seconds.value == pytest.approx(95)
    assert (plan.tasks.count, plan.tasks.export_files) == (10, 1)
    assert plan.cost.value == pytest.approx(0.06)
    assert plan.cost.error == 0


async def test_each_lane_has_slots_and_starts_of_its_own(tmp_path):
    """Two accounts start ten recordings in ten seconds, not in twenty."""
    folder = tmp_path / "calls"
    folder.mkdir()
    for number in range(10):
        made.wav(folder / f"{number}.wav", 60)
    settings: dict[str, Any] = {"output": "s3://calls/tasks/", "results": "s3://calls/results/"}
    settings |= {"start_rate": 0.5, "max_in_flight": 20, "lanes": ["a", "b"]}

    plan = await planned(tmp_path, FolderSource(folder, "calls"), **settings)
    time = plan.run_time

    assert (time.slots, time.start_rate) == (40, 1.0)
    assert time.seconds.value == pytest.approx(85)


async def test_four_hours_are_certain_to_be_taken(tmp_path):
    """Only what is longer may be refused by some Regions."""
    folder = tmp_path / "calls"
    folder.mkdir()
    made.wav(folder / "just.wav", 4 * 3_600)
    made.wav(folder / "more.wav", 4 * 3_600 + 1)

    plan = await planned(tmp_path, FolderSource(folder, "calls"))

    assert (plan.probed, plan.over_four_hours.seen) == (2, 1)


class Unanswering:
    """A source of one recording whose bytes can't be had for now."""

    uri, bucket = "s3://calls/", "calls"

    async def pages(self) -> AsyncIterator[list[SourceObject]]:
        """Its one page."""
        yield [SourceObject("a.wav", "1", 700_000)]

    async def read_part(self, *_: object) -> bytes:
        """No answer for too long."""
        raise Deferred("s3://calls answers with HTTP status 503")


async def test_a_recording_that_can_not_be_probed_now_tells_nothing(tmp_path):
    """It is not taken for one without a second of audio."""
    assert (await planned(tmp_path, cast("Any", Unanswering()))).probed == 0
