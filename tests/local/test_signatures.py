"""Calls are answered to who has a key of the cloud, and to nobody else."""

from __future__ import annotations

import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError
from multidict import CIMultiDict, CIMultiDictProxy

from pipeline.local import Keys
from pipeline.local.errors import Refused
from pipeline.local.signatures import Received, check
from tests.local.conftest import ONE_TRY, client_of
from tests.support.signing import KEYS, presigned, signed_headers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

URL = "http://127.0.0.1:8080"
KEY = "/audio/a%20b+c.wav"
OTHERS = Keys("test", "another secret")
START = {"X-Amz-Target": "Transcribe.StartTranscriptionJob"}


def call(
    method: str = "GET", target: str = KEY, body: bytes = b"", **headers: str
) -> tuple[str, Received]:
    """A call as it comes, signed in its headers; which service it is for, and the request."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    signed = signed_headers(method, URL + target, named, body) | {"Host": "127.0.0.1:8080"}
    service = "transcribe" if "X-Amz-Target" in named else "s3"
    return service, Received(method, target, CIMultiDictProxy(CIMultiDict(signed)), body)


def address(target: str = KEY, method: str = "GET", **how: object) -> Received:
    """A presigned call as it comes."""
    url = presigned(URL + target, method, **how)  # type: ignore[arg-type]
    host = CIMultiDictProxy(CIMultiDict({"Host": "127.0.0.1:8080"}))
    return Received(method, url.removeprefix(URL), host)


def changed(received: Received, **headers: str) -> Received:
    """The same with other headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return received._replace(headers=CIMultiDictProxy(CIMultiDict({**received.headers, **named})))


def refusal(received: Received, service: str = "s3", now: float = 0.0) -> str:
    """The code with which a call is refused."""
    with pytest.raises(Refused) as caught:
        check(received, service, [KEYS], now or time.time())
    return caught.value.code


@pytest.mark.parametrize(
    "signed",
    [
        call(),
        call(target="/audio?list-type=2&prefix=a%2Fb&continuation-token="),
        call("PUT", KEY, b"sound"),
        call("POST", "/", b"{}", X_Amz_Target="Transcribe.StartTranscriptionJob"),
        ("s3", address()),
        ("s3", address("/audio?list-type=2&prefix=%C3%BC%20")),
        ("s3", address(method="PUT")),
    ],
)
def test_what_a_client_of_aws_signs_with_a_key_is_answered(signed):
    """In its headers or in its address, for either service."""
    service, received = signed

    check(received, service, [OTHERS._replace(access_key="other"), KEYS], time.time())


@pytest.mark.parametrize(
    "received",
    [
        call()[1]._replace(method="DELETE"),
        call()[1]._replace(target="/audio/other.wav"),
        call()[1]._replace(target=f"{KEY}?versionId=2"),
        changed(call()[1], Host="localhost:8080"),
        address()._replace(method="DELETE"),
        address()._replace(target=address().target.replace("a%20b", "other")),
        address()._replace(target=address().target.replace("Expires=900", "Expires=90000")),
        address(keys=OTHERS),
    ],
)
def test_what_was_changed_after_it_was_signed_is_refused(received):
    """Method, path, query, host and lifetime are what was signed, or nothing is answered."""
    assert refusal(received) == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    "received",
    [
        address()._replace(target=KEY),
        changed(call()[1], Authorization="AWS4-HMAC-SHA256 Credential=test, Signature=0"),
        changed(call()[1], Authorization="Basic dGVzdDp0ZXN0"),
        changed(call()[1], X_Amz_Copy_Source="/audio/other.wav"),
        address(seconds=604_801),
        call(X_Amz_Target="Transcribe.ListTranscriptionJobs")[1],
        address()._replace(target=address().target.replace("Signature=", "Signature=%C3%BC")),
    ],
)
def test_what_is_not_signed_as_a_whole_is_refused(received):
    """No signature, one of another kind or service, or a header that was added to it."""
    assert refusal(received) == "AccessDenied"


