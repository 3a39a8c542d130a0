"""The lines about S3: what a run reads there, and what it and its jobs write."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pipeline.doctor import buckets
from pipeline.doctor.findings import Verdict, skipped
from pipeline.doctor.runner import Check, constant, once
from pipeline.errors import Denied, NoSuchSource, PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.doctor.access import AccountAccess, Examine
    from pipeline.doctor.findings import Finding
    from pipeline.naming import S3Uri

_NO_RESULTS = "No --results: the service keeps the transcripts, for 90 days."


class Places(NamedTuple):
    """Where on S3 a run reads and writes; None is a place that is not named.

    `results` is where its jobs write, `written` what the run itself writes, by what that is, and
    `name_prefix` what the names of jobs begin with, and so those of their results.
    """

    source: S3Uri | None
    results: S3Uri | None
    written: Mapping[str, S3Uri]
    name_prefix: str


class BucketChecks:
    """The lines about what a run has on S3.

    `recordings` are those of the source, None where none is named. Where all jobs run `in_a_role`,
    the service reads and writes with its rights, which we need not have.
    """

    def __init__(
        self,
        access: AccountAccess,
        places: Places,
        recordings: buckets.Recordings | None,
        *,
        in_a_role: bool,
    ) -> None:
        self.access = access
        self.places = places
        self._recordings = recordings
        self._in_a_role = in_a_role
        self._trial = asyncio.Lock()  # lanes write the same object as a trial
        self._regions = self._asked_regions()

    def checks(self, *, tags: bool) -> list[Check]:
        """Every line, as far as places are named; `tags` are metadata of the recordings."""
        return [*self._of_the_source(tags=tags), *self._of_the_results(), *self._of_the_written()]

    def in_a_lane(self, access: AccountAccess) -> Iterator[Check]:
        """Whether another account's jobs could read recordings and write what the run reads."""
        if self._recordings:
            yield access.check("source read", self._reading(self._recordings, access))
        if self.places.results:
            yield access.check("results write", self._writing(self.places.results, access))

    def _of_the_source(self, *, tags: bool) -> Iterator[Check]:
        recordings = self._recordings
        if recordings is None:
            yield Check("source", constant(skipped("No SOURCE is named.")))
            return
        bucket, s3 = recordings.bucket, self.access.s3
        yield self.access.check("source bucket", self._regions[bucket])
        yield self._check("source list", recordings.listing, bucket)
        yield self._check("source read", self._reading(recordings, self.access), bucket)
        if tags:
            yield self._check("source tags", partial(recordings.tags, s3), bucket)

    def _of_the_results(self) -> Iterator[Check]:
        results, access = self.places.results, self.access
        if results is None:
            yield Check("results", constant(skipped(_NO_RESULTS)))
            return
        earlier = partial(buckets.earlier_results, access.s3, results, self.places.name_prefix)
        yield access.check("results bucket", self._regions[results.bucket])
        yield self._check("results list", earlier, results.bucket)
        yield self._check("results write", self._writing(results, access), results.bucket)

    def _of_the_written(self) -> Iterator[Check]:
        trial = partial(buckets.conditional_writing, self.access.s3)
        for name, place in self.places.written.items():
            yield self._check(f"{name} write", partial(trial, place), place.bucket)

    def _reading(self, recordings: buckets.Recordings, access: AccountAccess) -> Examine:
        """Whether jobs of an account could read recordings."""
        return self._by_the_role(partial(recordings.reading, access.s3), "s3:GetObject")

    def _writing(self, results: S3Uri, access: AccountAccess) -> Examine:
        """Whether jobs of an account could write what the run reads, one trial at a time."""
        writing = partial(buckets.writing, access.s3, results, self.access.s3, self._trial)
        return self._by_the_role(writing, "s3:PutObject")

    def _by_the_role(self, examine: Examine, action: str) -> Examine:
        """The same check where the service acts in a role, in whose place we need no such right."""

        async def without_the_right() -> Finding:
            try:
                return await examine()
            except Denied as error:
                if error.action != action:
                    raise
                return skipped(f"The service does it in the role, and we may not: {action}.")

        return without_the_right if self._in_a_role else examine

    def _check(self, name: str, examine: Examine, bucket: str) -> Check:
        """A line that needs the bucket, where the jobs run: without, its own line says it."""

        async def in_the_bucket() -> Finding:
            try:
                return await examine()
            except NoSuchSource:
                if await self._is_wrong(bucket):
                    return skipped("It needs the bucket, where the jobs run.")
                raise

        return self.access.check(name, in_the_bucket)

    async def _is_wrong(self, bucket: str) -> bool:
        """Whether the bucket's own line is a problem."""
        try:
            return (await self._regions[bucket]()).verdict is Verdict.PROBLEM
        except PipelineError:
            return True

    def _asked_regions(self) -> dict[str, Examine]:
        """Of each bucket whether it is in our region, beside another one that is named."""
        source, results, written, _ = self.places
        named = [each.bucket for each in (source, results, *written.values()) if each]
        names = list(dict.fromkeys(named))
        region = partial(buckets.region, self.access.s3)
        return {
            bucket: once(partial(region, bucket, self.access.session.region, other))
            for bucket, other in zip(names, [*names[1:], *names[:1]], strict=True)
        }
