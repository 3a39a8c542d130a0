"""The lines about AWS, in the order in which a run needs what they are about."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from pipeline.aws.service import Service
from pipeline.doctor import account, buckets, jobs_in_flight, named_resources
from pipeline.doctor import transcribe as service
from pipeline.doctor.findings import Finding, Verdict, credentials_refused, skipped
from pipeline.doctor.permissions import Permissions, SimulatedCall
from pipeline.doctor.runner import Check, constant, once
from pipeline.errors import Denied, NoSuchSource, PipelineError
from pipeline.jobs.client import Transcriber
from pipeline.naming import as_folder, job_name_prefix, parse_s3_uri, result_place
from pipeline.net.concurrency import JobSlots
from pipeline.net.wait_times import WaitTimes
from pipeline.recordings.selection import Selection
from pipeline.vocabulary.service import Vocabularies

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import aiohttp

    from pipeline.aws.s3 import S3
    from pipeline.aws.session import Session
    from pipeline.config.schema import Config
    from pipeline.naming import S3Uri

    Examine = Callable[[], Awaitable[Finding]]


_NO_RESULTS = "No --results: the service keeps the transcripts, for 90 days."


def _written(config: Config) -> dict[str, S3Uri]:
    """Where a run and its followers write on S3, by what they write."""
    places = {"output": config.s3_output, "transcripts": parse_s3_uri(config.output.transcripts)}
    return {name: as_folder(place) for name, place in places.items() if place}


def _regions(s3: S3, session: Session, *places: S3Uri | None) -> dict[str, Examine]:
    """Of each bucket whether it is in our region, beside another one that is named."""
    names = list(dict.fromkeys(each.bucket for each in places if each))
    return {
        bucket: once(partial(buckets.region, s3, bucket, session.region, other))
        for bucket, other in zip(names, [*names[1:], *names[:1]], strict=True)
    }


class AccountChecks:
    """What there is to look at in the account; `place` is None where no source is named.

    `trust` is whose certificates its connections believe, `results` where the jobs write.
    """

    def __init__(self, config: Config, place: S3Uri | None, session: Session, s3: S3) -> None:
        self._config = config
        self._place = place
        self._session = session
        self.trust = session.trust
        self.s3 = s3
        self.trial = asyncio.Lock()  # lanes write the same object as a trial
        waiting = WaitTimes()
        self._service = partial(Service, session, waiting=waiting)
        self._transcriber = Transcriber(session, config.limits, waiting, JobSlots(1, waiting))
        self._vocabularies = Vocabularies(session, s3, waiting)
        self.identity = once(partial(account.who, self._service("sts")))
        self._permissions = Permissions(self._service("iam"), self.identity)
        self.listed = once(self._first_page)
        self.results = parse_s3_uri(config.output.results)
        self._written = _written(config)
        self._regions = _regions(s3, session, place, self.results, *self._written.values())
        self._roles = {each.data_access_role for each in config.options}
        self._tags = any(each.tags for each in config.options)
        prefix = config.transcribe.job_prefix
        self._name_prefix = job_name_prefix(prefix, place.bucket) if place else f"{prefix}-"

    def checks(self, http: aiohttp.ClientSession) -> list[Check]:
        """Every line, as far as the settings name what it is about."""
        endpoint = self._session.transcribe.meta.endpoint_url
        held = self._session.credentials
        return [
            Check("credentials", partial(account.credentials, self.identity, held), needed=False),
            Check("clock", partial(account.clock, http, endpoint)),
            *self._of_the_source(),
            *self._of_the_results(),
            *self._of_what_is_written(),
            *([] if self._config.cluster.lanes else self.of_the_service()),
            *self._of_the_queue(),
        ]

    def of_the_service(self) -> list[Check]:
        """The lines about the account that runs the jobs."""
        return [
            self.check("jobs list", partial(service.listing, self._transcriber, self._name_prefix)),
            self.check("jobs get", partial(service.getting, self._transcriber, self._name_prefix)),
            *self._of_the_jobs_in_flight(),
            *map(
                _not_needed,
                [
                    self.check(
                        "jobs start", partial(self._permissions.start_jobs, tags=self._tags)
                    ),
                    self.check("quotas", self._quotas),
                    *self._of_the_roles(),
                    *self._of_what_is_named(),
                ],
            ),
        ]

    @property
    def bucket(self) -> str:
        """That of the recordings, "" where no source is named."""
        return self._place.bucket if self._place else ""

    async def playing(self) -> str | None:
        """A presigned URL of some recording, None where there is none."""
        if self._place is None:
            return None
        entry = self.recordings().readable((await self.listed())[0])
        return entry and await self.s3.url("GET", self._place._replace(key=entry.key))

    def _of_the_source(self) -> list[Check]:
        if self._place is None:
            return [Check("source", constant(skipped("No SOURCE is named.")))]
        recordings, bucket = self.recordings(), self._place.bucket
        reading = self.by_the_role(partial(recordings.reading, self.s3), "s3:GetObject")
        lines: dict[str, Examine] = {"source list": recordings.listing, "source read": reading}
        if self._config.metadata.source == "tags":
            lines["source tags"] = partial(recordings.tags, self.s3)
        return [
            self.check("source bucket", self._regions[bucket]),
            *(self.check(name, examine, bucket) for name, examine in lines.items()),
        ]

    def _of_the_results(self) -> list[Check]:
        results = self.results
        if results is None:
            return [Check("results", constant(skipped(_NO_RESULTS)))]
        earlier_results = partial(buckets.earlier_results, self.s3, results, self._name_prefix)
        writing = self.by_the_role(
            partial(buckets.writing, self.s3, results, alone=self.trial), "s3:PutObject"
        )
        return [
            self.check("results bucket", self._regions[results.bucket]),
            self.check("results list", earlier_results, results.bucket),
            self.check("results write", writing, results.bucket),
        ]

    def _of_what_is_written(self) -> list[Check]:
        trial = partial(buckets.conditional_writing, self.s3)
        return [
            self.check(f"{name} write", partial(trial, place), place.bucket)
            for name, place in self._written.items()
        ]

    async def _quotas(self) -> Finding:
        return await account.quotas(
            self._service("service-quotas"),
            self._config.limits.max_in_flight,
            queueing=bool(self._config.transcribe.data_access_role),
        )

    def _of_the_roles(self) -> list[Check]:
        """For each role whether it may be handed over, and what the service may do in it."""
        checks = []
        for role in dict.fromkeys(self._roles - {""}):
            checks += [
                self.check("role", partial(self._permissions.pass_role, role)),
                self.check(
                    "role rights", partial(self._permissions.act_in_role, role, self._work(role))
                ),
            ]
        return checks

    def _work(self, role: str) -> list[SimulatedCall]:
        result = self.results and result_place(self.results, f"{self._name_prefix}check")
        return _work(role, self._place, result)

    def _of_what_is_named(self) -> list[Check]:
        services = named_resources.Services(
            self._service("transcribe"), self._service("kms"), self._vocabularies
        )
        return [self.check(*each) for each in named_resources.named(self._config.options, services)]

    def _of_the_jobs_in_flight(self) -> list[Check]:
        jobs = jobs_in_flight.jobs_of(self._config.state_path)
        examine = partial(jobs_in_flight.examine, jobs, self._transcriber, self.s3)
        return [self.check("jobs in flight", examine)] if jobs else []

    def _of_the_queue(self) -> list[Check]:
        url, region = self._config.aws.events, self._session.region
        examine = partial(named_resources.queue, self._service("sqs"), url, region)
        return [self.check("events", examine)] if url else []

    def by_the_role(self, examine: Examine, action: str) -> Examine:
        """The same check where the service acts in a role, in whose place we need no such right."""

        async def without_the_right() -> Finding:
            try:
                return await examine()
            except Denied as error:
                if error.action != action:
                    raise
                return skipped(f"The service does it in the role, and we may not: {action}.")

        return examine if "" in self._roles else without_the_right

    def check(self, name: str, examine: Examine, bucket: str = "") -> Check:
        """A line that needs good credentials, and a bucket: without, their own line says it."""

        async def with_both() -> Finding:
            try:
                return await examine()
            except PipelineError as error:
                if credentials_refused(error) and await self._are_refused():
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
            await self.identity()
        except PipelineError as error:
            return credentials_refused(error)
        return False

    def recordings(self) -> buckets.Recordings:
        """What is known of the recordings of the source that is named."""
        assert self._place
        named = bool(self._config.transcribe.media_format)
        selection = Selection(self._place.key, self._config.input, lambda _: named)
        return buckets.Recordings(self._place, selection, self.listed)

    async def _first_page(self) -> buckets.Listing:
        assert self._place
        return await self.s3.list_page(self._place, {})


def _work(role: str, source: S3Uri | None, result: S3Uri | None) -> list[SimulatedCall]:
    """What the service does in a role: it reads recordings, and writes results."""
    objects = f"arn:{role.split(':')[1]}:s3:::"
    work = []
    if source:
        work.append(SimulatedCall(["s3:GetObject"], f"{objects}{source.bucket}/{source.key}a"))
    if result:
        work.append(SimulatedCall(["s3:PutObject"], f"{objects}{result.bucket}/{result.key}"))
    return work


def _not_needed(check: Check) -> Check:
    """A line about what the service alone looks at, or IAM knows: a run asks nothing there."""
    return check._replace(needed=False)
