"""What stands between a machine and AWS: an authority of one's own, TLS, a guarded proxy."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass
class Authority:
    """An authority that only those trust who are told to, and what it signs (by openssl)."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        subject = ("-subj", "/CN=An authority of our own", "-days", "2")
        self._openssl("req", "-x509", *_EC, "-keyout", "ca.key", "-out", "ca.pem", *subject)

    @property
    def bundle(self) -> Path:
        """Its certificate, as AWS_CA_BUNDLE names one."""
        return self.folder / "ca.pem"

    def serves(self, name: str) -> ssl.SSLContext:
        """What a server of that name serves TLS with."""
        (self.folder / "names").write_text(f"subjectAltName=DNS:{name}\n", "utf-8")
        request = ("-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        self._openssl("req", "-new", *_EC, *request)
        signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "2")
        files = ("-in", f"{name}.csr", "-out", f"{name}.pem", "-extfile", "names")
        self._openssl("x509", "-req", *signing, *files, "-days", "2")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context

    def _openssl(self, *arguments: str) -> None:
        command = ["openssl", *arguments]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)


@contextmanager
def tls_before(port: int, context: ssl.SSLContext) -> Iterator[int]:
    """A server that speaks TLS and passes what it hears on to a port of this machine: its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _joined(reader, writer, port)

    with _Server(serve, context) as own:
        yield own


@dataclass
class ConnectProxy:
    """A proxy that leads every host to one port of this machine, to those who have the password."""

    port: int
    leads_to: int
    authorization: str
    asked: list[str] = field(default_factory=list)
    refused: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if f"Proxy-Authorization: {self.authorization}\r\n" not in head:
            self.refused += 1
            writer.write(b"HTTP/1.1 407 Who are you?\r\nContent-Length: 0\r\n\r\n")
            return
        self.asked.append(head.split(" ")[1])
        writer.write(b"HTTP/1.1 200 Go on\r\n\r\n")
        await _joined(reader, writer, self.leads_to)


@contextmanager
def connect_proxy(leads_to: int, authorization: str) -> Iterator[ConnectProxy]:
    """A proxy for CONNECT on a free port."""
    proxy = ConnectProxy(0, leads_to, authorization)
    with _Server(proxy.serve) as proxy.port:
        yield proxy


async def _joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Pass everything on, both ways, until one side ends."""
    further_reader, further_writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        ways = (_passed(reader, further_writer), _passed(further_reader, writer))
        tasks = [asyncio.ensure_future(each) for each in ways]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        further_writer.close()


async def _passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while content := await reader.read(65536):
        writer.write(content)
        await writer.drain()


class _Server:
    """A server in a thread and an event loop of its own, as a context: its port."""

    def __init__(self, handler: Handler, context: ssl.SSLContext | None = None) -> None:
        self._handler = handler
        self._context = context
        self._ready: Queue[tuple[int, Callable[[], object]]] = Queue()
        self._handling: set[asyncio.Task[None]] = set()
        self._thread = Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> int:
        self._thread.start()
        port, self._stop = self._ready.get(timeout=10)
        return port

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._thread.join()

    async def _serve(self) -> None:
        stopped = asyncio.Event()
        server = await asyncio.start_server(self._handled, "127.0.0.1", 0, ssl=self._context)
        loop = asyncio.get_running_loop()
        stop = partial(loop.call_soon_threadsafe, stopped.set)
        self._ready.put((server.sockets[0].getsockname()[1], stop))
        await stopped.wait()
        server.close()
        for each in self._handling:
            each.cancel()
        await asyncio.gather(*self._handling)

    async def _handled(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handling.add(task)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._handler(reader, writer)
        writer.close()
        with suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()
        self._handling.discard(task)
