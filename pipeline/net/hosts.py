"""Under which names a port of ours may be asked.

A web page can reach a port of this machine under a name of its own, whose address it changes to
that of the machine (DNS rebinding). The browser then takes the port for a part of the page's site,
but it sends the page's name as `Host`.
"""

from __future__ import annotations

from ipaddress import ip_address
from socket import gethostname

LOOPBACK = "127.0.0.1"
_WILDCARDS = {"0.0.0.0", "::", ""}  # noqa: S104 # compared with, not bound


def is_loopback(name: str) -> bool:
    """Whether an address or a host name is this machine alone."""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def is_own(host: str, bound: str) -> bool:
    """Whether a request's `Host` is a name of the port, and not of somebody's page.

    Args:
        host: the header as it was sent, with or without a port.
        bound: the address that is listened at; one that stands for all is open under any name.
    """
    name = name_of(host)
    return bound in _WILDCARDS or is_loopback(name) or name == bound.lower()


def reachable(bound: str) -> str:
    """The host of a URL at which an address that is listened at can be reached.

    In lower case, as clients send it: AWS Signature Version 4 signs it letter for letter.
    """
    name = (gethostname() if bound in _WILDCARDS else bound).lower()
    return f"[{name}]" if ":" in name else name


def name_of(host: str) -> str:
    """The name in a `Host` header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
