"""What the collectors take as a recording's transcript, over the real wire."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from pipeline.failures import NO_SPEECH, advice
from tests.conftest import endpoint
from tests.support.between import between, refusal

pytestmark = pytest.mark.usefixtures("in_this_process")

RESULTS = ("--results", "s3://audio/t/")


def test_transcript_of_another_job_is_not_taken(run, cloud):
    """A result that names another job fails its recording; its words are nobody's."""
    service = cloud("--seconds", "0.2")
    service.add(one="the first text")
    run("run", "s3://audio/", *RESULTS)
    [result] = (service.folder / "t").glob("*.json")
    document = json.loads(result.read_bytes()) | {"jobName": "another"}
    result.write_text(json.dumps(document), encoding="utf-8")

    outcome = run("run", "s3://audio/", *RESULTS, "--rebuild-output", "--json")

    assert outcome.summary["failures"]["reasons"] == {"broken transcript": 1}
    assert run.tasks() == []


def test_too_little_speech_to_identify_the_language_by_is_no_silence(run, cloud):
    """The service heard nobody long enough, which is not nobody: it fails, and says what helps."""
    cloud().add(quiet="")

    outcome = run("run", "s3://audio/", "--language", "auto", "--json")
    [failure] = run.failures()

    assert (outcome.code, outcome.counts["silent"], run.tasks()) == (1, 0, [])
    assert failure["reason"] == NO_SPEECH
    assert failure["message"].startswith("Your audio file must have a speech segment long enough")
    assert failure["advice"] == advice(NO_SPEECH)


def test_a_fallback_language_is_given_where_none_could_be_identified(run, cloud):
    """`retry` after the setting makes one job more, in that language; later runs start nothing."""
    service = cloud()
    service.add(quiet="", clear="words enough")
    run("run", "s3://audio/", "--language", "auto")
    run.use(TRANSCRIBE_PIPELINE_FALLBACK_LANGUAGE="en-GB")

    retried = run("retry")
    outcome = run("run", "s3://audio/", "--language", "auto", "--json")
    again = run("run", "s3://audio/", "--language", "auto", "--json")
    rebuilt = run("tasks", "rebuild", "--task", "segments", "--json")

    told = {task["data"]["audio"][11:-4]: task["data"]["language"] for task in run.tasks()}
    assert (retried.code, outcome.code, outcome.counts["silent"]) == (0, 0, 1)
    assert told == {"quiet": "en-GB", "clear": "en-US"}
    assert (again.counts["started"], len(run.tasks())) == (0, 2)
    assert set(service.counts()["created"].values()) == {1}
    assert rebuilt.code == 0, rebuilt.err
    assert sorted(task["data"]["language"] for task in run.tasks("tasks.segments.jsonl")) == [
        "en-GB",
        "en-US",
    ]


@pytest.mark.parametrize("forwarded", [False, True], ids=["before the start", "after it"])
def test_a_run_killed_around_the_job_in_the_fallback_language_pays_for_it_once(
    run, cloud, forwarded
):
    """Whether or not the service took the job, the next run goes on with the same name."""
    service = cloud()
    service.add(quiet="")
    run.use(TRANSCRIBE_PIPELINE_FALLBACK_LANGUAGE="en-GB")
    command = ("run", "s3://audio/", "--language", "auto")

    def reply(asked):
        if asked.operation == "StartTranscriptionJob" and b"LanguageCode" in asked.body:
            answer = asked.forward() if forwarded else None
            process.kill()
            process.wait()
            return answer or refusal(asked, "InternalFailureException", "gone")
        return asked.forward()

    with between(service, reply) as url:
        run.use(**endpoint(url))
        process = run.start(*command)
        with process:
            process.communicate(timeout=30)
    run.use(**endpoint(service.url), TRANSCRIBE_PIPELINE_FALLBACK_LANGUAGE="fr-FR")
    outcome = run(*command, "--json")

    assert outcome.code == 0, outcome.err
    assert [task["data"]["language"] for task in run.tasks()] == ["en-GB"]
    assert list(service.counts()["created"].values()) == [1, 1]


def test_transcript_that_is_gone_fails_its_recording_alone(run, cloud):
    """Where other results can be read, one that is not there is lost, and the run goes on."""
    service = cloud()
    service.add(one="the first text")
    run("run", "s3://audio/", *RESULTS)
    for name in ("tasks.jsonl", "tasks.jsonl.state"):
        (run.folder / name).unlink()
    for result in (service.folder / "t").glob("*.json"):
        result.unlink()
    service.add(two="the second text")
    run("run", "s3://audio/", "--include", "two.mp3", "--output", "warm.jsonl", *RESULTS)

    outcome = run("run", "s3://audio/", *RESULTS, "--json")

    assert outcome.code == 1, outcome.err
    assert outcome.summary["failures"]["reasons"] == {"job or transcript lost": 1}
    assert list(run.texts().values()) == ["the second text"]


