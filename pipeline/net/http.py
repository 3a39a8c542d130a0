"""Requests of presigned URLs; what goes wrong never shows the signature in one."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from pipeline.errors import Unavailable
from pipeline.net.body import body_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ANSWER_SECONDS = 300.0
"""How long one answer may take, where the settings say nothing else."""

_CONNECT_SECONDS, _READ_SECONDS = 10, 60


@asynccontextmanager
async def open_http(
    connections: int, answer_seconds: float = ANSWER_SECONDS
) -> AsyncIterator[aiohttp.ClientSession]:
    """Open the HTTP connections.

    Args:
        connections: how many are used at once.
        answer_seconds: how long one answer may take, from the first byte asked to the last given.
    """
    connector = aiohttp.TCPConnector(limit=connections)
    timeout = aiohttp.ClientTimeout(
        total=answer_seconds, sock_connect=_CONNECT_SECONDS, sock_read=_READ_SECONDS
    )
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, auto_decompress=True
    ) as http:
        yield http


async def request(
    http: aiohttp.ClientSession,
    url: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    content: bytes | None = None,
) -> tuple[int, bytes, Any]:
    """One request of an encoded URL: status, body, headers.

    With headers of its own it may ask for a part, which comes as it is stored: a part of a gzip
    stream is none.

    Raises:
        Unavailable: no answer, or one that was cut short.
        AnswerTooLarge: it is larger than any answer of a service.
    """
    encoded = URL(url, encoded=True)
    try:
        async with http.request(
            method,
            encoded,
            allow_redirects=False,
            headers=headers,
            data=content,
            auto_decompress=not headers,
            proxy=proxy_for(encoded),
        ) as answer:
            return answer.status, await body_of(answer), answer.headers
    except (aiohttp.ClientError, TimeoutError) as error:
        # The error's own text may hold the URL with its signature.
        number = getattr(getattr(error, "os_error", error), "errno", None)
        reason = os.strerror(number) if number else type(error).__name__
        where = f"{encoded.host}:{encoded.port}"
        raise Unavailable(f"No answer from {where}: {reason}.") from None


def proxy_for(url: URL) -> str | None:
    """The proxy's URL by HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or None to go there directly.

    aiohttp's `trust_env` would do the same, but for every request anew, in a thread, and together
    with the passwords of ~/.netrc, which are nobody's business and which S3 refuses beside a
    signature. It cost a fifth of a recording's CPU.
    """
    return _proxy(url.scheme, url.host or "")


@lru_cache(maxsize=64)
def _proxy(scheme: str, host: str) -> str | None:
    proxy = None if proxy_bypass(host) else getproxies().get(scheme)
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy
