"""Reviewers hear the recordings of a bucket through the project that push makes."""

from __future__ import annotations

import base64
import json
import urllib.request
import uuid

import boto3
import pytest

from pipeline.model import TaskKind
from pipeline.tasks.labeling_config import labeling_config
from tests.label_studio_server.outputs import add_files, add_tasks
from tests.label_studio_server.server import from_seed, s3_access

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("ministack")]
KEYS = {"a.mp3": "one two", "Grüße aus Köln+%41.mp3": "three"}


@pytest.fixture
def hearing(ministack, tmp_path, run):
    """A server that reads S3 from the emulator with credentials of its own."""
    s3 = boto3.client(
        "s3", "us-east-1", endpoint_url=ministack,
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    bucket = "calls"
    s3.create_bucket(Bucket=bucket)
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=f"sound of {key}".encode())
    server = from_seed(tmp_path / "data", **s3_access(ministack))
    server.start()
    run.use(LABEL_STUDIO_URL=server.url, LABEL_STUDIO_API_KEY=server.token)
    yield server
    server.stop()


def sound_of(server, task) -> bytes:
    """What the player of a task is given."""
    uri = base64.b64encode(task["data"]["audio"].encode()).decode()
    request = urllib.request.Request(
        f"{server.url}/tasks/{task['id']}/resolve/?fileuri={uri}",
        headers={"Authorization": f"Token {server.token}"},
    )
    with urllib.request.urlopen(request) as answer:
        content: bytes = answer.read()
        return content


def test_project_that_push_makes_plays_the_bucket(run, hearing):
    """--create adds the storage row for the recordings' bucket, once, and every key is heard."""
    add_tasks(run.folder, KEYS)
    title = f"Calls {uuid.uuid4().hex[:8]}"

    outcomes = [run("push", "--create", title, "--json") for _ in range(2)]

    assert [each.code for each in outcomes] == [0, 0], outcomes[0].err
    reports = [json.loads(each.out) for each in outcomes]
    assert [each["advice"] for each in reports] == [[], []]
    project = reports[0]["project"]
    assert len(hearing.call("GET", "storages/s3", project=project)) == 1
    for task in hearing.tasks(project):
        key = task["data"]["audio"].removeprefix("s3://calls/")
        assert sound_of(hearing, task).decode() == f"sound of {key}"


def test_storage_row_makes_no_tasks_when_someone_syncs_it(run, hearing):
    """The row is for playing alone: a sync, against the advice in its title, adds nothing."""
    add_tasks(run.folder, KEYS)
    project = json.loads(run("push", "--create", "Calls to sync", "--json").out)["project"]
    [storage] = hearing.call("GET", "storages/s3", project=project)

    hearing.call("POST", f"storages/s3/{storage['id']}/sync", {})

    assert len(hearing.tasks(project)) == len(KEYS)


def test_playback_is_repaired_when_the_server_is_mended(run, ministack, hearing, tmp_path):
    """A server without access is named by every push; once it has access, the next one repairs."""
    access = s3_access(ministack)
    deaf = from_seed(tmp_path / "deaf", SSRF_PROTECTION_ENABLED="false")
    run.use(LABEL_STUDIO_URL=deaf.url, LABEL_STUDIO_API_KEY=deaf.token)
    add_tasks(run.folder, KEYS)
    deaf.start()
    first, second = (run("push", "--create", "Calls", "--json").summary for _ in range(2))
    deaf.stop()
    deaf.more = access
    deaf.start()
    mended = run("push", "--create", "Calls", "--json").summary
    sounds = [sound_of(deaf, task) for task in deaf.tasks(mended["project"])]
    deaf.stop()
    deaf.more = access | {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    deaf.start()
    lost = run("push", "--project", mended["project"], "--json").summary
    deaf.stop()

    assert [len(each["advice"]) for each in (first, second, mended)] == [1, 1, 0]
    assert "can't hear s3://calls yet" in second["advice"][0]
    assert sorted(sounds) == sorted(f"sound of {key}".encode() for key in KEYS)
    assert "Label Studio can't read it" in lost["advice"][0]


def test_recordings_of_a_folder_are_heard_and_stay_one_task_each(run, label_studio, tmp_path):
    """The copy is played as it is on this machine; a second round finds and keeps it."""
    names = {"100% a b.wav": "one two", "Grüße+%41.mp3": "three"}
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(f"sound {number}".encode())
    run.use(LABEL_STUDIO_URL=label_studio.url, LABEL_STUDIO_API_KEY=label_studio.token)
    add_files(tmp_path, run.folder, names)
    (run.folder / "second").mkdir()
    add_files(tmp_path, run.folder / "second", names, settings="amazon-transcribe/de-DE")
    push = ("push", "--create", f"Calls {uuid.uuid4().hex[:8]}", "--upload-audio", "--json")

    first, again = (run(*push).summary for _ in range(2))
    second = run(*push, "--output", "second/tasks.jsonl").summary

    counts = [(each["sent"], each["renewed"], each["copied"]) for each in (first, again, second)]
    assert counts == [(2, 0, 2), (0, 0, 0), (0, 2, 0)]
    tasks = label_studio.tasks(first["project"])
    assert {
        each["data"]["recording"]: played(label_studio, each["data"]["audio"]) for each in tasks
    } == {name: (tmp_path / name).read_bytes() for name in names}


def played(server, address) -> bytes:
    """What the player is given for an address below the server's."""
    request = urllib.request.Request(
        server.url + address, headers={"Authorization": f"Token {server.token}"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        content: bytes = answer.read()
        return content


def test_server_without_access_to_the_bucket_is_named_with_what_to_do(run, label_studio):
    """The tasks are pushed all the same; the advice says what reviewers need to hear them."""
    add_tasks(run.folder, KEYS)
    run.use(LABEL_STUDIO_URL=label_studio.url, LABEL_STUDIO_API_KEY=label_studio.token)

    outcome = run("push", "--create", f"Calls {uuid.uuid4().hex[:8]}")

    assert outcome.code == 0
    assert "2 pushed" in outcome.err
    assert "Reviewers can't hear s3://calls yet" in outcome.err
    assert "Unable to locate credentials" in outcome.err
    assert "CORS" in outcome.err


def test_project_of_someone_else_is_not_changed(run, label_studio):
    """With --project a missing storage is only named: the project's settings are its owner's."""
    add_tasks(run.folder, KEYS)
    run.use(LABEL_STUDIO_URL=label_studio.url, LABEL_STUDIO_API_KEY=label_studio.token)
    project = label_studio.create_project(labeling_config(TaskKind.TRANSCRIPT))

    outcome = run("push", "--project", project)

    assert "Reviewers can't hear s3://calls yet" in outcome.err
    assert label_studio.call("GET", "storages/s3", project=project) == []
