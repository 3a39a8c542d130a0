"""Metadata of recordings, from where it stands to where it is filtered by."""

from __future__ import annotations

import json
import os
import time

import pytest

from tests.conftest import endpoint
from tests.support.between import Answer, between, refusal

pytestmark = pytest.mark.usefixtures("in_this_process")


def told(run, name="tasks.jsonl"):
    """What each task says beside what is ours, by the recording's name."""
    return {
        task["data"]["audio"].rpartition("/")[2]: {
            key: value for key, value in task["data"].items() if key in ("agent", "day", "score")
        }
        for task in run.tasks(name)
    }


def settings(run, text):
    (run.folder / "night.toml").write_text(f"[metadata]\n{text}", encoding="utf-8")
    return "--config", "night.toml"


def test_a_manifest_and_the_key_tell_what_tasks_are_filtered_by(run, cloud):
    """Columns keep their types, the path is read, and a change of them alone starts no job."""
    service = cloud()
    service.put("2026-11-27/one.mp3", "first")
    service.put("2026-11-28/two.mp3", "second")
    named = run.folder / "calls.jsonl"
    rows = [
        {"key": "2026-11-27/one.mp3", "agent": "Ü. Meier", "score": 7.5},
        {"key": "2026-11-28/two.mp3", "agent": "s3://secret/x", "score": 10**29 + 7},
    ]
    named.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    command = (
        *("run", "s3://audio/", "--manifest", "calls.jsonl", "--json"),
        *settings(run, 'source = "manifest"\nkey_pattern = "{day:%Y-%m-%d}/"'),
    )

    first = run(*command)
    before = told(run)
    rows[0]["score"] = 8.5
    named.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    changed = run(*command)
    after = told(run)
    failures = {"key": rows[0]["key"], "reason": "too long", "advice": "Split it."}
    named.write_text(f"{json.dumps(failures)}\n{json.dumps({'key': rows[1]['key']})}\n")
    rebuilt = run(*command, "--rebuild-output")
    segments = run("tasks", "rebuild", "--task", "segments", *command[-2:])

    assert (
        before
        == after
        == {
            "one.mp3": {"agent": "Ü. Meier", "day": "2026-11-27", "score": 7.5},
            "two.mp3": {"day": "2026-11-28", "score": str(10**29 + 7)},
        }
    )
    assert "agent of 2026-11-28/two.mp3 is the address of a storage" in first.err + first.out
    assert changed.counts["started"] == rebuilt.counts["started"] == 0
    assert "The metadata of 1 recording has changed" in changed.out
    assert told(run)["one.mp3"]["score"] == 8.5
    assert (segments.code, told(run, "tasks.segments.jsonl")) == (0, told(run))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("calls.csv", "key,duration\none.mp3,9\n", "its column 'duration' is named like a part"),
        (
            "calls.csv",
            f"key,{','.join(f'c{n}' for n in range(200))}\none.mp3,{'1,' * 199}1\n",
            "Line 2 of calls.csv has metadata that is not taken: it has 200 columns",
        ),
        ("calls.csv", 'key,agent\n"one.mp3,x\n', "calls.csv can't be read: it is not CSV"),
        ("calls.jsonl", "{\n", "Line 1 of calls.jsonl names no uri and no key"),
        ("", "", "no manifest is named"),
        ("missing.csv", None, "missing.csv can't be read: No such file"),
    ],
)
def test_a_manifest_whose_metadata_is_not_taken_is_refused_before_anything_is_paid(
    run, cloud, name, content, said
):
    """One sentence that says where and what; no job is started."""
    service = cloud()
    service.add(one="first")
    if content is not None and name:
        (run.folder / name).write_text(content, encoding="utf-8")
    manifest = ("--manifest", name) if name else ()

    outcome = run("run", "s3://audio/", *manifest, *settings(run, 'source = "manifest"'))

    assert outcome.code == 2
    assert said in outcome.err
    assert service.counts()["created"] == {}


