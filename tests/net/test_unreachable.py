"""Whoever gets no answer learns the host, the cause in the system's words, and what to look at."""

from __future__ import annotations

import ssl
from threading import Event

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from pipeline.errors import Unavailable
from pipeline.net.http import open_http, request, trusting
from pipeline.net.unreachable import OTHER_HINTS, not_the_service, redirected, unreachable
from tests.conftest import free_port
from tests.support.between import Answer, between
from tests.support.network import tls_before

pytestmark = pytest.mark.usefixtures("no_proxies")

KEY = ConnectionKey(
    "labels.example",
    443,
    is_ssl=True,
    ssl=True,
    proxy=None,
    proxy_auth=None,
    proxy_headers_hash=None,
)
QUICK = 0.3
"""Seconds for a whole answer."""


async def reason_of(url: str, trust=None) -> Unavailable:
    """Why a signed URL is not answered."""
    async with open_http(1, QUICK, trust) as http:
        with pytest.raises(Unavailable) as refused:
            await request(http, f"{url}/a?X-Amz-Signature=secret")
    assert "secret" not in str(refused.value)
    return refused.value


async def test_a_host_that_is_misspelt():
    """What the resolver says is told, and where a host's name comes from."""
    error = await reason_of("https://transcribe.eu-centrall-1.invalid")

    assert error.problem.startswith("The host transcribe.eu-centrall-1.invalid has no address: ")
    assert "Unknown error" not in error.problem
    assert "region" in error.advice
    assert "--endpoint-url" in error.advice


async def test_a_port_where_nobody_listens():
    """A refused connection is one to the wrong port, or to a service that is down."""
    port = free_port()
    error = await reason_of(f"http://127.0.0.1:{port}")

    assert error.problem == f"No answer from 127.0.0.1:{port}: Connection refused"
    assert "port" in error.advice


async def test_a_server_that_keeps_silent(tmp_path):
    """Who does not answer in time is behind a firewall, or the way to him is."""
    over = Event()

    def reply(_):
        over.wait(5)
        return Answer(200, b"", {})

    with between(None, reply) as url:
        error = await reason_of(url)
        over.set()

    assert error.problem.endswith(": it took too long")
    assert "firewall" in error.advice


async def test_a_connection_that_is_cut():
    """An answer that ends before it is whole is told as what it is."""
    with between(None, lambda _: Answer(200, None, {})) as url:
        error = await reason_of(url)

    assert error.problem == (
        f"No answer from {url.removeprefix('http://')}: the connection ended before the answer did"
    )


async def test_a_port_without_tls():
    """HTTP and HTTPS taken for each other: the port and the scheme are to be looked at."""
    with between(None, lambda _: Answer(200, b"", {})) as url:
        error = await reason_of(url.replace("http:", "https:"))

    assert error.problem.startswith("No encrypted connection to 127.0.0.1:")
    assert "https://" in error.advice


async def test_a_certificate_of_another_host(authority):
    """Whose certificate it is counts: the host is to be looked at, not the authority."""
    with tls_before(1, authority.serves("other.example")) as port:
        error = await reason_of(f"https://localhost:{port}", trusting(str(authority.bundle)))

    assert error.problem.startswith(
        f"The certificate of localhost:{port} is not trusted: Hostname mismatch"
    )
    assert "region" in error.advice


@pytest.mark.parametrize("words", ["certificate has expired", "certificate is not yet valid"])
def test_a_certificate_out_of_its_time(words):
    """Where a certificate is not valid now, it is this machine's clock that may be wrong."""
    expired = ssl.SSLCertVerificationError()
    expired.verify_message = words
    error = aiohttp.ClientConnectorCertificateError(KEY, expired)

    told = unreachable(error, URL("https://labels.example/api/"), None)

    assert told.problem == f"The certificate of labels.example:443 is not trusted: {words}"
    assert "clock" in told.advice


async def test_a_proxy_that_nobody_listens_at(monkeypatch):
    """It is the proxy that is not reached, and its variable that is to be looked at."""
    port = free_port()
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@127.0.0.1:{port}")
    error = await reason_of("https://far.example")

    assert error.problem == (
        f"The proxy can't be reached: No answer from 127.0.0.1:{port}: Connection refused"
    )
    assert "HTTPS_PROXY" in error.advice


async def test_a_proxy_that_has_no_address(monkeypatch):
    """The host that is looked up is the proxy's, not the service's."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    error = await reason_of("https://far.example")

    assert error.problem.startswith(
        "The proxy can't be reached: The host proxy.invalid has no address: "
    )


def test_others_than_aws_are_looked_for_elsewhere():
    """A Label Studio has no region, and its certificate is looked up in the machine's own store."""
    error = aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "Name or service not known"))

    told = unreachable(error, URL("https://labels.example/api/"), None, OTHER_HINTS)

    assert told.problem == "The host labels.example has no address: Name or service not known"
    assert "--url" in told.advice
    assert "region" not in told.advice


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://login.example/?token=secret", "https://login.example"),
        ("/elsewhere", "http://a.example"),
        ("//evil.example:8080/", "http://evil.example:8080"),
        ("http://[", "somewhere else"),
    ],
)
def test_a_redirect_names_both_hosts_and_no_secret(location, target):
    """Who redirected, and where to; what was in the addresses beyond their hosts is not told."""
    told = redirected(URL("http://a.example/b?X-Amz-Signature=1"), 307, {"Location": location})

    assert told is not None
    assert told.problem == (
        f"http://a.example redirects to {target}, where nothing that is signed is sent"
    )
    assert redirected(URL("http://a.example/"), 307, {}) is None
    assert redirected(URL("http://a.example/"), 201, {"Location": location}) is None


@pytest.mark.parametrize(
    ("status", "headers", "body", "foreign"),
    [
        (200, {}, b"\n<!DOCTYPE html>", True),
        (403, {}, b"<HTML>", True),
        (200, {"x-amz-request-id": "4442587FB7D0A2F9"}, b"<html>", False),
        (503, {}, b"<html>", False),
        (200, {}, b"<ListBucketResult>", False),
        (200, {}, b"", False),
    ],
)
def test_a_web_page_is_told_from_an_object_that_is_one(status, headers, body, foreign):
    """A page is a proxy's or a login's, unless S3 gives it; a fault's page is asked for again."""
    told = not_the_service(URL("http://a.example/b"), status, headers, body)

    assert (told is not None) == foreign
    assert told is None or "HTTPS_PROXY" in told.advice
