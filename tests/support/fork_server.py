"""Starts this project's programs as processes that have every module already.

Each is a real process with its own signals, exit code and streams. What it costs is two hundredths
of a second of CPU and not sixty. What a command imports, and when, is tested without it.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import random
import runpy
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

ROOT = Path(__file__).parent.parent.parent
EXTRAS = ("pyarrow",)  # `make test` has none of them, and no command needs them
LIBRARIES = (
    *("aioboto3", "aiobotocore.session", "aiobotocore.client", "aiobotocore.httpsession"),
    *("aiobotocore.credentials", "aiobotocore.endpoint", "aiobotocore.tokens", "aiofiles"),
    *("aiohttp", "aiohttp.web", "av", "boto3.session", "boto3.resources.factory"),
    *("botocore.auth", "botocore.endpoint", "botocore.httpsession", "botocore.session"),
    *("concurrent.futures.process", "concurrent.futures.thread", "csv", "difflib"),
    *("email.message", "gzip", "http.client", "http.server", "jinja2", "jiwer", "logging.handlers"),
    *("msgspec", "multiprocessing", "orjson", "praatio.textgrid", "prometheus_client"),
    *("prometheus_client.aiohttp", "prometheus_client.core", "rich.console", "rich.live"),
    *("rich.markdown", "rich.panel", "rich.progress", "rich.table", "rich.text", "rich.traceback"),
    *("s3transfer.manager", "sqlite3", "ssl", "statistics", "tempfile", "tenacity"),
    *("tenacity.asyncio", "tomllib", "typer", "typer.rich_utils", "urllib.request", "uvloop"),
    *("webvtt", "xml.etree.ElementTree", "yarl", "zoneinfo"),
    # What these import when they are used first.
    *("aioboto3.s3.inject", "boto3.s3.inject", "encodings.idna", "s3transfer.subscribers"),
    *("typer._adapters", "typer._click._textwrap", "typer._click.decorators"),
)
SERVICES = ("events", "iam", "kms", "s3", "service-quotas", "sqs", "sts", "transcribe")
_SHARED = "TESTS_FORK_SERVER"  # where the server of several test processes listens
_MOST = 1 << 20  # bytes of a request, which holds an environment


def serve(descriptor: int) -> None:
    """Fork a process for each request at this listener, until the suite that started it is gone.

    Who asks while modules are still imported waits for that.
    """
    preload()
    waker, wake = socket.socketpair()
    for end in (waker, wake):
        end.settimeout(0)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as listener, selectors.DefaultSelector() as selector:
        for each in (waker, listener, sys.stdin):
            selector.register(each, selectors.EVENT_READ)
        running: dict[int, socket.socket] = {}
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if sys.stdin in ready:
                return
            if waker in ready:
                waker.recv(_MOST)
                report_the_ended(running)
            if listener in ready and fork(listener, running, (waker, wake, listener, selector)):
                return


def fork(listener: socket.socket, running: dict[int, socket.socket], ours: tuple[Any, ...]) -> bool:
    """Start what the next client wants; True in the process that was it, once it has ended."""
    client, _ = listener.accept()
    wanted, streams = received(client)
    pid = os.fork()
    if not pid:
        signal.set_wakeup_fd(-1)
        for other in (*ours, client, *running.values()):
            other.close()
        code: Any = 0
        try:
            become(wanted, streams)
        except SystemExit as ended:
            code = ended.code
        leave(code)
    for stream in streams:
        os.close(stream)
    running[pid] = client
    client.sendall(f"{pid}\n".encode())
    return False


def preload() -> None:
    """Import everything, and read once for all processes what is the same in each.

    That is the models of the services, the authorities that are trusted, and the commands' flags.
    """
    gc.disable()  # what is imported stays
    for each in (*LIBRARIES, *_our_own()):
        try:
            importlib.import_module(each)
        except ModuleNotFoundError as missing:
            if missing.name not in EXTRAS:
                raise

    import boto3.session

    from pipeline.aws.http_session import trusted
    from pipeline.cli.ending import command_line
    from pipeline.net.http import trusting
    from tests.support import service_models

    service_models.read_once()
    session = boto3.session.Session()
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    for name in SERVICES:
        session.client(name, "us-east-1", **keys)
    trusting(trusted(os.environ.get("REQUESTS_CA_BUNDLE")))
    _read_flags(command_line())
    gc.enable()
    gc.collect()  # also has the collector expect as many objects, and look through them seldom
    gc.freeze()


def _read_flags(command: Any) -> None:
    """Have typer make what turns each flag into its type, as it does when a flag is first read."""
    for flag in command.params:
        if make := getattr(flag, "get_runtime_param", None):
            make()
    for name in getattr(command, "commands", {}):
        _read_flags(command.get_command(None, name))


def leave(code: Any) -> NoReturn:
    """End this process as an interpreter does, but for what takes a twentieth of a second of CPU.

    Threads are waited for, what is left over is destructed and the streams are flushed. Left out is
    that every module is taken apart. Where something is wrong with code or streams, the interpreter
    ends.
    """
    if code is None or isinstance(code, int):
        threading._shutdown()  # type: ignore[attr-defined] # what the interpreter calls
        atexit._run_exitfuncs()
        gc.collect()
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit((code or 0) & 0xFF)
    sys.exit(code)


def _our_own() -> Iterator[str]:
    import pipeline

    for each in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        yield each.name


def received(client: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """One request: what is wanted, and the file descriptors of its three streams."""
    message, streams, *_ = socket.recv_fds(client, _MOST, 3)
    while not message.endswith(b"\n"):
        message += client.recv(_MOST)
    return json.loads(message), list(streams)


def report_the_ended(running: dict[int, socket.socket]) -> None:
    """Tell each client whose process has ended with which status."""
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with running.pop(pid) as client, contextlib.suppress(OSError):
            client.sendall(f"{status}\n".encode())


def become(wanted: dict[str, Any], streams: list[int]) -> None:
    """Be the program that is wanted: a module, a line of Python, or the command."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_IGN if wanted["nohup"] else signal.SIG_DFL)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for stream in streams:
        if stream > 2:
            os.close(stream)
    os.chdir(wanted["cwd"])
    os.umask(wanted["umask"])
    os.environ.clear()
    os.environ.update(wanted["env"])
    time.tzset()
    random.seed()
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # type: ignore[misc] # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # type: ignore[misc] # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(  # type: ignore[misc] # noqa: SIM115
        2, "w", closefd=False, buffering=1, errors="backslashreplace"
    )
    sys.argv = wanted["arguments"]
    if module := wanted["module"]:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return
    sys.modules["__main__"] = type(sys)("__main__")
    if program := wanted["program"]:
        exec(program, vars(sys.modules["__main__"]))  # a test's own, as of python -c
        return
    from pipeline.cli import main

    main()


