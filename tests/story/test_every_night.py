"""The documents' way from an empty account to the first report, word for word."""

from __future__ import annotations

import json
import re
import shlex
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.conftest import RECORDINGS, emulator, endpoint
from tools.docs import DOCS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("iam")]

ACCOUNT = "000000000000"
SPOKEN = ("calls/invoice.wav", "calls/empty-box.ogg", "calls/cancelled-order.mp3")


def section() -> str:
    """What the documents say about every night."""
    return (DOCS / "how-to" / "nightly-runs.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The section's blocks of code in one language."""
    return re.findall(rf"```{language}\n(.*?)```", section(), re.DOTALL)


def typed(block: str) -> list[list[str]]:
    """The words of each command of a block."""
    return [
        shlex.split(line[2:], comments=True) for line in block.splitlines() if line.startswith("$ ")
    ]


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """The URL of an emulator that enforces policies."""
    with emulator(tmp_path_factory.mktemp("account"), AUTH="true") as url:
        yield url


def test_the_documents_lead_from_an_empty_account_to_the_first_report(account, run):
    """Each command ends with 0 under the rights that `iam apply` gave, and the tasks are there."""
    bucket = f"my-bucket-{uuid.uuid4().hex[:8]}"
    s3 = client(account, "s3")
    s3.create_bucket(Bucket=bucket)
    for key in SPOKEN:
        s3.put_object(Bucket=bucket, Key=key, Body=(RECORDINGS / key).read_bytes())
    settings, (exported, *commands) = blocks("toml")[0], typed(blocks("console")[0])
    prepare(
        run, account, settings.replace("my-bucket", bucket).replace("eu-central-1", "us-east-1")
    )
    for words in commands:
        said = run(*(each.replace("my-bucket", bucket) for each in words[1:]), *agreed(words))
        assert said.code == 0, f"{words}\n{said.err}\n{said.out}"
        if words[1] == "events":
            add_to(run.folder / "nightly.toml", "[aws]", f'events = "{said.out.strip()}"')
        if words[1] == "iam":
            know_no_jobs(account)

    assert exported == ["export", "TRANSCRIBE_PIPELINE_CONFIG=nightly.toml"]
    assert [words[1] for words in commands] == [
        *("events", "iam", "check", "plan", "run", "status", "report")
    ]
    assert sorted(run.texts()) == sorted(f"s3://{bucket}/{key}" for key in SPOKEN)
    assert (run.folder / "tasks.report.html").stat().st_size > 10_000


def agreed(words: list[str]) -> list[str]:
    """What stands for the answer at a terminal."""
    return {"events": ["--yes"], "iam": ["--yes"]}.get(words[1], [])


def know_no_jobs(url: str) -> None:
    """Allow looking at any job: the emulator knows no ARN of a job, and asks for `*`."""
    iam, arn = client(url, "iam"), f"arn:aws:iam::{ACCOUNT}:policy/transcribe-pipeline-nightly"
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    for statement in document["Statement"]:
        if "transcribe:GetTranscriptionJob" in statement["Action"]:
            statement["Resource"] = ["*"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)


def client(url: str, service: str) -> Any:
    """A service, for whoever owns the account."""
    return boto3.client(
        service, "us-east-1", endpoint_url=url,
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip


def prepare(run: Any, url: str, settings: str) -> None:
    """Write the settings down, with the administrator's profile and no other credentials."""
    (run.folder / "nightly.toml").write_text(settings, encoding="utf-8")
    credentials = run.folder / "credentials"
    credentials.write_text("[admin]\naws_access_key_id = test\naws_secret_access_key = test\n")
    credentials.chmod(0o600)
    run.use(
        AWS_ENDPOINT_URL=endpoint(url)["AWS_ENDPOINT_URL"],
        AWS_SHARED_CREDENTIALS_FILE=str(credentials),
        TRANSCRIBE_PIPELINE_CONFIG="nightly.toml",
    )


def add_to(path: Path, heading: str, line: str) -> None:
    """Add a setting below a section's heading."""
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(heading, f"{heading}\n{line}"), encoding="utf-8")