def test_a_sidecar_tells_of_the_recording_beside_it_and_a_bad_one_fails_nobody(run, cloud):
    """Each recording has its task; what is missing, malformed or 1 GB is told once for its kind."""
    service = cloud()
    service.add(good="1st", gone="2nd", bad="3rd", huge="4th", ours="5th", many="6th")
    for name, content in {
        "good": json.dumps({"agent": "x", "score": 3, "more": {"a": 1}, "day": 10**29 + 7}),
        "bad": "{",
        "huge": '{"agent": "y',
        "ours": json.dumps({"job_id": "mine"}),
        "many": json.dumps({f"c{n}": n for n in range(200)}),
    }.items():
        (service.folder / f"{name}.json").write_text(content, encoding="utf-8")
    os.truncate(service.folder / "huge.json", 10**9)

    outcome = run("run", "s3://audio/", "--json", *settings(run, 'source = "sidecar"'))

    nothing: dict[str, object] = {}
    assert outcome.code == 0
    assert told(run) == {
        "good.mp3": {"agent": "x", "score": 3, "day": str(10**29 + 7)},
        **dict.fromkeys(
            (f"{name}.mp3" for name in ("gone", "bad", "huge", "ours", "many")), nothing
        ),
    }
    for said in (
        "gone.json is left out: there is no such file",
        "bad.json is left out: it is not JSON",
        "huge.json is left out: it is larger than the 16,384 bytes",
        "ours.json is left out: its column 'job_id' is named like a part of every task",
        "many.json is left out: it has 200 columns, and 100 are taken at most",
    ):
        assert said in outcome.out


@pytest.mark.xdist_group("ministack")
def test_the_objects_own_metadata_goes_into_its_task(run, buckets):
    """What was uploaded with an object is read by one HeadObject, and only what is named of it."""
    s3, audio, _ = buckets
    s3.put_object(Bucket=audio, Key="a.mp3", Body=b"x", Metadata={"agent": "x", "secret": "y"})
    s3.put_object(Bucket=audio, Key="b.mp3", Body=b"x")

    outcome = run(
        *("run", f"s3://{audio}/", "--json"),
        *settings(run, 'source = "object"\ncolumns = ["agent"]'),
    )

    assert told(run) == {"a.mp3": {"agent": "x"}, "b.mp3": {}}
    assert outcome.summary["calls"]["HeadObject"] == 2
    assert "secret" not in (run.folder / "tasks.jsonl").read_text()


@pytest.mark.xdist_group("ministack")
def test_an_object_that_gets_other_metadata_is_told_and_not_paid_again(run, buckets):
    """A copy onto itself has the same content: no job, a note once, and tasks anew when asked."""
    s3, audio, _ = buckets
    for key in ("a.mp3", "b.mp3"):
        s3.put_object(Bucket=audio, Key=key, Body=b"x", Metadata={"agent": "x"})
    command = ("run", f"s3://{audio}/", "--json", *settings(run, 'source = "object"'))
    notes = [run(*command[:3]), run(*command)]
    time.sleep(1)  # S3 tells when an object was written to the second
    s3.copy_object(
        Bucket=audio, Key="a.mp3", CopySource=f"{audio}/a.mp3",
        MetadataDirective="REPLACE", Metadata={"agent": "y"},
    )  # fmt: skip

    notes += [run(*command), run(*command, "--rebuild-output"), run(*command)]

    assert [each.counts["started"] for each in notes] == [2, 0, 0, 0, 0]
    said = "1 recording has been written anew in S3 with the same content"
    assert [said in each.out for each in notes] == [False, False, True, False, False]
    assert told(run) == {"a.mp3": {"agent": "y"}, "b.mp3": {"agent": "x"}}


@pytest.mark.xdist_group("ministack")
def test_the_objects_tags_go_into_its_task(run, buckets):
    """One GetObjectTagging for each recording; one without tags has none, and nothing is said."""
    s3, audio, _ = buckets
    s3.put_object(Bucket=audio, Key="ü 1.mp3", Body=b"x", Tagging="agent=%C3%9C.+Meier&secret=y")
    s3.put_object(Bucket=audio, Key="b.mp3", Body=b"x")

    outcome = run(
        *("run", f"s3://{audio}/", "--json"), *settings(run, 'source = "tags"\ncolumns = ["agent"]')
    )

    assert told(run) == {"ü 1.mp3": {"agent": "Ü. Meier"}, "b.mp3": {}}
    assert outcome.summary["calls"]["GetObjectTagging"] == 2
    assert "secret" not in (run.folder / "tasks.jsonl").read_text()
    assert "left out" not in outcome.out


def test_tags_that_may_not_be_read_are_told_and_taken_in_later(run, cloud):
    """Refused is never "no tags": the right is named; once it is there, nothing is paid again."""
    service = cloud()
    service.add(one="first", two="second")
    command = ("run", "s3://audio/", "--json", *settings(run, 'source = "tags"'))
    tags = {"one": "<Tag><Key>agent</Key><Value>x</Value></Tag>", "two": ""}
    is_allowed = False

    def reply(asked):
        if "tagging=" not in asked.path:
            return asked.forward()
        if not is_allowed:
            return refusal(asked, "AccessDenied", "Access Denied", 403)
        found = next(content for name, content in tags.items() if f"/{name}.mp3" in asked.path)
        return Answer(200, f"<Tagging><TagSet>{found}</TagSet></Tagging>".encode(), {})

    with between(service, reply) as url:
        run.use(**endpoint(url))
        refused = run(*command)
        before = told(run)
        is_allowed = True
        rebuilt = run(*command, "--rebuild-output")

    assert (refused.code, before) == (0, {"one.mp3": {}, "two.mp3": {}})
    assert "is left out: s3:GetObjectTagging on s3://audio is not allowed" in refused.out
    assert (rebuilt.code, told(run)) == (0, {"one.mp3": {"agent": "x"}, "two.mp3": {}})
    assert rebuilt.counts["started"] == 0
    assert "left out" not in rebuilt.out


def test_a_change_of_metadata_alone_writes_the_files_that_have_it_anew(run, cloud):
    """Tables and json follow it from what is stored, other formats stay; no job is started."""
    service = cloud()
    service.add(one="first", two="second")
    named = run.folder / "calls.jsonl"
    config = settings(run, 'source = "manifest"\ncolumns = ["agent", "score"]')
    command = ("run", "s3://audio/", "--manifest", "calls.jsonl", "--json", *config)
    write = ("transcripts", "--to", "texts/", "--format", "txt,csv,json", "--json", *config)

    def written(*more):
        rows = [
            {"key": "one.mp3", "agent": "Ü", "score": score},
            {"key": "two.mp3", "agent": "x"},
        ]
        named.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        return run(*command, *more)

    for score in (7.5, 8):
        outcome = written()
        files = run(*write)
        again = run(*write)
        document = json.loads((run.folder / "texts/one.json").read_bytes())
        table = (run.folder / "texts/one.csv").read_text(encoding="utf-8")
        assert document["metadata"] == {"agent": "Ü", "score": score}
        assert table.endswith(f"first,Ü,{score}\n")
        assert again.summary["written"] == 0

    assert "The metadata of 1 recording has changed" in outcome.out
    assert "`transcripts` rewrites their csv and json files" in outcome.out
    assert outcome.counts["started"] == 0
    assert (files.code, files.summary["recordings"], files.summary["written"]) == (0, 1, 2)


