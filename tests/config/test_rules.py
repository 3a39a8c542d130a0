"""Rules over a whole run: which recordings are transcribed how, and what is paid for again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest

if TYPE_CHECKING:
    from tests.conftest import Cli

pytestmark = pytest.mark.usefixtures("in_this_process")

RULES = """
[output]
results = "s3://audio/t/"
[tasks]
model_version = "calls"
[[rules]]
include = ["gb/**"]
language = "en-GB"
[[rules]]
include = ["gb/special/**", "au/*"]
language = "en-AU"
"""
KEYS = ("plain.mp3", "gb/one.mp3", "gb/special/two.mp3", "au/three.mp3")


def ruled(run: Cli, text: str, *more: str) -> Any:
    (run.folder / "c.toml").write_text(text, encoding="utf-8")
    return run("run", "s3://audio/", "--config", "c.toml", "--json", *more)


def languages(run: Cli) -> dict[str, str]:
    return {t["data"]["audio"][len("s3://audio/") :]: t["data"]["language"] for t in run.tasks()}


def starts(service: Any) -> int:
    found: int = service.counts()["calls"].get("StartTranscriptionJob", 0)
    return found


def spoken(cloud: Any) -> Any:
    service = cloud()
    for key in KEYS:
        service.put(key, "some words")
    return service


def test_each_recording_is_transcribed_as_its_first_rule_says(run, cloud):
    """Every task tells the language of its rule, under one model version for the whole project."""
    spoken(cloud)

    outcome = ruled(run, RULES)

    assert outcome.code == 0, outcome.err
    assert languages(run) == dict(zip(KEYS, ("en-US", "en-GB", "en-GB", "en-AU"), strict=True))
    assert {t["predictions"][0]["model_version"] for t in run.tasks()} == {"calls"}


def test_a_changed_rule_is_paid_for_where_it_matches_alone(run, cloud):
    """A second run starts nothing; another language in a rule starts what it matches."""
    service = spoken(cloud)
    ruled(run, RULES)
    nothing = ruled(run, RULES)
    before = starts(service)

    ruled(run, RULES.replace("en-GB", "en-IE"))

    assert "StartTranscriptionJob" not in nothing.summary["calls"]
    assert starts(service) - before == 2
    assert list(languages(run).values()).count("en-IE") == 2
    assert len(run.tasks()) == 4 + 2  # a line for each of the languages


def test_a_lost_state_file_costs_no_second_job(run, cloud):
    """With the same rules every job and result is found again by its name."""
    service = spoken(cloud)
    ruled(run, RULES)
    said, before = languages(run), starts(service)
    for path in run.folder.glob("tasks.jsonl*"):
        path.unlink()

    outcome = ruled(run, RULES)

    assert outcome.counts["adopted"] == 4
    assert (languages(run), starts(service)) == (said, before)


def test_what_is_put_back_keeps_to_its_rule(run, cloud):
    """The next job of a failed recording asks for what its rule says, under another name."""
    service = cloud()
    service.put("gb/bad.mp3", "!Unsupported media format")
    ruled(run, RULES)
    run("retry")
    ruled(run, RULES)
    [failure] = run.failures()
    client = boto3.client(
        "transcribe", "us-east-1", endpoint_url=service.url,
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip

    job = client.get_transcription_job(TranscriptionJobName=failure["job"])["TranscriptionJob"]

    assert failure["attempts"] == 2
    assert job["LanguageCode"] == "en-GB"


def test_tasks_are_rebuilt_in_the_languages_that_they_were_transcribed_in(run, cloud):
    """Whatever the rules are by now: what the jobs were started with is remembered."""
    spoken(cloud)
    ruled(run, RULES)
    said = languages(run)

    outcome = run("tasks", "rebuild", "--task", "segments")

    found = {
        t["data"]["audio"][len("s3://audio/") :]: t["data"]["language"]
        for t in run.tasks("tasks.segments.jsonl")
    }
    assert outcome.code == 0, outcome.err
    assert found == said


def test_no_rule_holds_for_a_whole_run_alone(run, cloud):
    """A rule that would rename the jobs is refused before the first call."""
    service = spoken(cloud)

    outcome = ruled(run, RULES + 'job_prefix = "x"\n')

    assert outcome.code == 2
    assert "It holds for a whole run: set it in [transcribe]." in outcome.err
    assert service.counts()["calls"] == {}
