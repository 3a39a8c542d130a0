"""No call to S3 follows a redirect; who redirected is told, unless S3 says where a bucket is."""

from __future__ import annotations

import math

import pytest
from yarl import URL

from pipeline.aws.bucket_regions import WrongRegion
from pipeline.aws.s3 import open_s3
from pipeline.aws.s3_requests import SignedRequests
from pipeline.aws.session import connect
from pipeline.config.schema import Aws, Limits
from pipeline.errors import Denied, Expired, Unavailable
from pipeline.naming import S3Uri
from pipeline.net.http import open_http, trusting
from pipeline.net.wait_times import WaitTimes
from tests.support.between import Answer, between, refusal
from tests.support.network import tls_before

PLACE = S3Uri("audio", "one.mp3")
pytestmark = pytest.mark.usefixtures("no_proxies")


async def got(url: str):
    """What a signed read of an object is answered with."""
    settings = Aws(region="us-east-1", endpoint_url=url)
    async with (
        connect(settings, 1, ("key", "secret")) as session,
        open_http(1, trust=session.trust) as http,
    ):
        return await SignedRequests(session, http).get("s3:GetObject", PLACE)


LISTED = (
    b"<ListBucketResult><Contents><Key>one.mp3</Key><Size>1</Size></Contents></ListBucketResult>"
)


async def looked_up(reply):
    """What is known of an object, of a service that answers so."""
    with between(None, reply) as url:
        settings = Aws(region="us-east-1", endpoint_url=url)
        async with (
            connect(settings, 1, ("key", "secret")) as session,
            open_s3(session, Limits(), WaitTimes()) as s3,
        ):
            return await s3.look_up(PLACE)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_names_who_redirected_and_where_to(status):
    """A portal between us and S3 gets no second request, and the signature is shown to nobody."""
    asked = []

    def stolen(each):
        asked.append(each.path)
        return Answer(200, b"", {})

    with between(None, stolen) as thief:
        redirect = Answer(status, b"", {"Location": f"{thief}/login?from=here"})
        with between(None, lambda _: redirect) as url, pytest.raises(Unavailable) as refused:
            await got(url)

    assert asked == []
    assert refused.value.problem == (
        f"{url} redirects to {thief}, where nothing that is signed is sent"
    )


async def test_s3_itself_says_where_a_bucket_is():
    """A redirect of S3's own is about the region, which is what has to be changed."""
    headers = {
        "Location": "https://audio.s3.eu-west-1.amazonaws.com/",
        "x-amz-bucket-region": "eu-west-1",
    }
    with (
        between(None, lambda _: Answer(307, b"", headers)) as url,
        pytest.raises(WrongRegion, match=r"s3://audio is in eu-west-1.*--region eu-west-1"),
    ):
        await got(url)


@pytest.mark.parametrize(
    ("status", "code", "kind", "said"),
    [
        (400, "ExpiredToken", Expired, "The provided token has expired."),
        (403, "AccessDenied", Denied, "no policy allows it"),
    ],
)
async def test_a_refused_look_up_says_why(status, code, kind, said):
    """The answer to HEAD has no words, so they are asked for: an expired token is no fault."""

    def reply(asked):
        if "list-type=2" in asked.path:
            return Answer(200, LISTED, {})
        if asked.method == "HEAD":
            return Answer(status, b"", {})
        return refusal(asked, code, said, status)

    with pytest.raises(kind, match=said):
        await looked_up(reply)


async def test_a_throttled_look_up_of_nothing_finds_nothing():
    """That there is no byte to hear why is no refusal of the bucket: it is looked up again."""
    asked = []

    def reply(each):
        asked.append(each.method)
        if asked == ["HEAD"]:
            return Answer(503, b"", {})
        return refusal(each, "NoSuchKey", "The specified key does not exist.", 404)

    assert await looked_up(reply) is None
    assert asked == ["HEAD", "GET", "HEAD"]


async def test_a_look_up_whose_refusal_is_not_explained_is_denied():
    """Where the byte may be read and the facts may not, it is a refusal all the same."""

    def reply(asked):
        if "list-type=2" in asked.path:
            return Answer(200, LISTED, {})
        return Answer(403, b"", {}) if asked.method == "HEAD" else Answer(206, b"x", {})

    with pytest.raises(Denied, match="s3:GetObject on s3://audio"):
        await looked_up(reply)


async def test_s3_trusts_whom_the_other_services_trust(authority, monkeypatch):
    """AWS_CA_BUNDLE holds for the connections of S3, which are not botocore's."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))
    with (
        between(None, lambda _: Answer(200, b"content", {})) as url,
        tls_before(int(url.rpartition(":")[2]), authority.serves("localhost")) as port,
    ):
        assert await got(f"https://localhost:{port}") == b"content"

    async with connect(Aws(region="us-east-1"), 1, ("key", "secret")) as session:
        assert session.trust is trusting(str(authority.bundle))


async def part_of(reply, etag=""):
    """A part of an object, as it is answered."""
    with between(None, reply) as url:
        settings = Aws(region="us-east-1", endpoint_url=url)
        async with (
            connect(settings, 1, ("key", "secret")) as session,
            open_http(1, trust=session.trust) as http,
        ):
            return await SignedRequests(session, http).get_part(PLACE, (10, 19), etag)


async def test_a_part_is_asked_for_of_the_version_that_others_were_read_of():
    """No media is put together of two contents: S3 is told the ETag, where it is known."""
    asked = []

    def reply(each):
        asked.append({name: each.headers.get(name) for name in ("Range", "If-Match")})
        return Answer(206, b"0123456789", {"Content-Range": "bytes 10-19/70", "ETag": '"9f86"'})

    for etag in ("", '"9f86"'):
        assert await part_of(reply, etag) == (b"0123456789", 70, '"9f86"', math.inf)

    assert asked == [
        {"Range": "bytes=10-19", "If-Match": None},
        {"Range": "bytes=10-19", "If-Match": '"9f86"'},
    ]


async def test_an_empty_part_of_what_is_not_empty_is_no_answer():
    """It is asked for again, and not taken for the end of the object."""
    headers = {"Content-Range": "bytes 10-19/70"}
    with pytest.raises(Unavailable, match="empty answer was given for s3://audio/one"):
        await part_of(lambda _: Answer(206, b"", headers))


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("https://aws-transcribe-us-east-1-prod.s3.amazonaws.com/t.json?X-Amz-Signature=0", True),
        ("http://aws-transcribe-us-east-1-prod.s3.amazonaws.com/t.json?X-Amz-Signature=0", False),
        ("https://amazonaws.com.example.com/t.json", False),
        ("http://127.0.0.1:4566/t.json", True),
        ("http://127.0.0.1:4567/t.json", False),
    ],
)
async def test_a_transcript_is_fetched_from_the_service_alone(url, ours):
    """From AWS by https, and from the endpoint that was named as that was named."""
    settings = Aws(region="us-east-1", endpoint_url="http://127.0.0.1:4566")
    async with connect(settings, 1, ("key", "secret")) as session, open_http(1) as http:
        assert SignedRequests(session, http).is_of_the_service(URL(url, encoded=True)) is ours
