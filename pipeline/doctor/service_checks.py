"""The lines about the account that runs the jobs: what it may ask of the service, and how much."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pipeline.doctor import account, jobs_in_flight, named_resources
from pipeline.doctor import transcribe as service
from pipeline.doctor.permissions import Permissions, SimulatedCall
from pipeline.jobs.client import Transcriber
from pipeline.naming import result_place
from pipeline.net.concurrency import JobSlots
from pipeline.vocabulary.service import Vocabularies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.config.schema import Limits
    from pipeline.config.transcription import Transcribe
    from pipeline.doctor.access import AccountAccess
    from pipeline.doctor.bucket_checks import Places
    from pipeline.doctor.runner import Check
    from pipeline.model import Job


class JobsAsked(NamedTuple):
    """What a run asks of the service.

    `options` are those of any recording; where a job is `queueing`, the service holds it until
    there is a slot.
    """

    options: Sequence[Transcribe]
    limits: Limits
    queueing: bool


class ServiceChecks:
    """The lines about one account; `in_flight` are jobs that an earlier run left there."""

    def __init__(
        self, access: AccountAccess, places: Places, asked: JobsAsked, in_flight: Sequence[Job]
    ) -> None:
        self._access = access
        self._places = places
        self._asked = asked
        self._in_flight = in_flight
        slots = JobSlots(1, access.waiting)
        self._transcriber = Transcriber(access.session, asked.limits, access.waiting, slots)
        self._permissions = Permissions(access.service("iam"), access.identity)

    def checks(self) -> list[Check]:
        """Every line; a run asks nothing of what the service alone looks at, or IAM knows."""
        names = self._places.name_prefix
        check = self._access.check
        return [
            check("jobs list", partial(service.listing, self._transcriber, names)),
            check("jobs get", partial(service.getting, self._transcriber, names)),
            *self._of_the_jobs_in_flight(),
            *(each._replace(needed=False) for each in self._of_the_service_alone()),
        ]

    def _of_the_jobs_in_flight(self) -> Iterator[Check]:
        if jobs := self._in_flight:
            examine = partial(jobs_in_flight.examine, jobs, self._transcriber, self._access.s3)
            yield self._access.check("jobs in flight", examine)

    def _of_the_service_alone(self) -> Iterator[Check]:
        access, asked = self._access, self._asked
        tags = any(each.tags for each in asked.options)
        starting = partial(self._permissions.start_jobs, tags=tags)
        quotas = partial(
            account.quotas,
            access.service("service-quotas"),
            asked.limits.max_in_flight,
            queueing=asked.queueing,
        )
        yield access.check("jobs start", starting)
        yield access.check("quotas", quotas)
        yield from self._of_the_roles()
        vocabularies = Vocabularies(access.session, access.s3, access.waiting)
        services = named_resources.Services(
            access.service("transcribe"), access.service("kms"), vocabularies
        )
        for name, examine in named_resources.named(asked.options, services):
            yield access.check(name, examine)

    def _of_the_roles(self) -> Iterator[Check]:
        """For each role whether it may be handed over, and what the service may do in it."""
        for role in {each.data_access_role: None for each in self._asked.options}:
            if role:
                acting = partial(self._permissions.act_in_role, role, _work(role, self._places))
                yield self._access.check("role", partial(self._permissions.pass_role, role))
                yield self._access.check("role rights", acting)


def _work(role: str, places: Places) -> list[SimulatedCall]:
    """What the service does in a role: it reads recordings, and writes results."""
    objects = f"arn:{role.split(':')[1]}:s3:::"
    work = []
    if source := places.source:
        work.append(SimulatedCall(["s3:GetObject"], f"{objects}{source.bucket}/{source.key}a"))
    if places.results:
        result = result_place(places.results, f"{places.name_prefix}check")
        work.append(SimulatedCall(["s3:PutObject"], f"{objects}{result.bucket}/{result.key}"))
    return work
