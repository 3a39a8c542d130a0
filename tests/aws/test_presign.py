"""Where S3 calls are sent and how they are signed; offline, by botocore's own rules."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.presign import Call, Presigner, signed
from pipeline.aws.session import connect
from pipeline.config.schema import Aws
from pipeline.naming import S3Uri

REGIONS = ("us-west-2", "eu-central-1", "eu-central-2", "af-south-1", "me-south-1", "ap-east-1")


async def signed_listing(region: str, bucket: str, endpoint_url: str = "") -> str:
    """The URL of a listing of the bucket."""
    settings = Aws(region=region, endpoint_url=endpoint_url)
    async with connect(settings, 1, ("key", "secret")) as session:
        return await Presigner(session).url("GET", S3Uri(bucket, ""), {"list-type": "2"})


@pytest.fixture(autouse=True)
def no_endpoint(monkeypatch):
    """The services are AWS's own."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("region", REGIONS)
async def test_a_bucket_is_asked_for_at_its_own_region(region):
    """The global host refuses newer regions and redirects for new buckets, so it is not used."""
    url = await signed_listing(region, "my-bucket")

    assert url.startswith(f"https://my-bucket.s3.{region}.amazonaws.com/")


async def test_a_signature_is_of_version_four():
    """Most regions and objects under KMS refuse an older signature."""
    url = await signed_listing("eu-central-1", "my-bucket")

    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url


async def test_a_bucket_with_dots_is_part_of_the_path():
    """No certificate of AWS's fits a host name with more dots in it."""
    url = await signed_listing("eu-central-1", "my.bucket")

    assert url.startswith("https://s3.eu-central-1.amazonaws.com/my.bucket")


async def test_an_endpoint_of_ones_own_has_the_bucket_in_the_path():
    """Emulators have no name for each bucket."""
    url = await signed_listing("us-east-1", "my-bucket", "http://127.0.0.1:9")

    assert url.startswith("http://127.0.0.1:9/my-bucket")


@pytest.mark.parametrize(("method", "pays"), [("GET", True), ("HEAD", True), ("PUT", False)])
async def test_whoever_pays_for_reading_says_so_in_every_signed_url(method, pays):
    """A Requester Pays bucket refuses a read without the word; writing is to our own buckets."""
    said = []
    for requester_pays in (True, False):
        settings = Aws(region="us-east-1", requester_pays=requester_pays)
        async with connect(settings, 1, ("key", "secret")) as session:
            url = await Presigner(session).url(method, S3Uri("calls", "a.mp3"), {})
        said.append(dict(parse_qsl(urlsplit(url).query)).get("x-amz-request-payer"))

    assert said == ["requester" if pays else None, None]


@given(
    st.sampled_from(["GET", "HEAD", "PUT"]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.dictionaries(
        st.sampled_from(["prefix", "list-type", "start-after", "x-amz-request-payer"]),
        st.text(min_size=1),
    ),
    st.sampled_from([{}, {"If-None-Match": "*"}, {"If-Match": '"abc"'}]),
    st.sampled_from([None, "a/token+of=sts"]),
)
def test_a_url_is_the_one_that_botocore_would_sign(method, key, query, headers, token):
    """Whatever the key, the call, its headers and the credentials, the signature is botocore's."""
    credentials = ReadOnlyCredentials("key", "secret", token)
    base = f"https://bucket.s3.eu-central-1.amazonaws.com/{quote(key, safe='/~')}"
    request = AWSRequest(method, f"{base}?{urlencode(query, quote_via=quote)}", headers)
    S3SigV4QueryAuth(credentials, "s3", "eu-central-1", expires=900).add_auth(request)
    theirs = urlsplit(request.url)
    moment = dict(parse_qsl(theirs.query))["X-Amz-Date"]
    now = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    ours = urlsplit(signed(Call(method, base, query, headers), credentials, "eu-central-1", now))

    assert ours[:3] == theirs[:3]
    assert sorted(parse_qsl(ours.query)) == sorted(parse_qsl(theirs.query))


async def test_a_default_port_is_no_part_of_what_is_signed():
    """HTTP clients leave it out of the Host header, so a signature over it would be refused."""
    url = await signed_listing("us-east-1", "my-bucket", "http://127.0.0.1:80")

    assert url.startswith("http://127.0.0.1/my-bucket")
