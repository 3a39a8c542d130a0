"""What the collectors take as a recording's transcript, over the real wire."""

from __future__ import annotations

import json

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

    assert outcome.summary["failures"] == {"broken transcript": 1}
    assert run.tasks() == []


def test_silence_under_language_identification_is_a_silent_task(run, cloud):
    """The service fails a silent job that has to identify the language; for us it is silence."""
    cloud().add(quiet="")

    outcome = run("run", "s3://audio/", "--language", "auto", "--json")
    [task] = run.tasks()

    assert (outcome.code, outcome.summary["silent"]) == (0, 1)
    assert task["meta"]["silent"] is True
    assert task["predictions"][0]["score"] == 0


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
    assert outcome.summary["failures"] == {"job or transcript lost": 1}
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
    assert (run.tasks(), len(service.figures()["created"])) == ([], 1)


def test_job_that_wrote_where_an_earlier_run_told_it_to_is_collected(run, cloud):
    """Other --results in the middle of the work lose nothing: the state file knows the places."""
    service = cloud("--seconds", "2")
    service.add(one="the first text")
    run("run", "s3://audio/", "--results", "s3://audio/before/", "--max-hours", "0.0003")

    outcome = run("run", "s3://audio/", *RESULTS)

    assert outcome.code == 0, outcome.err
    assert list(run.texts().values()) == ["the first text"]
    assert len(service.figures()["created"]) == 1
