"""What the doctor finds; pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline.aws.error_codes import ALLOW_STEP, CREDENTIALS_STEP
from pipeline.errors import Denied, NoAccess, PipelineError, ServiceUnreachable, Unavailable
from pipeline.text import count_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_POLICY = "`transcribe-pipeline iam policy` prints all that a run needs."
_CREDENTIALS = "Check AWS_PROFILE or --profile, and `aws sts get-caller-identity`."
# What helps a command that goes on says nothing to one that only looks.
_INSTEAD = {ALLOW_STEP: f"Allow it; {_POLICY}", CREDENTIALS_STEP: _CREDENTIALS}
_REACH = (
    "Check the address and the way to it: proxy, firewall, or in a network of your own the "
    "service's endpoint."
)


class Verdict(StrEnum):
    """How a line ends; only a problem would stop a run."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    SKIPPED = "skipped"


class Finding(NamedTuple):
    """What was found, in a sentence, and what to do about it; "" where there is nothing to do."""

    verdict: Verdict
    message: str
    advice: str = ""


class Line(msgspec.Struct, frozen=True):
    """One line of the report; `check` is what was looked at."""

    check: str
    verdict: Verdict
    message: str
    advice: str


class Report(msgspec.Struct, frozen=True):
    """Every line, how often each verdict was given, and whether a run would go well."""

    source: str
    ready: bool
    counts: dict[str, int]
    lines: list[Line]


def ok(message: str) -> Finding:
    """It is as it should be."""
    return Finding(Verdict.OK, message)


def warning(message: str, advice: str = "") -> Finding:
    """A run goes well all the same, or nearly."""
    return Finding(Verdict.WARNING, message, advice)


def problem(message: str, advice: str = "") -> Finding:
    """A run would fail."""
    return Finding(Verdict.PROBLEM, message, advice)


def skipped(why: str) -> Finding:
    """It was not looked at, or can't be told."""
    return Finding(Verdict.SKIPPED, why)


def finding_of(error: PipelineError) -> Finding:
    """The problem that an error of ours is, with what to do said apart from it.

    Where a call was made several times, what went wrong the last time is what counts.
    """
    if isinstance(error, ServiceUnreachable) and isinstance(error.__cause__, PipelineError):
        error = error.__cause__
    advice = _INSTEAD.get(error.advice, error.advice)
    if not advice and isinstance(error, Unavailable | ServiceUnreachable):
        advice = _REACH
    return problem(error.sentence, advice)


def credentials_refused(error: PipelineError) -> bool:
    """Whether it is the credentials that are missing or no good, and not a permission."""
    return isinstance(error, NoAccess) and not isinstance(error, Denied)


def why_unknown(error: PipelineError) -> str:
    """Why a question has no answer that no run needs; refused credentials are a finding, raised."""
    if credentials_refused(error):
        raise error
    return finding_of(error).message


def out_of_time(seconds: float, *, needed: bool) -> Finding:
    """No answer came; where no run needs one, that is no problem."""
    message = f"No answer within {seconds:g} seconds"
    return problem(f"{message}.", _REACH) if needed else skipped(f"{message}; no run needs one.")


def report(source: str, lines: Sequence[Line]) -> Report:
    """The lines with their balance; `source` is "" where none was named."""
    counts = {verdict.value: _count(lines, verdict) for verdict in Verdict}
    return Report(source, not counts[Verdict.PROBLEM], counts, list(lines))


def _count(lines: Iterable[Line], verdict: Verdict) -> int:
    return sum(line.verdict is verdict for line in lines)


def conclusion(report: Report) -> str:
    """The balance in a sentence: what stops a run comes first."""
    counts = report.counts
    parts = [
        count_of(counts[Verdict.PROBLEM], "problem"),
        count_of(counts[Verdict.WARNING], "warning"),
        f"{counts[Verdict.OK]} ok",
        f"{counts[Verdict.SKIPPED]} skipped",
    ]
    what = "A run would go well" if report.ready else "A run would fail"
    return f"{what}: {', '.join(parts)}."
