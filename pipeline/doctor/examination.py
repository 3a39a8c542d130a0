"""All checks of the doctor put together: the account, this machine, Label Studio."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.aws.s3 import open_s3
from pipeline.aws.session import connect
from pipeline.doctor import machine
from pipeline.doctor.amazon import AccountChecks
from pipeline.doctor.findings import finding_of, skipped
from pipeline.doctor.label_studio import LabelStudioChecks, sample
from pipeline.doctor.lanes import lane_checks
from pipeline.doctor.runner import Check, constant, run_checks
from pipeline.errors import CannotRun, NoAccess
from pipeline.label_studio.client import connected
from pipeline.label_studio.token import URL_VARIABLE, address, read_token
from pipeline.naming import S3Uri, job_name_prefix
from pipeline.net.http import open_http
from pipeline.net.wait_times import WaitTimes
from pipeline.tasks.builder import TaskBuilder

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.config.schema import Config
    from pipeline.doctor.findings import Line

_CONNECTIONS = 8


async def examine(
    config: Config, place: S3Uri | Path | None, show: Callable[[Line], None]
) -> list[Line]:
    """Every line, each shown as soon as it and those before it are there."""
    lines = []
    async with AsyncExitStack() as stack:
        amazon, of_amazon = await _of_amazon(stack, config, place)
        of_reviewing = await _of_reviewing(stack, config, amazon)
        checks = [*of_amazon, *_of_this_machine(config, place), *of_reviewing]
        async for line in run_checks(checks):
            lines.append(line)
            show(line)
    return lines


async def _of_amazon(
    stack: AsyncExitStack, config: Config, place: S3Uri | Path | None
) -> tuple[AccountChecks | None, list[Check]]:
    """The lines about AWS, and what they are asked through; None where there is no way to it."""
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
    amazon = AccountChecks(config, place, session, s3)
    lanes = await lane_checks(stack, config, place, (session, amazon))
    return amazon, [*amazon.checks(http), *lanes]


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
    stack: AsyncExitStack, config: Config, amazon: AccountChecks | None
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
    bucket = amazon.bucket if amazon else ""
    playing = amazon.playing if amazon else constant(None)
    tasks = TaskBuilder(config.tasks.kind, config.model_version, config.tasks.mark_below)
    needed = sample(tasks, bucket, identifies=config.transcribe.identifies)
    return LabelStudioChecks(client, known.project, needed, bucket).checks(http, playing)
