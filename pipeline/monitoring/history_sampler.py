"""Samples of a run over time in its state file, for who looks at it later or from beside."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import msgspec

from pipeline.errors import CannotRun
from pipeline.state.history import Sample

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.monitoring.snapshot import RunSnapshot, Take
    from pipeline.state.run_state import RunState

MOST_SAMPLES = 600
_SECONDS = 1.0


@asynccontextmanager
async def history_kept(state: RunState, take: Take) -> AsyncIterator[None]:
    """Keep samples of the run while the body goes on, and one of its end.

    A sample that can't be written stops nothing: the run needs none, and tells what it can't write.
    """
    task = asyncio.create_task(_keep_samples(state, take))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _keep_samples(state: RunState, take: Take) -> None:
    """There is one every second at first.

    Whenever there are 600, every other one is forgotten, and they come half as often: a run of
    eight hours ends with one a minute.
    """
    number, step = 0, 1
    try:
        while True:
            with suppress(CannotRun):  # a full disk is told by whoever has to write
                state.history.add_sample(number, sample_of(take()))
                if number == step * MOST_SAMPLES:
                    step *= 2
                    state.history.thin_samples(step)
            number += step
            await asyncio.sleep(step * _SECONDS)
    finally:
        with suppress(CannotRun):
            state.history.add_sample(number, sample_of(take()))


def sample_of(snapshot: RunSnapshot) -> Sample:
    """What is kept of a snapshot."""
    return msgspec.convert(snapshot, Sample, from_attributes=True)