def lose_state(run):
    """Forget everything that this machine knows."""
    for path in run.folder.glob("tasks.jsonl*"):
        path.unlink()


def test_job_that_wrote_elsewhere_is_not_adopted(run, cloud):
    """A job of our name that wrote to a place we never named fails, and says which place it is."""
    service = cloud()
    service.add(one="the first text")
    run("run", "s3://audio/", "--results", "s3://audio/elsewhere/")
    lose_state(run)

    outcome = run("run", "s3://audio/", *RESULTS)

    assert outcome.code == 1
    assert "wrote its transcript to s3://audio/elsewhere/" in outcome.err
    assert (run.tasks(), len(service.counts()["created"])) == ([], 1)


def test_job_that_wrote_where_an_earlier_run_told_it_to_is_collected(run, cloud):
    """Other --results in the middle of the work lose nothing: the state file knows the places."""
    service = cloud("--seconds", "2")
    service.add(one="the first text")
    run("run", "s3://audio/", "--results", "s3://audio/before/", "--max-hours", "0.0003")

    outcome = run("run", "s3://audio/", *RESULTS)

    assert outcome.code == 0, outcome.err
    assert list(run.texts().values()) == ["the first text"]
    assert len(service.counts()["created"]) == 1


def test_result_that_is_gone_is_not_a_stop_where_the_bucket_may_not_be_listed(run, cloud):
    """Without s3:ListBucket S3 denies what is not there; that fails one recording, not the run."""
    service = cloud()
    service.add(one="the first text", two="the second text")
    run("run", "s3://audio/", *RESULTS)
    gone = next((service.folder / "t").glob("*.json"))
    gone.unlink()

    def reply(asked):
        answer = asked.forward()
        if answer.status == 404 and "/t/" in asked.path:
            return refusal(asked, "AccessDenied", "Access Denied", 403)
        return answer

    with between(service, reply) as url:
        run.use(**endpoint(url))
        outcome = run("run", "s3://audio/", *RESULTS, "--rebuild-output")

    assert outcome.code == 1, outcome.err
    assert len(run.tasks()) == 1


def test_results_that_may_not_be_listed_are_told_before_anything_is_paid_for(run, cloud):
    """A new state file can't know what exists already, so the run stops with the permission."""
    service = cloud()
    service.add(one="the first text")

    def reply(asked):
        if "list-type=2" in asked.path and "prefix=t%2F" in asked.path:
            return refusal(asked, "AccessDenied", "Access Denied", 403)
        return asked.forward()

    with between(service, reply) as url:
        run.use(**endpoint(url))
        outcome = run("run", "s3://audio/", *RESULTS)

    assert outcome.code == 2
    assert "s3:ListBucket" in outcome.err
    assert service.counts()["created"] == {}


def test_recordings_that_were_deleted_since_fail_alone(run, cloud):
    """Twenty of them at the head of an inventory or manifest don't keep the others waiting."""
    service = cloud()
    service.add(**{f"good{n}": f"number {n}" for n in range(3)})
    lines = [{"key": f"a{n}.mp3", "etag": "1", "size": 5} for n in range(20)]
    lines += [{"key": f"good{n}.mp3", "etag": "1", "size": 5} for n in range(3)]
    manifest = run.folder / "keys.jsonl"
    manifest.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")

    outcome = run("run", "s3://audio/", *RESULTS, "--manifest", "keys.jsonl", "--json")

    assert outcome.code == 1, outcome.err
    assert outcome.summary["failures"]["reasons"] == {"no longer there": 20}
    assert len(run.tasks()) == 3


def test_results_of_settings_that_nobody_remembers_are_found(run, cloud):
    """For a state file that notes no settings both names are tried, also where S3 denies one."""
    service = cloud()
    service.add(one="the first text")
    run("run", "s3://audio/", *RESULTS, "--language", "en-GB")
    with closing(sqlite3.connect(run.folder / "tasks.jsonl.state")) as state:
        state.execute("DELETE FROM meta WHERE name LIKE 'fingerprint: %'")
        state.commit()

    def reply(asked):
        answer = asked.forward()
        if answer.status == 404 and "/t/" in asked.path:
            return refusal(asked, "AccessDenied", "Access Denied", 403)
        return answer

    with between(service, reply) as url:
        run.use(**endpoint(url))
        outcome = run("tasks", "rebuild", "--task", "segments", "--json")
    [task] = run.tasks("tasks.segments.jsonl")

    assert outcome.summary["calls"] == {"GetObject": 2}
    assert "language" not in task["data"]
    assert task["predictions"][0]["model_version"] == "amazon-transcribe/en-GB"
