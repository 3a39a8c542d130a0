"""A port is asked under its own names, and not under those of a web page."""

from __future__ import annotations

import pytest

from pipeline.net.hosts import is_own, reachable


@pytest.mark.parametrize(
    ("host", "bound", "own"),
    [
        ("127.0.0.1:8080", "127.0.0.1", True),
        ("LOCALHOST", "127.0.0.1", True),
        ("[::1]:8080", "127.0.0.1", True),
        ("127.0.0.53", "127.0.0.1", True),
        ("evil.example:8080", "127.0.0.1", False),
        ("127.0.0.1.evil.example", "127.0.0.1", False),
        ("localhost.evil.example", "localhost", False),
        ("192.168.1.5", "127.0.0.1", False),
        ("", "127.0.0.1", False),
        ("[", "127.0.0.1", False),
        ("192.168.1.5:9464", "192.168.1.5", True),
        ("metrics.internal:9464", "metrics.internal", True),
        ("evil.example", "192.168.1.5", False),
        ("pipeline.default.svc:9464", "0.0.0.0", True),  # whoever binds it means it
    ],
)
def test_a_foreign_host_is_told_from_an_own_one(host, bound, own):
    """The loopback's names and what was bound are ours; what stands for all takes any name."""
    assert is_own(host, bound) is own


def test_an_address_of_ipv6_is_written_in_brackets():
    """Whatever is listened at can be part of a URL."""
    assert reachable("::1") == "[::1]"
    assert reachable("127.0.0.1") == "127.0.0.1"
    assert reachable("0.0.0.0") not in {"", "0.0.0.0"}  # nothing is bound


def test_a_host_is_written_as_clients_send_it():
    """They send it in lower case, and a signature is made of it letter for letter."""
    assert reachable("My-Machine.local") == "my-machine.local"
