"""Summaries of runs that never were."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from pipeline.monitoring.summary import (
    Balance,
    Counts,
    Files,
    Limits,
    StageTotal,
    Summary,
)

SUMMARY = Summary(
    run_id="20261123T020000Z-0a1b2c",
    version="1.2.3",
    begun="2026-11-23T02:00:00.000Z",
    ended="2026-11-23T03:01:01.000Z",
    source="s3://calls/",
    exit_code=0,
    seconds=3_661.0,
    counts=Counts(listed=1_250, started=1_200, written=1_200, tasks=1_200),
    balance=Balance(listed=1_250, written=1_200, failed=0, skipped=50, pending=0),
    limits=Limits(max_in_flight=250, slots_found=250, start_rate=25.0),
    calls={"StartTranscriptionJob": 1_200},
    stages={"start": StageTotal(1_200, 480.0)},
    files=Files("tasks.jsonl", "tasks.jsonl.state"),
)


def changed(summary: Summary, **changes: Any) -> Summary:
    """The summary with other facts, each by its own name, whichever part it is in."""
    for part in ("counts", "limits"):
        value = getattr(summary, part)
        own = {name: changes.pop(name) for name in value.__struct_fields__ if name in changes}
        changes[part] = replace(value, **own)
    return replace(summary, **changes)
