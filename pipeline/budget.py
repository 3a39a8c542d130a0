"""When a run has done enough for today: how many, how long, until when. Pure but for the clock."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

_UNTIL = re.compile(r"(\d{1,2}):(\d{2}) ?(.*)")


def until(text: str, now: datetime) -> datetime:
    """The next moment that `--until` names, seen from `now` (with a zone).

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
    here = now.astimezone(zone).replace(tzinfo=None)
    moment = here.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
    if moment <= here:
        moment += timedelta(days=1)
    # A time without a zone is the machine's own, whatever its clocks do overnight.
    return moment.replace(tzinfo=zone) if zone else moment.astimezone()


def _zone(name: str) -> tzinfo | None:
    if re.fullmatch(r"Z|[+-]\d{2}:?\d{2}", name):
        return datetime.fromisoformat(f"2000-01-01T00:00{name}").tzinfo
    try:
        return ZoneInfo(name)
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"there is no time zone {name!r}") from error


def seconds_left(until_text: str, max_hours: float, now: datetime) -> float | None:
    """Seconds that a run may take from `now`; None when nothing bounds it."""
    bounds = [max_hours * 3600] if max_hours else []
    if until_text:
        bounds.append((until(until_text, now) - now).total_seconds())
    return min(bounds) if bounds else None