def test_a_call_of_transcribe_is_signed_with_its_body():
    """Another body, no signature and an unknown key have the service's own codes."""
    service, received = call("POST", "/", b"{}", X_Amz_Target=START["X-Amz-Target"])
    unsigned = received._replace(headers=CIMultiDictProxy(CIMultiDict(START)))

    assert refusal(received._replace(body=b"[]"), service) == "InvalidSignatureException"
    assert refusal(unsigned, service) == "MissingAuthenticationTokenException"
    with pytest.raises(Refused, match="UnrecognizedClientException"):
        check(received, service, [Keys("mine", "secret")], time.time())


def test_a_signature_holds_for_its_time_alone():
    """A call for a quarter of an hour, an address for as long as it says, neither before."""
    now, late = time.time(), "RequestTimeTooSkewed"

    check(address(seconds=60), "s3", [KEYS], now + 55)
    assert refusal(address(seconds=60), now=now + 61) == "AccessDenied"
    assert refusal(call()[1], now=now + 1000) == late
    assert refusal(call()[1], now=now - 1000) == late
    assert refusal(address(), now=now - 1000) == late


async def test_another_key_opens_nothing_over_the_wire(opened):
    """Neither service answers to a key that the cloud was not given."""
    async with opened() as client:
        other = client.cloud.__class__(**vars(client.cloud) | {"keys": Keys("LOCAL", "guessed")})
        async with client_of(other, "s3", ONE_TRY) as s3:
            with pytest.raises(ClientError, match="InvalidAccessKeyId"):
                await s3.list_objects_v2(Bucket="audio")
        async with client_of(other, "transcribe", ONE_TRY) as transcribe:
            with pytest.raises(ClientError, match="UnrecognizedClientException"):
                await transcribe.list_transcription_jobs()


async def test_an_object_that_is_not_what_was_signed_is_not_kept(opened, tmp_path):
    """The hash of the body is part of a signature; half an upload replaces nothing."""
    async with opened() as client:
        url = f"{client.cloud.url}/audio/hello.wav"
        headers = signed_headers("PUT", url, {}, b"signed", keys=client.cloud.keys)
        async with client.http.put(url, data=b"other!", headers=headers) as answer:
            body = await answer.text()

    assert "XAmzContentSHA256Mismatch" in body
    assert (tmp_path / "audio" / "hello.wav").read_text() == "hello world"
    assert [path.name for path in (tmp_path / "audio").iterdir()] == ["hello.wav"]


async def test_an_upload_is_written_as_it_comes(opened, tmp_path):
    """A hundred megabytes take a few of memory."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield bytes(10**6)

    async with opened() as client:
        url = client.url("/audio/large.wav", "PUT")
        tracemalloc.start()
        try:
            async with client.http.put(url, data=chunks()) as answer:
                assert answer.status == 200
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert (tmp_path / "audio" / "large.wav").stat().st_size == 10**8
    assert peak < 30 * 10**6


async def test_a_web_page_gets_what_an_address_was_given_for_and_nothing_else(opened):
    """A presigned recording plays in a page of another site; no call of the page's own works."""
    page = {"Origin": "https://label-studio.example.com"}
    async with opened() as client:
        url = f"{client.cloud.url}/audio/hello.wav"
        async with client.http.get(client.url(url), headers=page) as given:
            played = await given.text()
        put = client.http.put(client.url(url, "PUT"), headers=page, data=b"evil")
        get = client.http.get(
            url, headers=page | signed_headers("GET", url, keys=client.cloud.keys)
        )
        statuses = []
        for each in (put, get, client.http.options(url, headers=page)):
            async with each as answer:
                statuses.append(answer.status)

    assert played == "hello world"
    assert statuses == [403, 403, 403]


async def test_where_nothing_is_to_be_written_nothing_is(opened, tmp_path):
    """A cloud that only reads refuses puts and deletes from who has its keys; jobs still write."""
    async with opened(writable=False) as client, client_of(client.cloud, "s3", ONE_TRY) as s3:
        for refused in (
            s3.put_object(Bucket="audio", Key="hello.wav", Body=b"other"),
            s3.delete_object(Bucket="audio", Key="hello.wav"),
        ):
            with pytest.raises(ClientError, match="AccessDenied"):
                await refused
        await client.start("job", OutputBucketName="audio")
        await client.ended("job")

    found = sorted(path.name for path in (tmp_path / "audio").iterdir())
    assert found == [".write_access_check_file.temp", "hello.wav", "job.json"]
