"""What a state file knows of a run, ended or not, in the shape of the summary at a run's end."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec.structs import replace

from pipeline.monitoring.summary import Counts, Failures, Files, Limits, RunFacts
from pipeline.state.history import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.state.history import PastRun
    from pipeline.state.reader import StateReader
    from pipeline.state.recordings import Counts as Stand


class Now(NamedTuple):
    """How all recordings of a state file stand now, and why some have failed, by reason."""

    stand: Stand
    reasons: dict[str, int]

    def known_to(self, facts: RunFacts) -> RunFacts:
        """The facts of the last run, as what `retry` or another run has changed since."""
        counts = replace(
            facts.counts,
            failed=sum(self.reasons.values()),
            pending=self.stand.pending,
            in_flight=self.stand.in_flight,
        )
        known = facts.failures.examples if facts.failures else ()
        failures = Failures(self.reasons, known) if self.reasons else None
        return replace(facts, counts=counts, failures=failures)


def read_now(state: StateReader) -> Now:
    """How the recordings stand."""
    return Now(state.recordings.counts(), state.failures.by_reason())


def run_facts(
    state: StateReader, past: PastRun, samples: Sequence[Sample], now: Now | None
) -> RunFacts:
    """What a run said at its end; where it did not say all, that and what is known otherwise.

    That is from its samples, and of the last run from how the recordings stand now.
    """
    said = said_by(past)
    with suppress(msgspec.ValidationError):
        return msgspec.convert(said, RunFacts)
    so_far = _so_far(state, past, samples[-1] if samples else Sample(past.begun), now)
    known = msgspec.to_builtins(so_far)
    with suppress(msgspec.ValidationError):
        counts = {"counts": known["counts"] | said.get("counts", {})}
        return msgspec.convert(known | said | counts, RunFacts)
    return so_far


def said_by(past: PastRun) -> dict[str, Any]:
    """What a run said at its end, by the names of a summary; {} where that can't be read.

    What a run says that could not begin is flat, and so were the summaries of earlier versions.
    """
    try:
        said = msgspec.json.decode(past.summary or b"", type=dict[str, Any])
    except Exception:  # noqa: BLE001 # whatever foreign text does to its reader
        return {}
    if isinstance(said.get("counts"), dict):
        return said
    return {name: said[name] for name in ("seconds", "stopped") if name in said} | {"counts": said}


def _so_far(state: StateReader, past: PastRun, sample: Sample, now: Now | None) -> RunFacts:
    """What is known of a run without an end: its settings, its last sample, and how it is now."""
    settings = past.settings
    counts = replace(
        msgspec.convert(sample, Counts, from_attributes=True),
        skipped=state.facts.skipped() if now else {},
        not_audio=state.facts.not_audio() if now else {},
        in_flight=0,
        tasks=state.facts.output_lines,
    )
    slots = sample.slots_found or settings.most_in_flight
    facts = RunFacts(
        source=settings.source,
        seconds=round(sample.at - past.begun, 3),
        counts=counts,
        limits=Limits(settings.most_in_flight, slots, settings.start_rate),
        waits=sample.waits,
        cost=sample.cost,
        files=Files(output=settings.output, state=str(state.path)),
    )
    return now.known_to(facts) if now else facts
