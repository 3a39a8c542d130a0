"""CPU work of a command in pieces, each done by whichever node of a Ray cluster has a CPU for it.

A piece is a function of a module and what it is given; what it comes to goes back, in their order.
"""

from __future__ import annotations

import pickle
import signal
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pipeline import __version__
from pipeline.errors import CannotRun
from pipeline.launch.on_ray.shard_task import refuse_other_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

A = TypeVar("A")
B = TypeVar("B")


class Nodes(Protocol):
    """What does pieces of work elsewhere, as a `RayCluster` does; one is a version and a pickle."""

    async def do(self, piece: tuple[str, bytes]) -> bytes:
        """What `do_piece` answers to a piece."""

    def each(self, pieces: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
        """What it answers to each of the pieces, in their order."""


def spread(nodes: Nodes, work: Callable[[A], B], pieces: Iterable[A]) -> Iterator[B]:
    """What each of the pieces comes to, in their order; they are taken as CPUs become free.

    `work` is a function that both sides can import, and gets a piece.

    Raises:
        CannotRun: of one of the pieces, or a node could not do one.
    """
    for answer in nodes.each(_packed(work, each) for each in pieces):
        yield _unpacked(answer)


async def done_elsewhere(nodes: Nodes, work: Callable[[A], B], piece: A) -> B:
    """What one piece comes to; `work` as of `spread`.

    Raises:
        CannotRun: of the piece, or a node could not do it.
    """
    done: B = _unpacked(await nodes.do(_packed(work, piece)))
    return done


def _packed(work: Callable[[A], B], piece: A) -> tuple[str, bytes]:
    return __version__, pickle.dumps((work, piece))


def _unpacked(answer: bytes) -> Any:
    done, refused = pickle.loads(answer)  # noqa: S301 # of our own nodes, as all of Ray's are
    if refused:
        raise CannotRun(*refused)
    return done


def do_piece(version: str, wanted: bytes) -> bytes:
    """Do a piece of work on a node: a function and what it is given, pickled.

    Pickled is the answer too: what it comes to, and of what can't be done problem and advice.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # Ray's cancel comes as this one
    answer: tuple[Any, tuple[str, str] | None]
    try:
        refuse_other_version(version)
        work, piece = pickle.loads(wanted)  # noqa: S301 # of the command, as the code itself is
        answer = work(piece), None
    except CannotRun as error:
        answer = None, (error.problem, error.advice)
    return pickle.dumps(answer)
