"""All checks of the doctor put together: the account, this machine, Label Studio."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipeline.aws.s3 import open_s3
from pipeline.aws.session import connect
from pipeline.config.shards import is_unnamed
from pipeline.doctor import account, machine, named_resources
from pipeline.doctor.access import AccountAccess
from pipeline.doctor.bucket_checks import BucketChecks, Places
from pipeline.doctor.buckets import Recordings
from pipeline.doctor.findings import finding_of, ok, skipped
from pipeline.doctor.jobs_in_flight import jobs_of
from pipeline.doctor.label_studio import LabelStudioChecks, sample
from pipeline.doctor.lanes import lane_checks
from pipeline.doctor.runner import Check, constant, run_checks
from pipeline.doctor.service_checks import JobsAsked, ServiceChecks
from pipeline.errors import CannotRun, NoAccess
from pipeline.label_studio.client import connected
from pipeline.label_studio.token import URL_VARIABLE, address, read_token
from pipeline.naming import S3Uri, as_folder, job_name_prefix, parse_s3_uri
from pipeline.net.http import open_http
from pipeline.net.wait_times import WaitTimes
from pipeline.recordings.selection import Selection
from pipeline.tasks.builder import TaskBuilder

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from pipeline.aws.s3 import S3
    from pipeline.aws.session import Session
    from pipeline.config.schema import Config
    from pipeline.config.shards import Cluster
    from pipeline.doctor.findings import Finding, Line

    Looks = Callable[[Session, S3], Awaitable[None]]

_CONNECTIONS = 8


class _Amazon(NamedTuple):
    """What other lines need of the account: whose certificates are believed, and recordings."""

    trust: ssl.SSLContext
    recordings: Recordings | None


async def examine(
    config: Config,
    place: S3Uri | Path | None,
    show: Callable[[Line], None],
    looks: Looks | None = None,
) -> list[Line]:
    """Every line, each shown as soon as it and those before it are there.

    `looks` looks at what other runs have left, and refuses it as a run would.
    """
    lines = []
    async with AsyncExitStack() as stack:
        amazon, of_amazon = await _of_amazon(stack, config, place, looks)
        of_reviewing = await _of_reviewing(stack, config, amazon)
        checks = [*of_amazon, *_of_this_machine(config, place), *of_reviewing]
        async for line in run_checks(checks):
            lines.append(line)
            show(line)
    return lines


async def _of_amazon(
    stack: AsyncExitStack, config: Config, place: S3Uri | Path | None, looks: Looks | None
) -> tuple[_Amazon | None, list[Check]]:
    """The lines about AWS, in the order in which a run needs what they are about.

    Beside them is what other lines need of it; None where there is no way to it.
    """
    if isinstance(place, Path):
        why = "A folder is transcribed on this machine, without any account."
        return None, [Check("AWS", constant(skipped(why)))]
    try:
        connecting = connect(config.aws, _CONNECTIONS, limits=config.limits)
        session = await stack.enter_async_context(connecting)
    except CannotRun as error:
        name = "credentials" if isinstance(error, NoAccess) else "settings"
        without = skipped("Nothing there can be asked without.")
        return None, [Check(name, constant(finding_of(error))), Check("AWS", constant(without))]
    s3 = await stack.enter_async_context(open_s3(session, config.limits, WaitTimes()))
    connections = open_http(_CONNECTIONS, config.limits.answer_seconds, session.trust)
    http = await stack.enter_async_context(connections)
    access, recordings = AccountAccess(session, s3), _recordings(config, place, s3)
    in_a_role = all(each.data_access_role for each in config.options)
    on_s3 = BucketChecks(access, _places(config, place), recordings, in_a_role=in_a_role)
    endpoint = session.transcribe.meta.endpoint_url
    return _Amazon(session.trust, recordings), [
        access.credentials(),
        Check("clock", partial(account.clock, http, endpoint)),
        *on_s3.checks(tags=config.metadata.source == "tags"),
        *(
            [access.check("other runs", partial(_other_runs, access, config.cluster, looks))]
            if looks
            else []
        ),
        *await _of_the_jobs(stack, config, on_s3),
    ]


async def _other_runs(access: AccountAccess, cluster: Cluster, looks: Looks) -> Finding:
    """Whether a run would be refused for the jobs that others have, or have left."""
    await looks(access.session, access.s3)
    if is_unnamed(cluster):
        return skipped("Only shard 0 was looked at, and it would begin. Name one with --shard.")
    return ok("No run has left jobs that one with these settings would start again.")


async def _of_the_jobs(stack: AsyncExitStack, config: Config, on_s3: BucketChecks) -> list[Check]:
    """The lines about the accounts that run the jobs, and about the queue that tells of them."""
    access, places, lanes = on_s3.access, on_s3.places, config.cluster.lanes
    queueing = bool(config.transcribe.data_access_role)
    asked = JobsAsked(config.options, config.limits, queueing)
    in_flight = jobs_of(config.state_path)
    queue = []
    if url := config.aws.events:
        asking = partial(named_resources.queue, access.service("sqs"), url, access.session.region)
        queue = [access.check("events", asking)]
    if not lanes:
        return [*ServiceChecks(access, places, asked, in_flight).checks(), *queue]
    of_lanes = {profile: in_flight if profile == config.lane else [] for profile in lanes}
    return [*queue, *await lane_checks(stack, of_lanes, on_s3, asked)]


def _places(config: Config, source: S3Uri | None) -> Places:
    written = {"output": config.s3_output, "transcripts": parse_s3_uri(config.output.transcripts)}
    prefix = config.transcribe.job_prefix
    return Places(
        source,
        parse_s3_uri(config.output.results),
        {name: as_folder(place) for name, place in written.items() if place},
        job_name_prefix(prefix, source.bucket) if source else f"{prefix}-",
    )


def _recordings(config: Config, source: S3Uri | None, s3: S3) -> Recordings | None:
    named = bool(config.transcribe.media_format)
    return source and Recordings(source, Selection(source.key, config.input, lambda _: named), s3)


def _of_this_machine(config: Config, place: S3Uri | Path | None) -> list[Check]:
    uri, bucket = _named(place)
    files = config.output_path, config.state_path, config.failures_path
    name_prefix = job_name_prefix(config.transcribe.job_prefix, bucket)
    examinations = [
        ("output", partial(machine.output, *files)),
        ("state", partial(machine.state, config.state_path, uri, name_prefix)),
        ("disk", partial(machine.disk, config.output_path)),
    ]
    if config.monitoring != type(config.monitoring)():
        examinations.append(("monitoring", partial(machine.monitoring, config.monitoring)))
    if isinstance(place, Path):
        examinations.insert(0, ("source", partial(machine.folder, place)))
    return [Check(name, partial(asyncio.to_thread, examine)) for name, examine in examinations]


def _named(place: S3Uri | Path | None) -> tuple[str | None, str]:
    """The source's URI and its bucket, as a run names them in the state file."""
    if isinstance(place, S3Uri):
        return str(place), place.bucket
    return (place.as_uri(), place.as_uri()) if place else (None, "")


async def _of_reviewing(
    stack: AsyncExitStack, config: Config, amazon: _Amazon | None
) -> list[Check]:
    """The lines about Label Studio, if one is named."""
    known = config.label_studio
    if not (known.url or known.project or os.environ.get(URL_VARIABLE)):
        why = f"None is named, with --url or {URL_VARIABLE}; a run needs none."
        return [Check("Label Studio", constant(skipped(why)))]
    try:
        at, token = address(known, os.environ), read_token(known, os.environ)
    except CannotRun as error:
        return [Check("Label Studio", constant(finding_of(error)))]
    client = await stack.enter_async_context(connected(at, token, config.limits))
    trust = amazon.trust if amazon else None
    http = await stack.enter_async_context(open_http(1, config.limits.answer_seconds, trust))
    recordings = amazon.recordings if amazon else None
    bucket = recordings.bucket if recordings else ""
    playing = recordings.playing if recordings else constant(None)
    tasks = TaskBuilder(config.tasks.kind, config.model_version, config.tasks.mark_below)
    needed = sample(tasks, bucket, identifies=config.transcribe.identifies)
    return LabelStudioChecks(client, known.project, needed, bucket).checks(http, playing)