class Forked(subprocess.Popen[str]):
    """A process that the fork server starts; otherwise as any `Popen`.

    It takes `[command, *arguments]`, `[python, "-m", module, *arguments]` or
    `[python, "-c", program, *arguments]`, with a folder and an environment. One server serves all
    that a suite's processes start, and ends with the one that began it.
    """

    _server: ClassVar[tuple[subprocess.Popen[bytes], str] | None] = None
    _shared: ClassVar[str] = os.environ.pop(_SHARED, "")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for its end; a failed test ends it, so that its own reason is what is told."""
        if error is not None:
            self.kill()
        super().__exit__(kind, error, trace)

    @classmethod
    def share_server(cls) -> None:
        """Begin the server of this process and of all test processes that it starts."""
        os.environ[_SHARED] = cls._address()

    @classmethod
    def _address(cls) -> str:
        if cls._shared:
            return cls._shared
        if cls._server is None or cls._server[0].poll() is not None:
            address = str(Path(tempfile.mkdtemp(prefix="fork-")) / "s")
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(address)
                listener.listen(64)
                process = subprocess.Popen(
                    [sys.executable, "-m", "tests.support.fork_server", str(listener.fileno())],
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    pass_fds=[listener.fileno()],
                )
            cls._server = (process, address)
        return cls._server[1]

    @classmethod
    def end_server(cls) -> None:
        """End the server, when the suite is over; what it has started may go on."""
        if cls._server is not None:
            process, address = cls._server
            process.communicate()
            shutil.rmtree(Path(address).parent)
            cls._server = None

    def _execute_child(self, *given: Any) -> None:
        """What `Popen` does by fork and exec; its parameters are those of CPython 3.11 to 3.14."""
        names = ("args", "executable", "preexec_fn", "close_fds", "pass_fds", "cwd", "env")
        asked = dict(zip(names, given, strict=False))
        ours_and_theirs = _stream_ends(given)
        self._line = socket.socket(socket.AF_UNIX)
        self._line.connect(self._address())
        data = json.dumps(_wanted(asked["args"], asked["cwd"], asked["env"])).encode() + b"\n"
        streams = [theirs if theirs != -1 else n for n, (_, theirs) in enumerate(ours_and_theirs)]
        sent = socket.send_fds(self._line, [data[:60_000]], streams)
        self._line.sendall(data[sent:])
        pid = self._line.makefile("rb", buffering=0).readline()
        assert pid, "the fork server has ended"
        self.pid = int(pid)
        self._child_created = True
        devnull = getattr(self, "_devnull", None)
        for ours, theirs in ours_and_theirs:
            if theirs != -1 and ours != -1 and theirs != devnull:
                os.close(theirs)
        if devnull is not None:
            os.close(devnull)
        self._closed_child_pipe_fds = True

    def _status(self, *, wait: bool) -> int | None:
        self._line.setblocking(wait)
        try:
            said = self._line.recv(100)
        except BlockingIOError:
            return None
        self._line.close()
        return int(said)

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        if self.returncode is None and self._waitpid_lock.acquire(blocking=False):  # type: ignore[attr-defined] # of Popen
            try:
                status = self._status(wait=False) if self.returncode is None else None
                if status is not None:
                    self._handle_exitstatus(status)  # type: ignore[attr-defined] # of Popen
            finally:
                self._waitpid_lock.release()  # type: ignore[attr-defined] # of Popen
        return self.returncode

    def _try_wait(self, flags: int) -> tuple[int, int]:
        status = self._status(wait=not flags & os.WNOHANG)
        return (0, 0) if status is None else (self.pid, status)


def _stream_ends(given: tuple[Any, ...]) -> list[tuple[int, int]]:
    """Of stdin, stdout and stderr: the parent's end and the child's, -1 where there is none."""
    p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite = given[10:16]
    return [(p2cwrite, p2cread), (c2pread, c2pwrite), (errread, errwrite)]


def _wanted(
    arguments: list[Any], folder: Any, environment: dict[str, str] | None
) -> dict[str, Any]:
    mask = os.umask(0)
    os.umask(mask)
    how = arguments[1] if arguments[0] == sys.executable else ""
    return {
        "module": arguments[2] if how == "-m" else "",
        "program": arguments[2] if how == "-c" else "",
        "arguments": [str(each) for each in (arguments[2:] if how else arguments)],
        "cwd": str(folder),
        "env": dict(os.environ if environment is None else environment),
        "umask": mask,
        "nohup": signal.getsignal(signal.SIGHUP) is signal.SIG_IGN,
    }


if __name__ == "__main__":
    serve(int(sys.argv[1]))
