r"""The log of a run as lines of JSON for a log collector; silent where people get text.

One object a line, ASCII alone, so that no key forges a line or reaches a terminal unescaped:

    {"time": "2026-11-23T02:14:07.512Z", "level": "warning", "event": "recording.failed", ...}

A process has one standard error, so as in the standard library there is one log for all of it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from functools import cache

from pipeline.text import redacted

INFO, WARNING, ERROR = logging.INFO, logging.WARNING, logging.ERROR

_LOG = logging.getLogger("transcribe_pipeline")
_LOG.setLevel(logging.CRITICAL + 1)  # nothing, at no cost, until a log begins


@cache
def run_id() -> str:
    """Names this run in its log, summary and heartbeat: the same for all of a process."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.urandom(3).hex()}"


def begin_json(*, quiet: bool) -> None:
    """From now on everything goes to stderr as JSON, what libraries warn of included.

    With `quiet` only what failed.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.raiseExceptions = False  # a log that nobody can take stops nothing, and prints nothing
    logging.basicConfig(handlers=[handler], level=WARNING, force=True)
    logging.captureWarnings(capture=True)
    _LOG.setLevel(WARNING if quiet else INFO)


def silence_libraries() -> None:
    """Print nothing that libraries log or warn of: what it means is said in a sentence of ours."""
    logging.captureWarnings(capture=True)
    logging.root.addHandler(logging.NullHandler())


def is_json() -> bool:
    """Whether the log is JSON, so that nothing else may be printed on stderr."""
    return any(isinstance(each.formatter, _JsonLines) for each in logging.root.handlers)


def event(name: str, level: int = INFO, **facts: object) -> None:
    """Log what has happened; nothing where people get text.

    Args:
        name: what happened, as a log is searched for it: `recording.failed`.
        level: INFO, or WARNING and ERROR for what failed.
        facts: what JSON can hold; `recording` is a key, `job` the name of a job.
    """
    _LOG.log(level, name, extra={"facts": facts})


def moment(when: datetime) -> str:
    """A moment in UTC as ISO 8601 with milliseconds: 2026-11-23T02:14:07.512Z."""
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts: dict[str, object] | None = getattr(record, "facts", None)
        if facts is None:
            facts = {"event": "library", "library": record.name, "message": _foreign(record)}
        line = {
            "time": moment(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "event": record.msg,
            "run_id": run_id(),
            **facts,
        }
        return redacted(json.dumps(line, default=str))


def _foreign(record: logging.LogRecord) -> str:
    """A library's message, with its error; no traceback."""
    message = record.getMessage()
    if record.exc_info and (error := record.exc_info[1]) is not None:
        message = f"{message}: {type(error).__name__}: {error}"
    return message
