"""When a command has done enough for today: how long, and until when."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pipeline.errors import BudgetSpent

if TYPE_CHECKING:
    from pipeline.config.schema import Budget

_UNTIL = re.compile(r"([0-9]{1,2}):([0-9]{2}) ?(.*)")
_OFFSET = re.compile(r"Z|[+-][0-9]{2}:?[0-5][0-9]")


def until(text: str, now: datetime) -> datetime:
    """The next moment that `--until` names, seen from `now` (with a zone), in UTC.

    A time that the clocks skip that night is one hour later; of one that comes twice, the next.

    Args:
        text: `06:00` in the machine's own zone, or with one: `06:00Z`, `06:00+02:00`,
            `06:00 Europe/Berlin`.
        now: the present moment.

    Raises:
        ValueError: it is no time of day, or there is no such zone.
    """
    match = _UNTIL.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no time of day")
    hour, minute, name = match.groups()
    zone = _zone(name) if name else None
    here = now.astimezone(zone)
    today = datetime(here.year, here.month, here.day, int(hour), int(minute), tzinfo=zone)
    tomorrow = today + timedelta(days=1)
    # A time without a zone is the machine's own, whatever its clocks do overnight.
    shown = (each.timestamp() for each in (today, today.replace(fold=1), tomorrow))
    return datetime.fromtimestamp(next(each for each in shown if each > now.timestamp()), UTC)


def _zone(name: str) -> tzinfo | None:
    try:
        if _OFFSET.fullmatch(name):
            return datetime.fromisoformat(f"2000-01-01T00:00{name}").tzinfo
        return ZoneInfo(name)
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"there is no time zone {name!r}") from error


def seconds_left(until_text: str, max_hours: float, now: datetime) -> float | None:
    """Seconds that a run may take from `now`; None when nothing bounds it."""
    bounds = [max_hours * 3600] if max_hours else []
    if until_text:
        bounds.append((until(until_text, now) - now).total_seconds())
    return min(bounds) if bounds else None


async def stop_in_time(budget: Budget) -> None:
    """Wait until the time that a command was given is over; where nothing bounds it, do not wait.

    Raises:
        BudgetSpent: it is over.
    """
    import asyncio  # settings are read by commands that need no event loop

    seconds = seconds_left(budget.until, budget.max_hours, datetime.now().astimezone())
    if seconds is None:
        return
    await asyncio.sleep(seconds)
    raise BudgetSpent(f"until {budget.until}" if budget.until else f"{budget.max_hours:g} hours")
