"""The account: who the credentials are of, the clock that signs, the quotas."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.aws.clock import CLOCK_STEP
from pipeline.doctor.findings import Finding, ok, problem, skipped, warning, why_unknown
from pipeline.errors import PipelineError
from pipeline.net.http import request
from pipeline.net.paging import Pages
from pipeline.text import count_of, duration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    import aiohttp

    from pipeline.aws.service import Service

SKEW_SECONDS = 300.0
"""Beyond this AWS refuses signatures; S3 alone takes three times as much."""

_SUSPICIOUS_SECONDS = 60.0
_SLOTS_CODE = "L-6F7AB1C9"  # "Number of concurrent batch transcription jobs"
_DEFAULTS = (
    "The documented default is 250 jobs at once and 25 starts a second; a run finds the real "
    "figures by itself."
)


class Identity(NamedTuple):
    """Who the credentials are of, as STS says."""

    arn: str
    account: str


async def who(sts: Service) -> Identity:
    """Who the credentials are of; every caller may ask.

    Raises:
        NoAccess: they are refused.
    """
    answer = await sts.call("GetCallerIdentity")
    return Identity(answer["Arn"], answer["Account"])


async def credentials(identity: Callable[[], Awaitable[Identity]], held: Any) -> Finding:
    """Whether the credentials are good, who they are of, and whether they last.

    Args:
        identity: asks STS.
        held: botocore's credentials.

    Raises:
        NoAccess: they are not.
    """
    try:
        who = await identity()
    except PipelineError as error:
        why = why_unknown(error)
        return skipped(f"Who the credentials are of is not told, which no run needs: {why}")
    if who.arn.endswith(":root"):
        return warning(
            f"{who.arn}: these credentials may do anything in the account, and nobody could see "
            "what a leak of them did.",
            "Make a user of its own for this: `transcribe-pipeline iam apply --user NAME`.",
        )
    if held.method == "env" and (await held.get_frozen_credentials()).token:
        return warning(
            f"{who.arn}, with a session token from the environment, which nobody renews: a run "
            "stops when it expires, and goes on with a new one.",
            "For long runs use a profile or a role, which renew themselves.",
        )
    return ok(f"{who.arn} (from {held.method}).")


async def clock(http: aiohttp.ClientSession, url: str) -> Finding:
    """Whether this machine's clock is right enough for signatures, by the service's own."""
    before = time.time()
    _, _, headers = await request(http, url)
    return of_skew(skew(before, time.time(), headers.get("Date", "")))


def skew(before: float, after: float, date: str) -> float | None:
    """By how many seconds our clock is ahead; None where the answer has no usable date.

    Args:
        before: when the request was sent, by our clock (epoch seconds).
        after: when the answer had come.
        date: the answer's Date header, in whole seconds.
    """
    try:
        date_seconds = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
    earliest, latest = before - date_seconds - 1, after - date_seconds
    return 0.0 if earliest <= 0 <= latest else min(earliest, latest, key=abs)


def of_skew(seconds: float | None) -> Finding:
    """What a difference between the clocks means."""
    if seconds is None:
        return skipped("The service's answer has no date to compare this machine's clock with.")
    if abs(seconds) < 1:
        return ok("This machine's clock agrees with the service's.")
    off = f"This machine's clock is {duration(abs(seconds))} {'ahead' if seconds > 0 else 'behind'}"
    advice = CLOCK_STEP
    if abs(seconds) >= SKEW_SECONDS:
        return problem(f"{off}: signatures are refused beyond 5 minutes.", advice)
    if abs(seconds) >= _SUSPICIOUS_SECONDS:
        return warning(f"{off}; beyond 5 minutes signatures are refused.", advice)
    return ok(f"{off}.")


async def quotas(service_quotas: Service, max_in_flight: int, *, queueing: bool) -> Finding:
    """What the account's quotas mean for a run, where it may be asked for them."""
    found: list[Mapping[str, Any]] = []
    page = {"ServiceCode": "transcribe", "MaxResults": 100}
    pages = Pages("The list of quotas")
    try:
        while page:
            answer = await service_quotas.call("ListServiceQuotas", **page)
            found += answer.get("Quotas", [])
            token = answer.get("NextToken")
            page = page | {"NextToken": pages.following(token)} if token else {}
    except PipelineError as error:
        return skipped(f"{_DEFAULTS} ({why_unknown(error)})")
    return of_quotas(found, max_in_flight, queueing=queueing)


def of_quotas(found: Iterable[Mapping[str, Any]], max_in_flight: int, *, queueing: bool) -> Finding:
    """What quotas, as ListServiceQuotas answers, mean for a run. Pure.

    Args:
        found: the quotas.
        max_in_flight: jobs that the settings allow at once.
        queueing: whether the service queues jobs beyond its slots.
    """
    slots = starts = None
    for quota in found:
        if quota.get("QuotaCode") == _SLOTS_CODE:
            slots = quota.get("Value")
        elif "StartTranscriptionJob" in quota.get("QuotaName", ""):
            starts = quota.get("Value")
    if slots is None:
        return skipped(_DEFAULTS)
    message = f"{count_of(round(slots), 'job')} at once" + (
        f", {starts:g} starts a second" if starts else ""
    )
    if queueing:
        return ok(f"{message}; the service queues up to 10,000 jobs beyond them.")
    if max_in_flight < slots:
        return ok(f"{message}; max_in_flight takes {max_in_flight:,} of them.")
    return ok(f"{message}.")
