"""A Ray cluster that shards run on, and what is said where it can't be used; the only door to Ray.

Ray has its own memory of what runs where. A shard needs none of it: a task whose node died is
started again by the driver, which knows whether it gets on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
from contextlib import contextmanager, redirect_stdout
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import BadSettings, CannotRun, ServiceUnreachable
from pipeline.launch.on_ray.pieces import do_piece
from pipeline.launch.on_ray.shard_task import run_shard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

AUTO = "auto"
_NAMED_BY_RAY = "RAY_ADDRESS"
_PORT = re.compile(r"[0-9]{1,5}")
_OPEN_SECONDS = 10.0
_LOOK_SECONDS = 5.0
_GONE_SECONDS = 30.0
"""A head that comes back sooner finds its nodes again; Ray itself ends the process after 60."""

_AHEAD = 2  # pieces for each CPU, so that it need not wait for the next
_CPUS = 0.25  # a shard waits for answers, and one that is begun again must find room at once
_START = (
    "Start one with `ray start --head`, or name its head with --ray-address HOST:PORT; "
    "--engine local needs none."
)


class Interrupted(Exception):
    """A shard was told to end before it had begun, or while it prepared to."""


class ShardDied(CannotRun):
    """The process or the node of a shard died; what it had written stays."""


class RayCluster:
    """The cluster that this process is connected to; `address` is where its head listens."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._running: dict[int, Any] = {}

    async def run(self, number: int, shard: bytes) -> bytes:
        """Have a node run a shard, by `run_shard`; what it answers when it has ended.

        Raises:
            Interrupted: it was cancelled before there was anything to tell.
            ShardDied: so it did.
            CannotRun: its node could not run it.
        """
        from ray.exceptions import RayError, RayTaskError, TaskCancelledError

        self._running[number] = self._task.remote(shard)
        try:
            answer: bytes = await self._running[number]
        except TaskCancelledError as error:
            raise Interrupted from error
        except RayError as error:
            died = not isinstance(error, RayTaskError)
            raise (ShardDied if died else CannotRun)(*_unfinished(error)) from error
        return answer

    @cached_property
    def _task(self) -> Any:
        """What a node runs; the head is told of it once, and may be gone later."""
        import ray

        return ray.remote(
            num_cpus=_CPUS,
            max_calls=1,  # a run's id, log and memory belong to its process
            max_retries=0,
            scheduling_strategy="SPREAD",
        )(run_shard)

    @cached_property
    def _pieces(self) -> Any:
        import ray

        return ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(do_piece)

    async def do(self, piece: tuple[str, bytes]) -> bytes:
        """Have a node do a piece of work that takes a CPU; another one where it dies, thrice.

        Raises:
            CannotRun: a node could not do it.
            ServiceUnreachable: the head is gone.
        """
        from ray.exceptions import RayError

        doing = asyncio.ensure_future(self._pieces.remote(*piece))
        watching = asyncio.create_task(self.watch_head())
        try:
            await asyncio.wait((doing, watching), return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
            answer: bytes = doing.result()
        except RayError as error:
            raise CannotRun(*_unfinished(error)) from error
        finally:
            watching.cancel()
            doing.cancel()
        return answer

    def each(self, pieces: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
        """Have nodes do such pieces, as CPUs become free; their answers, in their order.

        Raises:
            CannotRun: a node could not do one.
            ServiceUnreachable: the head is gone.
        """
        import ray
        from ray.exceptions import RayError

        at_once = _AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        left, missing = iter(pieces), 0.0
        waiting: list[Any] = []
        while True:
            waiting += [self._pieces.remote(*each) for each in islice(left, at_once - len(waiting))]
            if not waiting:
                return
            ended, _ = ray.wait(waiting[:1], timeout=_LOOK_SECONDS)
            try:
                yield from ray.get(ended)
            except RayError as error:
                raise CannotRun(*_unfinished(error)) from error
            waiting = waiting[len(ended) :]
            answers = bool(ended) or asyncio.run(_answers(self.address))
            missing = 0.0 if answers else missing + _LOOK_SECONDS
            if missing >= _GONE_SECONDS:
                raise self._gone(missing)

    def cancel(self) -> None:
        """Have every shard end as Ctrl-C ends a run: what it has collected is sealed."""
        import ray

        for each in self._running.values():
            ray.cancel(each, force=False)

    async def watch_head(self, seconds: float = _GONE_SECONDS) -> None:
        """Look whether the head is there, until it has not been for so many seconds.

        Raises:
            ServiceUnreachable: the head is gone.
        """
        missing = 0.0
        while missing < seconds:
            await asyncio.sleep(_LOOK_SECONDS)
            missing = 0.0 if await _answers(self.address) else missing + _LOOK_SECONDS
        raise self._gone(missing)

    def _gone(self, seconds: float) -> ServiceUnreachable:
        return ServiceUnreachable(
            f"The head of the Ray cluster at {self.address} has not answered for {seconds:.0f} s",
            "Start the cluster, and run the same command again.",
        )


@contextmanager
def connected(address: str) -> Iterator[RayCluster]:
    """The cluster at `address`, HOST:PORT, or the one of this machine for `auto`.

    Raises:
        BadSettings: it is no such address.
        CannotRun: no cluster answers there, or it does not take this process.
    """
    _refuse_unreachable(address)
    _prepare_environment()
    import ray
    from ray.exceptions import RayError

    # Ray tells of nodes that died on stdout, which is the summary's.
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        try:
            ray.init(
                address=address,
                log_to_driver=False,
                configure_logging=False,
                logging_level=logging.CRITICAL,
            )
        except (ConnectionError, RayError, RuntimeError, ValueError, SystemExit) as error:
            raise _unusable(address, error) from error
        try:
            yield RayCluster(ray.get_runtime_context().gcs_address)
        finally:
            ray.shutdown()


def _prepare_environment() -> None:
    """What Ray reads when it is imported: no statistics, no noise, the token where there is one."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    tokens = (os.environ.get("RAY_AUTH_TOKEN"), os.environ.get("RAY_AUTH_TOKEN_PATH"))
    if any(tokens) or Path("~/.ray/auth_token").expanduser().exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _refuse_unreachable(address: str) -> None:
    """Ray itself looks for a head for two minutes, and then ends the process."""
    named = os.environ.get(_NAMED_BY_RAY) or AUTO if address == AUTO else address
    if named == AUTO:
        return
    host, _, port = named.rpartition(":")
    if not host or "/" in host or not _PORT.fullmatch(port) or int(port) >= 2**16:
        raise _no_address(named)
    try:
        socket.create_connection((host.strip("[]"), int(port)), _OPEN_SECONDS).close()
    except UnicodeError as error:  # no name of a host
        raise _no_address(named) from error
    except OSError as error:
        raise ServiceUnreachable(
            f"No head of a Ray cluster answers at {named}: {error.strerror or error}", _START
        ) from error


def _no_address(named: str) -> BadSettings:
    return BadSettings(
        f"The address {named[:100]!r} of a Ray cluster is not HOST:PORT",
        "Name the head as `ray start --head` prints it, and run the command on one of the "
        "cluster's machines; from elsewhere `ray job submit` brings it there.",
    )


def _unusable(address: str, error: BaseException) -> CannotRun:
    words = _last_line(error)
    if address == AUTO and "find any running" in words:
        return ServiceUnreachable("No Ray cluster runs on this machine", _START)
    return ServiceUnreachable(
        f"The Ray cluster of --ray-address {address} takes no work from here: {words}",
        "Where it asks for a token, name the cluster's own with RAY_AUTH_TOKEN or "
        "RAY_AUTH_TOKEN_PATH; it must have the same versions of Ray and Python.",
    )


def _unfinished(error: BaseException) -> tuple[str, str]:
    return (
        f"A node of the Ray cluster did not finish a shard: {_last_line(error)}",
        (
            "See that every node has this version of transcribe-pipeline[ray], and run the same "
            "command again."
        ),
    )


def _last_line(error: BaseException) -> str:
    """Ray's own words without the traceback that it puts before them."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else type(error).__name__


async def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    return True
