"""What the heartbeat file holds: that a run is alive, and little more."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from pipeline.logs import RUN_ID, moment

if TYPE_CHECKING:
    from pipeline.monitoring.snapshot import RunStatus


class Heartbeat(msgspec.Struct, frozen=True):
    """A sign of life: counts are of recordings, but for `listed`, of objects.

    `time` is UTC; `exit_code` is null while the run goes on.
    """

    time: str
    run_id: str
    pid: int
    listed: int
    in_flight: int
    written: int
    failed: int
    exit_code: int | None


def heartbeat(status: RunStatus) -> bytes:
    """The heartbeat at this moment, as one line of JSON."""
    snapshot = status.take()
    beat = Heartbeat(
        time=moment(datetime.now(UTC)),
        run_id=RUN_ID,
        pid=os.getpid(),
        listed=snapshot.listed,
        in_flight=snapshot.in_flight,
        written=snapshot.written,
        failed=snapshot.failed,
        exit_code=status.exit_code,
    )
    return msgspec.json.encode(beat) + b"\n"
