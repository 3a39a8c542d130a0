"""The lines of the doctor: all asked at once, each within its time, told in their order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pipeline.doctor.findings import Finding, Line, finding_of, out_of_time, problem
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence

T = TypeVar("T")

SECONDS = 30.0
"""For one line: a connection that is never answered takes ten to be given up."""


class Check(NamedTuple):
    """One check: its name, and what makes the finding.

    `needed` tells whether a run would wait in vain too where no answer comes.
    """

    name: str
    examine: Callable[[], Awaitable[Finding]]
    needed: bool = True


async def run_checks(checks: Sequence[Check], seconds: float = SECONDS) -> AsyncIterator[Line]:
    """Look at everything at once; the lines come in their order, each as soon as it can.

    One that fails, or takes longer than `seconds`, says so in its own line and in no other.
    """
    tasks = [asyncio.create_task(_examined(check, seconds)) for check in checks]
    try:
        for check, task in zip(checks, tasks, strict=True):
            verdict, message, advice = await task
            yield Line(check.name, verdict, message, advice)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _examined(check: Check, seconds: float) -> Finding:
    try:
        async with asyncio.timeout(seconds):
            return await check.examine()
    except TimeoutError:
        return out_of_time(seconds, needed=check.needed)
    except PipelineError as error:
        return finding_of(error)
    except Exception as error:  # noqa: BLE001 # whatever it is, the other lines are still wanted
        return problem(
            f"An error that should not happen: {type(error).__name__}: {error}",
            "Please report it.",
        )


def once(ask: Callable[[], Coroutine[Any, Any, T]]) -> Callable[[], Awaitable[T]]:
    """Something that several lines need: asked for once, and each gets the same answer.

    A line that is given up does not take it from the others.
    """
    asked: asyncio.Task[T] | None = None

    async def answer() -> T:
        nonlocal asked
        asked = asked or asyncio.create_task(ask())
        return await asyncio.shield(asked)

    return answer


def constant(answer: T) -> Callable[[], Awaitable[T]]:
    """What is known already, as something to ask for."""

    async def ask() -> T:
        return answer

    return ask
