"""Stands between the command and a scripted cloud, over the real wire, and answers as it likes."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from tests.support.signing import signed_headers, unsigned_query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import ScriptedCloud


_OF_THE_SIGNATURE = {
    "authorization", "date", "user-agent",
    "x-amz-date", "x-amz-security-token", "x-amz-content-sha256",
}  # fmt: skip


class Answer(NamedTuple):
    """One answer; a body of None closes the connection without any."""

    status: int
    body: bytes | None
    headers: dict[str, str]


@dataclass
class Asked:
    """One request, and the cloud that would answer it."""

    service: ScriptedCloud | None
    own_url: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        """The Transcribe operation, "" for S3."""
        return self.headers.get("X-Amz-Target", "").removeprefix("Transcribe.")

    @property
    def key_id(self) -> str:
        """The access key that the request was signed with."""
        signed = self.headers.get("Authorization", "") + self.path
        return signed.partition("Credential=")[2].split("/")[0].split("%2F")[0]

    def forward(self) -> Answer:
        """What the cloud answers; its own URLs lead here.

        Signed calls are signed anew, as a signature holds for one host and one key.
        """
        assert self.service is not None
        connection = HTTPConnection(urlsplit(self.service.url).netloc, timeout=30)
        path, headers = self.path, self.headers | {"Host": urlsplit(self.service.url).netloc}
        of_the_cloud = path.startswith("/aws-transcribe-")  # whose addresses are its own
        if self.key_id and not of_the_cloud:
            path = unsigned_query(path)
            kept = {
                name: value
                for name, value in headers.items()
                if name.lower() not in _OF_THE_SIGNATURE
            }
            headers = signed_headers(self.method, f"{self.service.url}{path}", kept, self.body)
        try:
            connection.request(self.method, path, self.body or None, headers)
            answer = connection.getresponse()
            body = answer.read().replace(self.service.url.encode(), self.own_url.encode())
            kept = {"Content-Type": answer.headers["Content-Type"] or "text/plain"}
            of_the_object = ["ETag", "Last-Modified"]
            if self.method == "HEAD":  # as the answer has no body
                of_the_object.append("Content-Length")
            kept |= {name: answer.headers[name] for name in of_the_object if answer.headers[name]}
            return Answer(answer.status, body, kept)
        finally:
            connection.close()


def is_transcript(asked: Asked) -> bool:
    """Whether a transcript is asked for, in our own bucket or the service's."""
    return asked.method == "GET" and "list-type" not in asked.path and ".json" in asked.path


def refusal(asked: Asked, code: str, words: str, status: int = 400) -> Answer:
    """An error as Transcribe or S3 puts it."""
    if asked.operation:
        return Answer(status, json.dumps({"__type": code, "Message": words}).encode(), {})
    body = f"<Error><Code>{code}</Code><Message>{words}</Message></Error>"
    return Answer(status, body.encode(), {})


@contextmanager
def between(service: ScriptedCloud | None, reply: Callable[[Asked], Answer]) -> Iterator[str]:
    """A server that gives `reply(asked)`, which may be `asked.forward()`; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            length = int(self.headers.get("Content-Length") or 0)
            asked = Asked(
                service, url, self.command, self.path, dict(self.headers), self.rfile.read(length)
            )
            status, body, headers = reply(asked)
            if body is None:
                return
            self.send_response_only(status)
            headers = {"Date": self.date_time_string()} | headers
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":  # its answer has a length, and no body
                self.wfile.write(body)

        do_POST = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 # http.server asks for these names

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128  # a run's connections come at once; 5 would be let in

        def handle_error(self, *about: Any) -> None:
            """A client that has gone is no fault, and what is printed may be what is judged."""
            if not isinstance(sys.exception(), ConnectionError):
                super().handle_error(*about)

    with Server(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield url
        finally:  # a server that is closed only would be asked for ever by its thread
            server.shutdown()