def test_a_run_and_the_command_write_the_same_metadata(run, cloud):
    """What a sidecar says is in the files of both, whole, and once it is written nothing is due."""
    service = cloud()
    service.put("anna/one.mp3", "first")
    said = {"note": "s3://x/y " + "z" * 2000, "sure": False, "list": [1]}
    (service.folder / "anna" / "one.json").write_text(json.dumps(said), encoding="utf-8")
    config = settings(run, 'source = "sidecar"\nkey_pattern = "{agent}/"')
    as_it_goes = ("--transcripts", "texts/", "--transcript-format", "csv,json")

    run("run", "s3://audio/", *as_it_goes, *config)
    again = run("transcripts", "--to", "texts/", "--format", "csv,json", "--json", *config)
    run("transcripts", "--to", "other/", "--format", "csv,json", *config)

    document = (run.folder / "texts/anna/one.json").read_bytes()
    assert again.summary["recordings"] == 0
    assert json.loads(document)["metadata"] == {
        "agent": "anna", "note": said["note"], "sure": False
    }  # fmt: skip
    assert (run.folder / "other/anna/one.json").read_bytes() == document
    assert (run.folder / "texts/anna/one.csv").read_text().endswith(",first,anna\n")


def test_a_changed_sidecar_is_told_and_read_where_the_page_says(run, cloud):
    """--rebuild-output and --again have the new values in tasks and files, without a new job."""
    service = cloud()
    service.add(one="first")
    sidecar = service.folder / "one.json"
    config = settings(run, 'source = "sidecar"')
    command = ("run", "s3://audio/", "--json", *config)
    write = ("transcripts", "--to", "texts/", "--format", "csv,json", "--json", *config)

    def carried():
        document = json.loads((run.folder / "texts/one.json").read_bytes())
        return told(run)["one.mp3"]["score"], document["metadata"]["score"]

    found, notes = [], []
    rebuild = ("--rebuild-output",), ("--again",)
    for score, (more, again) in ((1, ((), ())), (2, ((), ())), (2, rebuild), (2, ((), ()))):
        content = json.dumps({"score": score})
        if not sidecar.exists() or sidecar.read_text(encoding="utf-8") != content:
            sidecar.write_text(content, encoding="utf-8")
        outcome, files = run(*command, *more), run(*write, *again)
        found.append((outcome.counts["started"], files.code, *carried()))
        notes.append("The metadata of 1 recording has changed" in outcome.out)

    assert found == [(1, 0, 1, 1), (0, 0, 1, 1), (0, 0, 2, 2), (0, 0, 2, 2)]
    assert notes == [False, True, False, False]


def test_a_manifest_s_metadata_is_none_of_a_sidecar_s_version(run, cloud):
    """Settings that name a manifest after sidecars were read carry what the manifest says alone."""
    service = cloud()
    service.add(one="first")
    (service.folder / "one.json").write_text('{"score": 1}', encoding="utf-8")
    run("run", "s3://audio/", *settings(run, 'source = "sidecar"'))
    config = settings(run, 'source = "manifest"')
    (run.folder / "keys.csv").write_text("key\none.mp3\n", encoding="utf-8")

    outcome = run("run", "s3://audio/", "--manifest", "keys.csv", "--rebuild-output", *config)

    assert (outcome.code, told(run)) == (0, {"one.mp3": {}})


def test_tasks_on_s3_keep_a_manifest_s_metadata_for_what_is_made_of_them(run, cloud):
    """Another machine has neither the manifest nor the state; new tasks and files have it all."""
    cloud().add(one="first")
    row = {"key": "one.mp3", "agent": "x", "score": 3}
    (run.folder / "calls.jsonl").write_text(json.dumps(row), encoding="utf-8")
    config = settings(run, 'source = "manifest"')
    on_s3 = ("--output", "s3://audio/tasks/", *config)
    results = ("--results", "s3://audio/results/")
    run("run", "s3://audio/", "--manifest", "calls.jsonl", *on_s3, *results)
    for path in run.folder.glob("tasks*"):
        path.unlink()

    files = run("transcripts", "--to", "texts/", "--format", "json", *on_s3)
    tasks = run("tasks", "rebuild", "--task", "segments", "--to", "segments.jsonl", *on_s3)

    document = json.loads((run.folder / "texts/one.json").read_bytes())
    assert (files.code, document["metadata"]) == (0, {"agent": "x", "score": 3})
    assert (tasks.code, told(run, "segments.jsonl")) == (0, {"one.mp3": document["metadata"]})
