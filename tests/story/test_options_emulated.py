"""The options of a job against an emulator that nobody here wrote: what comes back of them."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("ministack")]

REDACTED = "[PII]"


def written(s3, bucket: str) -> dict[str, str]:
    """The objects below results that are not the service's own leftovers, by their last part."""
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]
    return {
        key: s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        for key in keys
        if not key.endswith(".temp")
    }


@pytest.mark.parametrize(
    ("redaction", "own_bucket"),
    [
        ("redacted", True),
        ("redacted_and_unredacted", True),
        ("redacted_and_unredacted", False),
        pytest.param("redacted", False, marks=pytest.mark.long),
    ],
)
def test_the_redacted_text_is_the_tasks(run, buckets, redaction, own_bucket):
    """Of one transcript or of both reviewers get the redacted one, wherever it is kept."""
    s3, audio, results = buckets
    s3.put_object(Bucket=audio, Key="a.mp3", Body=b"x")
    run.use(TRANSCRIBE_PIPELINE_REDACTION=redaction)
    options = ("--results", f"s3://{results}/t/") if own_bucket else ()

    outcome = run("run", f"s3://{audio}/", *options)
    [task] = run.tasks()

    assert outcome.code == 0, outcome.err
    [text] = run.texts().values()
    found = written(s3, results)
    assert REDACTED in text
    assert task["meta"]["redacted"] is True
    job = task["data"]["job_id"]
    if own_bucket:
        assert task["data"]["redacted_transcript"] == f"s3://{results}/t/redacted-{job}.json"
        twin = f"s3://{results}/t/{job}.json" if redaction != "redacted" else None
        assert task["meta"].get("unredacted_transcript") == twin
        assert len(found) == (1 if redaction == "redacted" else 2)


def test_a_redacted_result_is_found_again_without_a_state_file(run, buckets):
    """A lost state file costs no second job where only redacted transcripts exist."""
    s3, audio, results = buckets
    s3.put_object(Bucket=audio, Key="a.mp3", Body=b"x")
    run.use(TRANSCRIBE_PIPELINE_REDACTION="redacted")
    run("run", f"s3://{audio}/", "--results", f"s3://{results}/t/")
    before = run.texts()
    for path in run.folder.glob("tasks.jsonl*"):
        path.unlink()

    outcome = run("run", f"s3://{audio}/", "--results", f"s3://{results}/t/", "--json")

    assert outcome.counts["adopted"] == 1
    assert "StartTranscriptionJob" not in outcome.summary["calls"]
    assert run.texts() == before


def test_what_was_asked_for_comes_with_the_task(run, buckets):
    """Speakers, alternatives and subtitles of a rule's recordings alone; the files are there."""
    s3, audio, results = buckets
    for key in ("fr/a.mp3", "b.mp3"):
        s3.put_object(Bucket=audio, Key=key, Body=b"x")
    (run.folder / "c.toml").write_text(
        '[output]\nresults = "s3://RESULTS/t/"\n[tasks]\nkind = "segments"\n'
        '[[rules]]\ninclude = ["fr/**"]\nlanguage = "fr-FR"\nmax_speakers = 2\n'
        'max_alternatives = 3\nsubtitles = ["srt"]\n'.replace("RESULTS", results)
    )

    outcome = run("run", f"s3://{audio}/", "--config", "c.toml")
    plain, french = sorted(run.tasks(), key=lambda task: task["data"]["audio"])

    assert outcome.code == 0, outcome.err
    assert (french["data"]["language"], plain["data"]["language"]) == ("fr-FR", "en-US")
    assert [each["value"] for each in french["data"]["speakers"]][:2] == ["spk_0", "spk_1"]
    assert len(french["data"]["alternatives"][0]["texts"]) == 2
    [subtitles] = french["data"]["subtitles"]
    assert subtitles.removeprefix(f"s3://{results}/") in written(s3, results)
    assert not {"speaker_count", "alternatives", "subtitles"} & set(plain["data"])


def test_tasks_rebuilt_know_the_language_of_jobs_of_other_settings(run, buckets):
    """The settings that a run had are remembered, so that its tasks say their language again."""
    s3, audio, results = buckets
    s3.put_object(Bucket=audio, Key="a.mp3", Body=b"x")
    run("run", f"s3://{audio}/", "--results", f"s3://{results}/t/", "--language", "ja-JP")

    outcome = run("tasks", "rebuild", "--task", "segments")
    [task] = run.tasks("tasks.segments.jsonl")

    assert outcome.code == 0, outcome.err
    assert task["data"]["language"] == "ja-JP"
