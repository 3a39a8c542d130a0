"""Every connection of ours: whom it trusts, its proxy, and an answer or why there is none.

No redirect is followed, as it would take a signature or a token along to another host; and what
goes wrong never shows the signature of a URL.
"""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, BinaryIO

import aiohttp
from yarl import URL

from pipeline.errors import BadSettings
from pipeline.net.body import body_of
from pipeline.net.proxies import proxy_for
from pipeline.net.unreachable import (
    AWS_HINTS,
    WANTS_PASSWORD,
    not_the_service,
    refused_by_proxy,
    unreachable,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from pipeline.net.unreachable import Hints

ANSWER_SECONDS = 300.0
"""How long one answer may take, where the settings say nothing else."""

_CONNECT_SECONDS, _READ_SECONDS = 10, 60


@lru_cache(maxsize=8)
def trusting(bundle: str) -> ssl.SSLContext:
    """Trust in the authorities of one file alone, as botocore has it.

    Args:
        bundle: the path of a PEM file.

    Raises:
        BadSettings: it can't be read, or holds no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(bundle)
    except (OSError, ValueError) as error:
        no_pem = isinstance(error, ssl.SSLError | ValueError)
        reason = "it holds no certificate" if no_pem else getattr(error, "strerror", error)
        raise BadSettings(
            f"The certificates in {bundle} can't be used: {reason}",
            "Name a PEM file with AWS_CA_BUNDLE, or with ca_bundle in the profile.",
        ) from error
    return context


@asynccontextmanager
async def open_http(
    connections: int,
    answer_seconds: float | None = ANSWER_SECONDS,
    trust: ssl.SSLContext | None = None,
) -> AsyncIterator[aiohttp.ClientSession]:
    """Open the HTTP connections.

    Args:
        connections: how many are used at once.
        answer_seconds: how long one answer may take, from the first byte asked to the last given;
            None leaves that to the caller.
        trust: whose certificates are believed; None is the machine's own authorities.
    """
    connector = aiohttp.TCPConnector(limit=connections, ssl=trust or True)
    timeout = aiohttp.ClientTimeout(
        total=answer_seconds, sock_connect=_CONNECT_SECONDS, sock_read=_READ_SECONDS
    )
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        yield http


async def answered(
    http: aiohttp.ClientSession,
    method: str,
    url: URL,
    hints: Hints,
    read: Callable[[aiohttp.ClientResponse], Awaitable[bytes]] = body_of,
    **how: Any,
) -> tuple[aiohttp.ClientResponse, bytes]:
    """The answer to one request, through the proxy that leads there, and its body.

    Args:
        http: the connections.
        method: of HTTP.
        url: encoded as it is to be sent.
        hints: what to look at where no answer comes.
        read: reads the body.
        how: more, as aiohttp's `request` takes it.

    Raises:
        Unavailable: no answer, or one that was cut short.
        AnswerTooLarge: it is larger than any answer of a service.
        BadSettings: the environment names no proxy that can be used.
    """
    proxy = proxy_for(url)
    if proxy:
        # A tunnel is asked for with headers of its own.
        own = "headers" if url.scheme == "http" else "proxy_headers"
        how |= {"proxy": proxy.url, own: {**(how.get(own) or {}), **proxy.headers}}
    try:
        async with http.request(method, url, allow_redirects=False, **how) as answer:
            if proxy and answer.status == WANTS_PASSWORD:
                raise refused_by_proxy(proxy, str(url.host), answer.status)
            return answer, await read(answer)
    except aiohttp.InvalidURL as error:
        raise BadSettings(f"{url.origin()} is no address of a server", hints.host) from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise unreachable(error, url, proxy, hints) from None


async def request(
    http: aiohttp.ClientSession,
    url: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    content: bytes | BinaryIO | None = None,
) -> tuple[int, bytes, Any]:
    """One request of an encoded URL: status, body, headers.

    With headers of its own it may ask for a part, which comes as it is stored: a part of a gzip
    stream is none.

    Raises:
        Unavailable: no answer, one that was cut short, or none of the service's.
        AnswerTooLarge: it is larger than any answer of a service.
    """
    how: dict[str, Any] = {"headers": headers, "data": content, "auto_decompress": not headers}
    where = URL(url, encoded=True)
    answer, body = await answered(http, method, where, AWS_HINTS, **how)
    if foreign := not_the_service(where, answer.status, answer.headers, body):
        raise foreign
    return answer.status, body, answer.headers
