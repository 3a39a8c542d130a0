"""The doctor before a real Label Studio: the token, the project, and whether reviewers hear."""

from __future__ import annotations

import uuid

import boto3
import pytest

from pipeline.model import TaskKind
from pipeline.tasks.labeling_config import labeling_config
from tests.conftest import emulator, endpoint
from tests.label_studio_server.server import from_seed, s3_access

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("ministack")]


def new_bucket(url, run):
    """A bucket with a recording in it, of the account that `run` has now, and a client of S3."""
    s3 = boto3.client(
        "s3", "us-east-1", endpoint_url=url,
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    name = f"calls-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="a.mp3", Body=b"x")
    run.use(**endpoint(url))
    return name, s3


@pytest.fixture
def bucket(ministack, run):
    """A bucket of an account in which everything is allowed."""
    return new_bucket(ministack, run)


@pytest.fixture
def strict(tmp_path):
    """An account that answers browsers by the rules of its buckets, and not as it likes."""
    (tmp_path / "strict").mkdir()
    with emulator(tmp_path / "strict", AUTH="true") as url:
        yield url


@pytest.fixture
def check(run, bucket, label_studio):
    """Looks at a project of the server; the lines about Label Studio by their names."""
    run.use(LABEL_STUDIO_URL=label_studio.url, LABEL_STUDIO_API_KEY=label_studio.token)

    def look(project, *flags):
        outcome = run("check", f"s3://{bucket[0]}/", "--project", project, *flags, "--json")
        lines = {line["check"]: line for line in outcome.summary["lines"]}
        return [lines.get(name) for name in ("Label Studio", "project", "playing")]

    return look


def test_a_project_that_fits_is_ok_and_what_nobody_hears_a_warning(check, label_studio, bucket):
    """Token and project are as they should be; the storage that is missing is named."""
    token, project, playing = check(label_studio.create_project(labeling_config(TaskKind.SEGMENTS)),
                                    "--task", "segments")  # fmt: skip

    assert (token["verdict"], project["verdict"]) == ("ok", "ok")
    assert "as admin@example.com" in token["message"]
    assert playing["verdict"] == "warning"
    assert f"Reviewers can't hear s3://{bucket[0]} yet" in playing["message"]


def test_a_personal_access_token_is_known(check, run, label_studio, personal_token):
    """The other kind of token is exchanged, and then known as well."""
    run.use(LABEL_STUDIO_API_KEY=personal_token)

    token, _, _ = check(label_studio.create_project(labeling_config(TaskKind.TRANSCRIPT)))

    assert token["verdict"] == "ok"


def test_a_project_for_other_tasks_is_a_problem(check, label_studio):
    """A push would be refused, and that is known before the night."""
    _, project, _ = check(label_studio.create_project(labeling_config(TaskKind.SEGMENTS)))

    assert project["verdict"] == "problem"
    assert 'no control named "transcription"' in project["message"]
    assert "labeling-config" in project["advice"]


def test_a_wrong_token_and_a_missing_project_are_problems(check, run, label_studio):
    """Each says what is wrong with it, and where to get another one."""
    _, missing, playing = check(999_999)
    run.use(LABEL_STUDIO_API_KEY="0" * 40)
    token, _, _ = check(1)

    assert missing["verdict"] == "problem"
    assert "no such project" in missing["message"]
    assert playing["verdict"] == "skipped"
    assert token["verdict"] == "problem"
    assert "Personal Access Token" in token["advice"]


def test_what_browsers_may_fetch_is_tried(strict, tmp_path, run):
    """With pre-signed URLs the bucket's CORS decides; with the proxy it does not matter."""
    name, s3 = new_bucket(strict, run)
    server = from_seed(tmp_path / "data", **s3_access(strict))
    server.start()
    run.use(LABEL_STUDIO_URL=server.url, LABEL_STUDIO_API_KEY=server.token)

    def playing(project):
        outcome = run("check", f"s3://{name}/", "--project", project, "--json")
        return {line["check"]: line for line in outcome.summary["lines"]}["playing"]

    try:
        projects = []
        for presign in (False, True):
            projects.append(server.create_project(labeling_config(TaskKind.TRANSCRIPT)))
            row = {"project": projects[-1], "bucket": name, "presign": presign}
            server.call("POST", "storages/s3", row)
        proxied, presigned = map(playing, projects)
        rule = {"AllowedOrigins": [server.url], "AllowedMethods": ["GET"]}
        s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [rule]})
        allowed = playing(projects[1])
    finally:
        server.stop()

    assert [each["verdict"] for each in (proxied, presigned, allowed)] == ["ok", "warning", "ok"]
    assert "itself fetches" in proxied["message"]
    assert f"CORS rule that allows GET from {server.url}" in presigned["advice"]
