"""`run --max-cost`: no job starts whose cost would pass the budget, and the next night goes on."""

from __future__ import annotations

import pytest

from pipeline.config.loading import resolve
from pipeline.errors import BadSettings
from pipeline.jobs.rules import JobRules
from pipeline.model import Job, Recording
from pipeline.recordings.folder import FolderSource
from pipeline.recordings.prober import open_prober
from pipeline.stages.cost_budget import CostBudget
from pipeline.stages.job_tracker import JobTracker
from tests.support import made_media as made
from tests.support.state_files import begun

MINUTE = 0.006


def budget(minutes):
    """The flag for so many minutes, and a hair for the rounding of sums."""
    return ("--max-cost", f"{minutes * MINUTE + 1e-9:.9f}")


def in_flight(run):
    """How many jobs the state file knows to be in flight."""
    asked = run("status", "--json")
    return asked.counts["in_flight"] if asked.code == 0 else 0


def test_no_job_starts_that_would_pass_the_budget(run, cloud):
    """As many recordings are started as the budget pays for, whoever works on them at once."""
    service = cloud("--seconds", "0.3")
    for number in range(30):
        made.wav(service.folder / f"{number:02}.wav", 60)

    outcome = run("run", "s3://audio/", *budget(10.5), "--json")

    assert outcome.code == 3
    assert outcome.summary["stopped"].startswith("max-cost 0.06")
    assert outcome.counts["started"] == 10
    assert outcome.summary["cost"]["billed_seconds"] == 600
    assert outcome.summary["balance"]["pending"] == 20
    assert sum(service.counts()["created"].values()) == 10


def test_the_next_night_goes_on_and_ends(run, cloud):
    """Each night pays its part; where the rest fits in the budget the run ends as ever."""
    service = cloud()
    for number in range(7):
        service.put(f"{number}.wav", "some words")

    codes = [run("run", "s3://audio/", *budget(0.75), "--json").code for _ in range(3)]

    assert codes == [3, 3, 0]
    assert len(run.tasks()) == 7
    assert sum(service.counts()["created"].values()) == 7


def test_what_is_left_is_told(run, cloud):
    """The last line says which budget is over, and how many recordings are left."""
    service = cloud()
    for number in range(5):
        service.put(f"{number}.wav", "some words")

    outcome = run("run", "s3://audio/", *budget(0.5))

    assert outcome.code == 3
    assert "run the same command again for the rest (max-cost 0.003" in outcome.err
    assert " is over). 3 of those listed are left." in outcome.err


def test_a_recording_that_no_budget_pays_for_is_named(run, cloud):
    """Where one recording alone passes the budget, every night would end with it: it is told."""
    service = cloud()
    made.wav(service.folder / "long.wav", 600)

    outcome = run("run", "s3://audio/", *budget(5))

    assert outcome.code == 3
    assert "long.wav alone costs about USD 0.06: nothing more starts with max-cost" in outcome.err
    assert sum(service.counts()["created"].values()) == 0


def test_a_header_that_lies_ends_no_night(run, cloud):
    """What says that it is longer than the service takes is presumed to be as long as its size."""
    service = cloud()
    made.flac(service.folder / "liar.flac", 60)
    path = service.folder / "liar.flac"
    content = path.read_bytes()
    facts = int.from_bytes(content[18:26]) | 2**36 - 1  # the last 36 bits: how many samples
    path.write_bytes(content[:18] + facts.to_bytes(8) + content[26:])

    outcome = run("run", "s3://audio/", *budget(10), "--json")

    assert outcome.code == 0
    assert outcome.summary["cost"]["billed_seconds"] <= 8 * 60


def test_what_is_billed_is_what_was_set_aside(run, cloud):
    """A recording whose length is known is billed for all of it, silence at its end too."""
    service = cloud()
    made.wav(service.folder / "a.wav", 90)

    outcome = run("run", "s3://audio/", "--max-cost", "1", "--json")

    assert outcome.code == 0
    assert outcome.summary["cost"]["billed_seconds"] == 90
    assert outcome.summary["cost"]["amount"] == pytest.approx(1.5 * MINUTE)


def test_a_budget_that_is_not_reached_changes_nothing(run, cloud):
    """Below the budget a run is an ordinary one."""
    service = cloud()
    service.add(one="first", two="second")

    outcome = run("run", "s3://audio/", "--max-cost", "100", "--json")

    assert outcome.code == 0
    assert outcome.counts["written"] == 2


def test_jobs_of_an_interrupted_run_are_in_the_sum(run, cloud):
    """What runs already when a run begins is set aside first, whatever it costs."""
    service = cloud("--slots", "4")
    for number in range(4):
        service.put(f"{number}.wav", "@8 some words")
    for number in range(4, 8):
        service.put(f"{number}.wav", "some words")
    with run.start("run", "s3://audio/", "--limit", "4") as first:
        while in_flight(run) < 4:
            assert first.poll() is None
        first.kill()

    outcome = run("run", "s3://audio/", *budget(1.25), "--json")

    assert outcome.code == 3
    assert outcome.counts["resumed"] == 4
    assert sum(service.counts()["created"].values()) == 5
    assert outcome.summary["cost"]["billed_seconds"] == 5 * 15


@pytest.mark.parametrize("setting", ["toxicity", "language_model"])
def test_a_price_that_is_not_set_can_not_be_bounded(setting):
    """With --max-cost everything that is asked for needs a price."""
    flags = {setting: True if setting == "toxicity" else "calls", "max_cost": 5.0}

    with pytest.raises(BadSettings, match=r"max_cost = 5: what .* costs is not known"):
        resolve(flags, {})

    assert resolve(flags | {"price_of_toxicity": 1.0, "price_of_language_model": 1.0}, {})


async def reserved(folder, minutes, *jobs):
    """Which of some jobs, each a key and a size, a budget for so many minutes pays for."""
    config = resolve({"max_cost": minutes * MINUTE}, {})
    source = FolderSource(folder, "calls")
    rules, most = JobRules(config, source), config.most_cost
    with begun(folder / "state") as state:
        async with open_prober(source, 1) as prober:
            budget = CostBudget(most, config.prices, rules, JobTracker(state, 9), prober)
            return [
                await budget.reserve(Job(1, b"", key, Recording(key, "1", size)))
                for key, size in jobs
            ]


async def test_a_cost_of_just_the_budget_is_within_it(tmp_path):
    """Who pays for a minute gets one, and not a second more."""
    made.wav(tmp_path / "minute.wav", 60)
    one = ("minute.wav", (tmp_path / "minute.wav").stat().st_size)

    assert await reserved(tmp_path, 1, one, one) == [True, False]


async def test_nothing_starts_once_the_budget_is_over(tmp_path):
    """A small recording behind a large one is left to the next run too: the order is kept."""
    made.wav(tmp_path / "long.wav", 600)
    made.wav(tmp_path / "short.wav", 15)
    sizes = [(each, (tmp_path / each).stat().st_size) for each in ("long.wav", "short.wav")]

    assert await reserved(tmp_path, 5, *sizes) == [False, False]


async def test_no_recording_is_presumed_longer_than_the_service_takes(tmp_path):
    """Two gigabytes that tell no length cost what eight hours do, and not twelve days."""
    assert await reserved(tmp_path, 481, ("gone.wav", 2**31)) == [True]
