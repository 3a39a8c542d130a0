"""The lines about AWS, in the order in which a run needs what they are about."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pipeline.aws import Transcriber
from pipeline.aws_service import Service
from pipeline.brakes import SlotGate, Waiting
from pipeline.doctor import account, buckets, service
from pipeline.doctor.examine import Check, once, told
from pipeline.doctor.finding import Finding, Verdict, is_refused, skipped
from pipeline.errors import NoSuchSource, PipelineError
from pipeline.naming import S3Place, group_tag, parse_s3_uri
from pipeline.vocabularies import Vocabularies

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import aiohttp

    from pipeline.aws import Session
    from pipeline.config import Config
    from pipeline.s3 import S3


class Amazon:
    """What there is to look at in the account; `place` is None where no source is named."""

    def __init__(self, config: Config, place: S3Place | None, session: Session, s3: S3) -> None:
        self._config = config
        self._place = place
        self._session = session
        self._s3 = s3
        waiting = Waiting()
        sts, self._service_quotas, self._iam = (
            Service(session, name, waiting) for name in ("sts", "service-quotas", "iam")
        )
        self._transcriber = Transcriber(session, config.limits, waiting, SlotGate(1, waiting))
        self._vocabularies = Vocabularies(session, s3, waiting)
        self._identity = once(partial(account.who, sts))
        self._listed = once(self._first_page)
        places = (place, parse_s3_uri(config.output.results))
        self._regions = {
            each.bucket: once(partial(buckets.region, s3, each.bucket, session.region))
            for each in places
            if each
        }
        prefix = config.transcribe.job_prefix
        self._tag = group_tag(prefix, place.bucket) if place else f"{prefix}-"

    def checks(self, http: aiohttp.ClientSession) -> list[Check]:
        """Every line, as far as the settings name what it is about."""
        endpoint = self._session.transcribe.meta.endpoint_url
        held = self._session.credentials
        return [
            Check("credentials", partial(account.credentials, self._identity, held)),
            Check("clock", partial(account.clock, http, endpoint)),
            *self._of_the_source(),
            *self._of_the_results(),
            self._check("jobs list", partial(service.listing, self._transcriber, self._tag)),
            self._check("jobs get", partial(service.getting, self._transcriber, self._tag)),
            self._check("quotas", partial(account.quotas, self._service_quotas, self._config)),
            *self._of_the_vocabulary(),
        ]

    @property
    def bucket(self) -> str:
        """That of the recordings, "" where no source is named."""
        return self._place.bucket if self._place else ""

    async def playing(self) -> str | None:
        """A presigned URL of some recording, None where there is none."""
        if self._place is None:
            return None
        entry = self._recordings().readable((await self._listed())[0])
        return entry and await self._s3.url("GET", self._place._replace(key=entry.key))

    def _of_the_source(self) -> list[Check]:
        if self._place is None:
            return [Check("source", told(skipped("No SOURCE is named.")))]
        recordings = self._recordings()
        return [
            self._check("source bucket", self._regions[self._place.bucket]),
            self._check("source list", recordings.listing, self._place.bucket),
            self._check("source read", partial(recordings.reading, self._s3), self._place.bucket),
        ]

    def _of_the_results(self) -> list[Check]:
        results = parse_s3_uri(self._config.output.results)
        if results is None:
            why = "No --results: the service keeps the transcripts, for 90 days."
            return [Check("results", told(skipped(why)))]
        looking = partial(buckets.looking, self._s3, results, self._tag)
        writing = partial(buckets.writing, self._s3, results)
        return [
            self._check("results bucket", self._regions[results.bucket]),
            self._check("results list", looking, results.bucket),
            self._check("results write", writing, results.bucket),
        ]

    def _of_the_vocabulary(self) -> list[Check]:
        wanted = self._config.transcribe
        if not wanted.vocabulary:
            return []
        look = partial(service.vocabulary, self._vocabularies, wanted)
        return [self._check("vocabulary", look)]

    def _check(self, name: str, look: Callable[[], Awaitable[Finding]], bucket: str = "") -> Check:
        """A line that needs good credentials, and a bucket: without, their own line says it."""

        async def with_both() -> Finding:
            try:
                return await look()
            except PipelineError as error:
                if is_refused(error) and await self._are_refused():
                    return skipped("It needs credentials that are good.")
                if isinstance(error, NoSuchSource) and bucket and await self._is_wrong(bucket):
                    return skipped("It needs the bucket, where the jobs run.")
                raise

        return Check(name, with_both)

    async def _is_wrong(self, bucket: str) -> bool:
        """Whether the bucket's own line is a problem."""
        try:
            return (await self._regions[bucket]()).verdict is Verdict.PROBLEM
        except PipelineError:
            return True

    async def _are_refused(self) -> bool:
        """Whether the credentials' own line says so already."""
        try:
            await self._identity()
        except PipelineError as error:
            return is_refused(error)
        return False

    def _recordings(self) -> buckets.Recordings:
        assert self._place
        return buckets.Recordings(self._place, self._config.input, self._listed)

    async def _first_page(self) -> buckets.Listing:
        assert self._place
        return await self._s3.list_page(self._place, {})
