"""How a piece of work ends: done, interrupted, over its budget, or by an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import BudgetSpent, CannotRun
from pipeline.launch.event_loop import interruptible
from pipeline.terminal import CANNOT_RUN

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pipeline.monitoring.summary import RunEnd


async def ended(work: Callable[[], Coroutine[None, None, None]]) -> RunEnd:
    """Do the work to its end, or to where it must end; how it ended."""
    from pipeline.monitoring.summary import OVER_BUDGET, RunEnd

    try:
        received = await interruptible(work)
    except CannotRun as error:
        return RunEnd(CANNOT_RUN, str(error), error.problem, error.advice)
    except BudgetSpent as over:
        return RunEnd(OVER_BUDGET, str(over))
    return RunEnd(128 + received, "interrupted") if received else RunEnd()
