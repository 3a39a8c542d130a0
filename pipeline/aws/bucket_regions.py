"""Where the buckets of a run are: Amazon Transcribe reads and writes in its own region alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import NoSuchSource, PipelineError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class WrongRegion(NoSuchSource):
    """A bucket is in another region than the jobs would run in."""

    def __init__(self, bucket: str, region: str, ours: str, *, action: str = "") -> None:
        problem, advice = wrong_region(ours, Placed(bucket, region))
        super().__init__(problem, advice, action=action)
        self.bucket = bucket
        self.region = region
        self.ours = ours


class Placed(NamedTuple):
    """A bucket and its region, "" where S3 does not say."""

    bucket: str
    region: str


def wrong_region(ours: str, found: Placed, other: Placed | None = None) -> tuple[str, str]:
    """The problem and the advice of a bucket that is not where the jobs would run. Pure.

    Where the run has an `other` bucket, the advice holds for both.
    """
    if other and other.region and other.region != found.region:
        problem = (
            f"The bucket s3://{found.bucket} is in {found.region} and s3://{other.bucket} in "
            f"{other.region}, but Amazon Transcribe reads and writes in its own region alone"
        )
        advice = (
            "Recordings and results must be in one region: name the recordings' with --region, and "
            "a bucket there with --results, or none."
        )
        return problem, advice
    where = f"The bucket s3://{found.bucket} is"
    if other and other.region:
        where = f"The buckets s3://{found.bucket} and s3://{other.bucket} are"
    advice = f"Add --region {found.region}."
    if other and not other.region:
        advice += f" s3://{other.bucket} must be there too."
    return f"{where} in {found.region}, and the jobs would run in {ours}", advice


async def look_at_the_other(
    region_of: Callable[[str], Awaitable[str]], error: WrongRegion, other: str
) -> None:
    """Let the advice of an error hold for the run's other bucket too; "" for none."""
    if other in {"", error.bucket}:
        return
    try:
        region = await region_of(other)
    except PipelineError:
        region = ""
    error.problem, error.advice = wrong_region(
        error.ours, Placed(error.bucket, error.region), Placed(other, region)
    )
