"""An account of an emulator that enforces policies, for a program that begins with no rights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3

from tests.conftest import RECORDINGS, Cli, endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable

ACCOUNT = "000000000000"


def client(url: str, service: str) -> Any:
    """A service, for the owner of the account."""
    return boto3.client(
        service, "us-east-1", endpoint_url=url,
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip


def fill(url: str, bucket: str, keys: Iterable[str]) -> None:
    """Make a bucket of bundled recordings."""
    s3 = client(url, "s3")
    s3.create_bucket(Bucket=bucket)
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=(RECORDINGS / key).read_bytes())


def begin(run: Cli, url: str, **environment: str) -> None:
    """Give the program the administrator's profile `admin`, and no other credentials."""
    credentials = run.folder / "credentials"
    credentials.write_text("[admin]\naws_access_key_id = test\naws_secret_access_key = test\n")
    credentials.chmod(0o600)
    run.use(
        AWS_ENDPOINT_URL=endpoint(url)["AWS_ENDPOINT_URL"],
        AWS_SHARED_CREDENTIALS_FILE=str(credentials),
        **environment,
    )


def allow_any_job(url: str, user: str) -> None:
    """Allow looking at any job: the emulator knows no ARN of a job, and asks for `*`."""
    iam, arn = client(url, "iam"), f"arn:aws:iam::{ACCOUNT}:policy/transcribe-pipeline-{user}"
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    for statement in document["Statement"]:
        if "transcribe:GetTranscriptionJob" in statement["Action"]:
            statement["Resource"] = ["*"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)
