"""A cloud that answers faster than any client can ask: S3 and Transcribe, computed, on loopback.

    python -m benchmarks.cloud --count 1000000 --slots 250 --seconds 30 90

It prints its URL. The bucket is `s3://audio/`; every transcript has the same words, and lies at
`transcripts/JOB.json`. STS names an account. The HTTP is the least that S3, awsJson 1.1 and STS
need over kept connections, as a web framework would cost as much a call as the client under test.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import re
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl

import orjson
import uvloop

from benchmarks.account import Account
from benchmarks.bucket import Bucket
from benchmarks.documents import of_twenty_four
from pipeline.local import Quotas
from pipeline.local.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TARGET = re.compile(rb"\r\nx-amz-target: *Transcribe\.(\w+)", re.IGNORECASE)
_MISSING = b"<Error><Code>NoSuchKey</Code><Message>The key does not exist.</Message></Error>"
_CALLER = (
    b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    b"<GetCallerIdentityResult><Account>000000000000</Account></GetCallerIdentityResult>"
    b"</GetCallerIdentityResponse>"
)
_JSON, _XML = b"application/x-amz-json-1.1", b"application/xml"


class Cloud:
    """Answers requests, as bytes for bytes."""

    def __init__(self, account: Account, bucket: Bucket, words: int) -> None:
        self._account = account
        self._bucket = bucket
        self._before, self._after = of_twenty_four(words, "\0job\0").split(b"\\u0000job\\u0000")

    def answer(self, head: bytes, body: bytes) -> bytes:
        """The whole answer to one request."""
        if body.startswith(b"Action=GetCallerIdentity"):
            self._account.counts.calls["GetCallerIdentity"] += 1
            return _http(200, _CALLER, _XML)
        if head.startswith(b"POST"):
            return self._transcribe(head, body)
        path, _, query = head.split(b" ", 2)[1].decode("ascii").partition("?")
        if path == "/_local/counts":
            counts = vars(self._account.counts) | {"cpu": time.process_time()}
            return _http(200, orjson.dumps(counts), _JSON)
        if "list-type=2" in query:
            self._account.counts.calls["ListObjectsV2"] += 1
            page = self._bucket.listing(dict(parse_qsl(query)))
            self._account.counts.listed += page.count(b"<Contents>")
            return _http(200, page, _XML)
        self._account.counts.calls["GetObject"] += 1
        name = path.rpartition("/")[2].removesuffix(".json")
        if not self._account.may_read(name, time.monotonic()):
            return _http(404, _MISSING, _XML)
        return _http(200, self._before + name.encode() + self._after, b"application/json")

    def _transcribe(self, head: bytes, body: bytes) -> bytes:
        named = _TARGET.search(head)
        operation = named[1].decode() if named else ""
        self._account.counts.calls[operation] += 1
        try:
            answer = self._account.call(operation, orjson.loads(body), time.monotonic())
        except Refused as refused:
            said = {"__type": refused.code, "Message": refused.message}
            return _http(refused.status, orjson.dumps(said), _JSON)
        return _http(200, orjson.dumps(answer), _JSON)


def _http(status: int, body: bytes, kind: bytes) -> bytes:
    return b"HTTP/1.1 %d .\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (
        status,
        kind,
        len(body),
        body,
    )


class Wire(asyncio.Protocol):
    """One kept connection; requests may come in pieces."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._received += data
        for head, body in self._requests():
            self._transport.write(self._cloud.answer(head, body))

    def _requests(self) -> Iterator[tuple[bytes, bytes]]:
        while (end := self._received.find(_END)) >= 0:
            head = self._received[:end]
            length = _LENGTH.search(head)
            begin = end + len(_END)
            whole = begin + (int(length[1]) if length else 0)
            if len(self._received) < whole:
                return
            body, self._received = self._received[begin:whole], self._received[whole:]
            yield head, body


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM."""
    low, high = arguments.seconds
    bucket = Bucket(arguments.count, (low, high), arguments.seed)
    start, get, listing = arguments.rates
    account = Account(Quotas(slots=arguments.slots, start=start, get=get, list=listing), bucket)
    cloud = Cloud(account, bucket, arguments.words)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    server = await loop.create_server(lambda: Wire(cloud), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201 # for whoever starts it
    await stopped.wait()
    server.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--slots", type=int, default=250)
    parser.add_argument("--rates", type=float, nargs=3, default=(math.inf, math.inf, math.inf))
    parser.add_argument("--seconds", type=float, nargs=2, default=(0.0, 0.0))
    parser.add_argument("--words", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    with suppress(KeyboardInterrupt):
        uvloop.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
