"""The proxy that the environment names for a host, as curl and botocore have it.

aiohttp's `trust_env` would do the same, but for every request anew, in a thread, and together with
the passwords of ~/.netrc, which are nobody's business and which S3 refuses beside a signature. It
cost a fifth of a recording's CPU.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

if TYPE_CHECKING:
    from yarl import URL


def proxy_for(url: URL) -> str | None:
    """The proxy's URL by HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or None to go there directly."""
    return _proxy(url.scheme, url.host or "")


@lru_cache(maxsize=64)
def _proxy(scheme: str, host: str) -> str | None:
    proxy = None if proxy_bypass(host) else getproxies().get(scheme)
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy
