"""The Data Manager's filters, as the server (1.23) reads them in an address; pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def job_id_filter(job_ids: Sequence[str]) -> str:
    """The Data Manager's filter for tasks by their `data.job_id`."""
    return _filter(("data.job_id", "in_list", "List", list(job_ids)))


def recordings_filter(name: str, uris: Sequence[str]) -> str:
    """The Data Manager's filter for tasks whose data has one of these URIs under a name."""
    return _filter((f"data.{name}", "in_list", "List", list(uris)))


def changed_filter(after: int, since: str) -> str:
    """The Data Manager's filter for what `changed_tasks` looks for."""
    changed = ("updated_at", "greater", "Datetime", since)
    annotated = ("total_annotations", "greater", "Number", 0)
    return _filter(("id", "greater", "Number", after), changed if since else annotated)


def numbers_filter(numbers: Sequence[int]) -> str:
    """The Data Manager's filter for tasks by their numbers."""
    return _filter(("id", "in_list", "List", list(numbers)))


def skipped_filter() -> str:
    """The Data Manager's filter for tasks that someone skipped and nobody submitted."""
    return _filter(
        ("cancelled_annotations", "greater", "Number", 0),
        ("total_annotations", "equal", "Number", 0),
    )


def _filter(*conditions: tuple[str, str, str, Any]) -> str:
    """Tasks that meet all conditions (column, operator, type, value), by number."""
    items = [
        {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}
        for column, operator, kind, value in conditions
    ]
    query = {"ordering": ["tasks:id"], "filters": {"conjunction": "and", "items": items}}
    return as_query(query)


def as_query(value: Any) -> str:
    """JSON as it may stand in an address; the server (1.23) decodes `%41` there once more."""
    return json.dumps(value, separators=(",", ":")).replace("%", "\\u0025")
