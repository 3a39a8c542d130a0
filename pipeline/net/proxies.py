"""Which proxy a request goes through: HTTP_PROXY, HTTPS_PROXY, NO_PROXY as botocore reads them.

aiohttp's `trust_env` would do nearly the same, but for every request again, in a thread, and with
the passwords of ~/.netrc, which are nobody's business and which S3 refuses beside a signature. It
cost a fifth of a recording's CPU.
"""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from pipeline.errors import BadSettings

if TYPE_CHECKING:
    from collections.abc import Mapping


class Proxy(NamedTuple):
    """A proxy, without user and password in its address; they are in `headers` alone."""

    url: URL
    headers: Mapping[str, str]
    variable: str

    def __str__(self) -> str:
        return f"{self.url.host}:{self.url.port}"


def proxy_for(url: URL) -> Proxy | None:
    """The proxy that leads to an address, None to go there directly.

    Raises:
        BadSettings: the variable names something that is no proxy.
    """
    host = url.host_subcomponent or ""
    port = "" if url.explicit_port is None else f":{url.explicit_port}"
    return _proxy(url.scheme, f"{host}{port}")


@lru_cache(maxsize=256)
def _proxy(scheme: str, location: str) -> Proxy | None:
    """The proxy for a scheme and a host with its port, if the address names one."""
    given = getproxies().get(scheme)
    if not given or _bypassed(location):
        return None
    variable = f"{scheme.upper()}_PROXY"
    scheme, _, rest = given.rpartition("//")
    try:
        url = URL(f"{scheme or 'http:'}//{rest}")
        port = url.port
    except ValueError:
        url, port = URL(), None
    if url.scheme not in {"http", "https"} or not url.host or not port:
        # It is not shown, as there may be a password in it.
        raise BadSettings(
            f"{variable} names no proxy that can be used",
            "Write it as http://proxy.example.com:3128, with user:password@ before the host where "
            "it asks for them.",
        )
    return Proxy(url.with_user(None), _authorization(url), variable)


def _bypassed(location: str) -> bool:
    try:
        return bool(proxy_bypass(location))
    except OSError:  # macOS looks the host up for that
        return False


def _authorization(url: URL) -> dict[str, str]:
    if not url.user:
        return {}
    pair = b64encode(f"{url.user}:{url.password or ''}".encode()).decode()
    return {"Proxy-Authorization": f"Basic {pair}"}
