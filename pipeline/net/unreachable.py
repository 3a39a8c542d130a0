"""Why no answer came: the host, the cause as the system words it, and what to look at. Pure.

The errors are aiohttp's. Their own text is never used: it may hold a URL with its signature, or a
proxy's with its password.
"""

from __future__ import annotations

import errno
import os
import ssl
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
from yarl import URL

from pipeline.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.net.proxies import Proxy

WANTS_PASSWORD = 407
"""The HTTP status of a proxy that lets nobody through without a user and a password."""

_REDIRECTS = range(300, 400)
_FIRST_FAULT = 500
_NUMBER, _REGION = "x-amz-request-id", "x-amz-bucket-region"
_PAGES = ("<!doctype html", "<html")
_CLOCK = "Check this machine's clock."
_NO_WAY = (
    "Check the way to it: proxy (HTTPS_PROXY), firewall, or in a network of your own the service's "
    "endpoint."
)


class Hints(NamedTuple):
    """What to look at where a service is not reached: what names its host, and who is trusted."""

    host: str
    certificates: str


AWS_HINTS = Hints(
    "Check the spelling of the region and of --endpoint-url, whether Amazon Transcribe is in that "
    "region, and this machine's DNS.",
    "Where an authority of your own or a proxy has signed it, name the authority's PEM file with "
    "AWS_CA_BUNDLE, or with ca_bundle in the profile.",
)
OTHER_HINTS = Hints(
    "Check the spelling of --url, and this machine's DNS.",
    "Where an authority of your own has signed it, name the authority's PEM file with "
    "SSL_CERT_FILE.",
)


def unreachable(
    error: Exception, url: URL, proxy: Proxy | None, hints: Hints = AWS_HINTS
) -> Unavailable:
    """What an error of aiohttp's, or none within the time, means.

    Args:
        error: as it was raised by a request.
        url: that was asked for.
        proxy: it went through, if through one.
        hints: what to look at.
    """
    where = f"{url.host}:{url.port}"
    if isinstance(error, aiohttp.ClientHttpProxyError) and proxy:
        return refused_by_proxy(proxy, where, error.status)
    if proxy and _of_the_proxy(error, proxy):
        problem, _ = _cause(error, str(proxy), hints)
        return Unavailable(
            f"The proxy can't be reached: {problem}",
            f"Check {proxy.variable}; NO_PROXY names the hosts that are reached without it.",
        )
    return Unavailable(*_cause(error, where, hints))


def refused_by_proxy(proxy: Proxy, where: str, status: int) -> Unavailable:
    """What a proxy means that leads nobody to `where`, by the HTTP status of its answer."""
    if status == WANTS_PASSWORD:
        return Unavailable(
            f"The proxy {proxy} asks for a user and a password, or refuses those it was given "
            f"({status})",
            f"Write them into {proxy.variable}: http://user:password@{proxy}.",
        )
    return Unavailable(
        f"The proxy {proxy} does not lead to {where} (HTTP status {status})",
        f"Ask who runs it, or name the host in NO_PROXY; {proxy.variable} names the proxy.",
    )


def _of_the_proxy(error: Exception, proxy: Proxy) -> bool:
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return True
    host, port = getattr(error, "host", None), getattr(error, "port", None)
    return (host, port) == (proxy.url.host, proxy.url.port)


def _cause(error: Exception, where: str, hints: Hints) -> tuple[str, str]:
    """The problem and the advice of a connection to `where` that did not come about."""
    certificate = getattr(error, "certificate_error", None)
    if isinstance(certificate, ssl.SSLCertVerificationError):
        return _of_certificate(certificate.verify_message, where, hints)
    cause = getattr(error, "os_error", None) or error
    if isinstance(error, aiohttp.ClientSSLError):
        reason = getattr(cause, "reason", None) or "it ended while they agreed on one"
        return (
            f"No encrypted connection to {where}: {reason}",
            "Check the port, and whether its address begins with http:// or https://.",
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        host = where.rpartition(":")[0]
        return f"The host {host} has no address: {_words(cause)}", hints.host
    if isinstance(error, TimeoutError):
        return f"No answer from {where}: it took too long", _NO_WAY
    if isinstance(error, aiohttp.ClientConnectorError):
        refused = getattr(cause, "errno", None) == errno.ECONNREFUSED
        advice = "Check the host and the port, and whether the service runs there."
        return f"No answer from {where}: {_words(cause)}", advice if refused else _NO_WAY
    return f"No answer from {where}: {_words(cause)}", ""


def _of_certificate(words: str, where: str, hints: Hints) -> tuple[str, str]:
    problem = f"The certificate of {where} is not trusted: {words.removesuffix('.')}"
    if "expired" in words or "not yet valid" in words:
        return problem, _CLOCK
    return problem, hints.host if "mismatch" in words.lower() else hints.certificates


def _words(error: BaseException) -> str:
    """The system's own words for an error; resolvers count below zero and bring theirs along."""
    number = getattr(error, "errno", None)
    if number is not None and number > 0 and number in errno.errorcode:
        return os.strerror(number)
    own = getattr(error, "strerror", None)
    if own:
        return str(own)
    broken_off = isinstance(error, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError)
    return "the connection ended before the answer did" if broken_off else type(error).__name__


def redirected(url: URL, status: int, headers: Mapping[str, str]) -> Unavailable | None:
    """What an answer means that sends us elsewhere, where nothing signed is sent; else None."""
    location = headers.get("Location", "")
    if status not in _REDIRECTS or not location:
        return None
    try:
        target = str(url.join(URL(location)).origin())
    except ValueError:
        target = "somewhere else"
    return Unavailable(
        f"{url.origin()} redirects to {target}, where nothing that is signed is sent",
        "Check the address; a proxy or the login page of a network may answer in its place.",
    )


def not_the_service(
    url: URL, status: int, headers: Mapping[str, str], body: bytes
) -> Unavailable | None:
    """What an answer means that AWS has not given: a redirect or a web page; else None.

    An object of S3 may be a page too, but whatever S3 gives has a number of its own; and where S3
    leads to a bucket's region, it names that.
    """
    if _REGION not in headers and (elsewhere := redirected(url, status, headers)):
        return elsewhere
    if status >= _FIRST_FAULT or _NUMBER in headers or not _is_page(body):
        return None
    return Unavailable(
        f"{url.origin()} answers with a web page (HTTP status {status}), and not as the service "
        "does",
        "A proxy or the login page of a network answers in its place: open a page in a browser "
        "there, or check HTTPS_PROXY and the address.",
    )


def _is_page(body: bytes) -> bool:
    return body[:100].lstrip()[:20].decode(errors="replace").lower().startswith(_PAGES)
