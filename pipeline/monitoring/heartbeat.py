"""What the heartbeat file holds: that a run is alive, and little more."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from pipeline.logs import moment, run_id

if TYPE_CHECKING:
    from pipeline.monitoring.snapshot import RunStatus

HEARTBEAT_BEGINS = b'{"time":"'
"""What a heartbeat file begins with."""


def heartbeat(status: RunStatus) -> bytes:
    """A sign of life as one line of JSON: counts are of recordings, but for `listed`, of objects.

    `time` is UTC; `exit_code` is null while the run goes on.
    """
    run = status.take()
    beat = {
        "time": moment(datetime.now(UTC)),
        "run_id": run_id(),
        "pid": os.getpid(),
        "listed": run.listed,
        "in_flight": run.in_flight,
        "written": run.written,
        "failed": run.failed,
        "exit_code": status.exit_code,
    }
    return msgspec.json.encode(beat) + b"\n"
