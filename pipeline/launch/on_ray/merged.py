"""One summary of the summaries of all shards; pure."""

from __future__ import annotations

from collections import Counter
from itertools import groupby, islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from pipeline import __version__
from pipeline.errors import CannotRun
from pipeline.logs import moment, run_id
from pipeline.monitoring.summary import (
    OVER_BUDGET,
    Balance,
    Counts,
    Failures,
    Files,
    Limits,
    RunEnd,
    StageTotal,
    Summary,
)
from pipeline.terminal import CANNOT_RUN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from pipeline.model import Cost

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

INTERRUPTED = 130
_WORST = (CANNOT_RUN, 143, INTERRUPTED, 129, OVER_BUDGET, 1, 0)
"""What a command ends with of what its shards ended with: the first that one of them has. It is the
order of one run, too, which ends with 3 where some failed and some are left."""

_SILENT = "did not tell how it ended; the same command goes on with it"
_SHOWN_FAILURES = 5


class ShardEnd(msgspec.Struct, frozen=True):
    """How one shard ended: with a summary, or by an error before there could be one."""

    exit_code: int
    summary: Summary | None = None
    problem: str = ""
    advice: str = ""

    @property
    def stopped(self) -> str:
        """Why it ended early."""
        if self.summary:
            return self.summary.stopped
        return str(CannotRun(self.problem, self.advice)) if self.problem else "interrupted"


class Command(NamedTuple):
    """What was asked for, and from when to when it was worked on."""

    source: str
    output: str
    begun: datetime
    ended: datetime


def merged(command: Command, shards: Sequence[ShardEnd | None], end: RunEnd) -> Summary:
    """The summary of all shards together.

    Counts, costs and calls are sums, waits those of the shard that waited longest. A shard that was
    begun again tells of its last attempt, and None stands for one that has not told. `end` is why
    the command itself ended early, where it did.
    """
    told = [each for each in shards if each]
    facts = [each.summary for each in told if each.summary]
    unlike = [*_unlike(shards, told_to_end=bool(end.exit_code))]
    if not end.exit_code:
        silent = ShardEnd(CANNOT_RUN, None, f"A shard {_SILENT}")
        end = worst(each or silent for each in shards)
    return Summary(
        run_id=run_id(),
        version=__version__,
        begun=moment(command.begun),
        ended=moment(command.ended),
        source=command.source,
        seconds=round((command.ended - command.begun).total_seconds(), 3),
        **end._asdict(),
        counts=_added(Counts(), [each.counts for each in facts]),
        balance=_added(Balance(0, 0, 0, 0, 0), [each.balance for each in facts]),
        limits=_limits([each.limits for each in facts]),
        waits=_by_name((each.waits for each in facts), max),
        calls=_by_name((each.calls for each in facts), sum),
        refused=_by_name((each.refused for each in facts), sum),
        cost=_cost([each.cost for each in facts if each.cost]),
        stages=_stages(facts),
        oldest_in_flight_seconds=max(
            (each.oldest_in_flight_seconds for each in facts), default=0.0
        ),
        failures=_failures([each.failures for each in facts if each.failures]),
        files=Files(
            command.output,
            f"{command.output}state/",
            f"{command.output}failures/" if any(each.failures for each in facts) else "",
        ),
        notes=tuple(dict.fromkeys([*unlike, *(n for each in facts for n in each.notes)])),
    )


def worst(shards: Iterable[ShardEnd]) -> RunEnd:
    """How a command ends whose shards ended so."""
    first = min(shards, key=lambda each: _WORST.index(each.exit_code), default=ShardEnd(0))
    facts = first.summary or first
    stopped = first.stopped if first.exit_code not in (0, 1) else ""
    return RunEnd(first.exit_code, stopped, facts.problem, facts.advice)


def _unlike(shards: Sequence[ShardEnd | None], *, told_to_end: bool) -> Iterator[str]:
    """What is to be told of shards that did not end as they should, those alike in one sentence."""
    said = sorted(
        (_end_of(each, told_to_end=told_to_end), number) for number, each in enumerate(shards)
    )
    for sentence, group in groupby(said, key=lambda each: each[0]):
        numbers = [number for _, number in group]
        if sentence:
            yield f"Shard{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))} {sentence}"


def _end_of(shard: ShardEnd | None, *, told_to_end: bool) -> str:
    if shard is None:
        return _SILENT
    if shard.exit_code in (0, 1) or (told_to_end and shard.exit_code == INTERRUPTED):
        return ""
    return f"ended with exit code {shard.exit_code}: {shard.stopped}"


def _added(first: S, others: Iterable[S]) -> S:
    """The sum of values of one kind, field by field."""
    values = {name: getattr(first, name) for name in first.__struct_fields__}
    for other in others:
        for name, value in values.items():
            more = getattr(other, name)
            values[name] = (
                dict(Counter(value) + Counter(more)) if isinstance(value, dict) else value + more
            )
    return msgspec.structs.replace(first, **values)


def _limits(found: Sequence[Limits]) -> Limits:
    """Those of the account, which all shards share; who came last may not have heard of all."""
    return Limits(
        max((each.max_in_flight for each in found), default=0),
        max((each.slots_found for each in found), default=0),
        max((each.start_rate for each in found), default=0.0),
    )


def _by_name(tables: Iterable[dict[str, T]], together: Callable[[list[T]], T]) -> dict[str, T]:
    found: dict[str, list[T]] = {}
    for table in tables:
        for name, value in table.items():
            found.setdefault(name, []).append(value)
    return {name: together(values) for name, values in found.items()}


def _stages(facts: Iterable[Summary]) -> dict[str, StageTotal]:
    def total(stages: list[StageTotal]) -> StageTotal:
        seconds = round(sum(each.seconds for each in stages), 3)
        return StageTotal(sum(each.count for each in stages), seconds)

    return _by_name((each.stages for each in facts), total)


def _cost(costs: Sequence[Cost]) -> Cost | None:
    if not costs:
        return None
    return msgspec.structs.replace(
        costs[0],
        amount=sum(each.amount for each in costs),
        billed_seconds=sum(each.billed_seconds for each in costs),
    )


def _failures(found: Sequence[Failures]) -> Failures | None:
    if not found:
        return None
    reasons: Counter[str] = Counter()
    for each in found:
        reasons.update(each.reasons)
    examples = (example for each in found for example in each.examples)
    return Failures(dict(reasons.most_common()), tuple(islice(examples, _SHOWN_FAILURES)))
