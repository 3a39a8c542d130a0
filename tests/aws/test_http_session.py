"""botocore's clients go through the same connections as S3: trust, proxy, redirects, causes."""

from __future__ import annotations

import pytest

from pipeline.aws.error_codes import translated
from pipeline.aws.http_session import SessionConfig
from pipeline.aws.service import Service
from pipeline.aws.session import connect
from pipeline.config.schema import Aws, Limits
from pipeline.errors import AnswerTooLarge, ServiceUnreachable, Unavailable
from pipeline.net.wait_times import WaitTimes
from tests.support.between import Answer, Asked, between
from tests.support.endless import endless
from tests.support.network import connect_proxy, tls_before

pytestmark = pytest.mark.usefixtures("no_proxies")

KEYS = ("AKIDEXAMPLE", "secret")
JOBS = b'{"TranscriptionJobSummaries": []}'


def no_jobs(_: object) -> Answer:
    """What Transcribe answers when there is no job."""
    return Answer(200, JOBS, {"Content-Type": "application/x-amz-json-1.1"})


def remembering(asked: list[Asked]):
    """The same, of a server that remembers what it was asked."""

    def reply(each: Asked) -> Answer:
        asked.append(each)
        return no_jobs(each)

    return reply


async def ask(url: str, service: str = "transcribe", call: str = "list_transcription_jobs"):
    """The answer of a service at an address, asked once."""
    settings = Aws(region="eu-central-1", endpoint_url=url)
    async with connect(settings, 2, KEYS) as session:
        client = await session.client(service)
        with translated("asking"):
            return await getattr(client, call)()


async def refusal(url: str, *call: str) -> str:
    """What a user is told when a service gives no answer."""
    with pytest.raises(Unavailable) as refused:
        await ask(url, *call)
    return str(refused.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_signed_call_follows_no_redirect(status):
    """Neither the token nor the body of a call reaches the host that an answer names."""
    asked: list[Asked] = []
    with between(None, remembering(asked)) as thief:
        redirect = Answer(status, b"", {"Location": f"{thief}/"})
        with between(None, lambda _: redirect) as url:
            said = await refusal(url)

    assert asked == []
    assert f"{url} redirects to {thief}, where nothing that is signed is sent" in said


@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html><html><body>Welcome to our hotel</body></html>",
        b"\n<html><head/><body>Welcome</body></html>",
    ],
)
@pytest.mark.parametrize("status", [200, 403, 404])
async def test_a_page_is_not_the_service_s_answer(page, status):
    """The login page of a network, well formed or not, is told as what answers there."""
    with between(None, lambda _: Answer(status, page, {})) as url:
        said = await refusal(url, "sts", "get_caller_identity")

    assert f"{url} answers with a web page (HTTP status {status})" in said
    assert "login page" in said


@pytest.mark.parametrize("body", [b"<r><x/></r>", b"not even XML", b"{}", b""])
async def test_an_answer_that_can_not_be_read_is_not_the_service_s(body):
    """Whatever botocore's parser makes of it, the user reads a sentence."""
    with between(None, lambda _: Answer(200, body, {})) as url:
        said = await refusal(url, "sts", "get_caller_identity")

    assert said.startswith("The answer to asking is not the service's: it can't be parsed (")


async def test_the_bundle_of_the_environment_is_trusted(authority, monkeypatch):
    """AWS_CA_BUNDLE says for every call whose certificates count."""
    with (
        between(None, no_jobs) as url,
        tls_before(int(url.rpartition(":")[2]), authority.serves("localhost")) as port,
    ):
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))

        assert (await ask(f"https://localhost:{port}"))["TranscriptionJobSummaries"] == []


async def test_the_bundle_of_the_profile_is_trusted(authority, monkeypatch, tmp_path):
    """`ca_bundle` in a profile does the same."""
    config = tmp_path / "config"
    config.write_text(f"[default]\nca_bundle = {authority.bundle}\n", "utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    with (
        between(None, no_jobs) as url,
        tls_before(int(url.rpartition(":")[2]), authority.serves("localhost")) as port,
    ):
        assert (await ask(f"https://localhost:{port}"))["TranscriptionJobSummaries"] == []


@pytest.mark.parametrize("bundle", ["", None])
async def test_behind_a_proxy_a_certificate_counts_too(authority, monkeypatch, bundle):
    """Who stands between a proxy and the service, and signs by himself, gets no signed call."""
    asked: list[Asked] = []
    with (
        between(None, remembering(asked)) as url,
        tls_before(int(url.rpartition(":")[2]), authority.serves("far.example")) as port,
        connect_proxy(port, "Basic bWU6c2VjcmV0") as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@127.0.0.1:{proxy.port}")
        if bundle is not None:
            monkeypatch.setenv("AWS_CA_BUNDLE", bundle)
        said = await refusal("https://far.example")

    assert "The certificate of far.example:443 is not trusted" in said
    assert (asked, proxy.refused) == ([], 0)


def test_what_is_merged_keeps_to_our_connections():
    """A client's own settings, as those of the STS client of a role, change nothing about it."""
    merged = SessionConfig().merge(SessionConfig(read_timeout=7)).merge(SessionConfig())

    assert merged.http_session_cls is SessionConfig().http_session_cls
    assert merged.read_timeout == 7


async def test_an_answer_of_more_than_any_call_asks_for_is_not_read():
    """Neither one without end, nor a short one that would fill the memory once it is read."""
    dense = Answer(200, b'{"a":[' + b"{}," * 600_000 + b"{}]}", {})
    match = "more than any call asks for"
    with between(None, lambda _: dense) as url, pytest.raises(AnswerTooLarge, match=match):
        await ask(url)
    async with endless() as url:
        with pytest.raises(AnswerTooLarge, match="more than 48 MiB"):
            await ask(url)


async def test_an_answer_that_drips_has_its_time_as_a_whole():
    """A byte now and then keeps no run waiting for ever."""
    limits = Limits(answer_seconds=0.2, retry_seconds=0.001)
    async with endless(b" ", pause=0.01) as url:
        settings = Aws(region="eu-central-1", endpoint_url=url)
        async with connect(settings, 2, KEYS, limits) as session:
            with pytest.raises(ServiceUnreachable):
                await Service(session, "transcribe", WaitTimes()).call("ListTranscriptionJobs")
