"""Where S3 calls are sent and how they are signed; offline, by botocore's own rules."""

from __future__ import annotations

import pytest

from pipeline.aws import connect
from pipeline.config import Aws

REGIONS = ("us-west-2", "eu-central-1", "eu-central-2", "af-south-1", "me-south-1", "ap-east-1")


async def signed(region: str, bucket: str, endpoint_url: str = "") -> str:
    """The URL of a listing of the bucket."""
    settings = Aws(region=region, endpoint_url=endpoint_url)
    async with connect(settings, 1, ("key", "secret")) as session:
        url: str = await session.s3.generate_presigned_url(
            "list_objects_v2", Params={"Bucket": bucket}, ExpiresIn=900
        )
        return url


@pytest.fixture(autouse=True)
def no_endpoint(monkeypatch):
    """The services are AWS's own."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("region", REGIONS)
async def test_a_bucket_is_asked_for_at_its_own_region(region):
    """The global host refuses newer regions and redirects for new buckets, so it is not used."""
    url = await signed(region, "my-bucket")

    assert url.startswith(f"https://my-bucket.s3.{region}.amazonaws.com/")


async def test_a_signature_is_of_version_four():
    """Most regions and objects under KMS refuse an older signature."""
    url = await signed("eu-central-1", "my-bucket")

    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url


async def test_a_bucket_with_dots_is_part_of_the_path():
    """No certificate of AWS's fits a host name with more dots in it."""
    url = await signed("eu-central-1", "my.bucket")

    assert url.startswith("https://s3.eu-central-1.amazonaws.com/my.bucket")


async def test_an_endpoint_of_ones_own_has_the_bucket_in_the_path():
    """Emulators have no name for each bucket."""
    url = await signed("us-east-1", "my-bucket", "http://127.0.0.1:9")

    assert url.startswith("http://127.0.0.1:9/my-bucket")
