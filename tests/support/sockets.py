"""The sockets of a process, as Linux tells them."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path


def listeners(pid: int) -> set[tuple[str, int]]:
    """The addresses that a process listens at, as Linux tells them."""
    sockets = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # the process goes on, and closes files meanwhile
            sockets.add(str(each.readlink()))
    found = set()
    for line in Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
            address, port = fields[1].split(":")
            found.add((socket.inet_ntoa(bytes.fromhex(address)[::-1]), int(port, 16)))
    return found
