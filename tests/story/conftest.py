"""Fixtures of the stories."""

from __future__ import annotations

import uuid

import boto3
import pytest

from tests.conftest import endpoint


@pytest.fixture
def buckets(ministack, run):
    """Two new buckets, recordings and results, with `run` pointed at their account."""
    run.use(**endpoint(ministack))
    s3 = boto3.client(
        "s3", "us-east-1", endpoint_url=ministack,
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    names = [f"{kind}-{uuid.uuid4().hex[:12]}" for kind in ("audio", "results")]
    for name in names:
        s3.create_bucket(Bucket=name)
    return s3, *names
