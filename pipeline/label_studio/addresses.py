"""Where in Label Studio the tasks of an output are, for pages that link to them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipeline.errors import BadSettings
from pipeline.label_studio.client import connected
from pipeline.label_studio.push_ledger import projects_pushed
from pipeline.label_studio.token import address, read_token

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.config.label_studio import LabelStudio
    from pipeline.config.schema import Limits

_WEB = ("http://", "https://")


def project_of(output: Path, number: int) -> str:
    """The address of the project that the output was pushed to; "" when it was to none.

    Of several it is the one of this number, else the one that has most of the output.
    """
    pushed = [each for each in projects_pushed(output) if each.startswith(_WEB)]
    chosen = [each for each in pushed if not number or each.endswith(f"/projects/{number}")]
    return chosen[0] if chosen else ""


async def task_addresses(
    known: LabelStudio, limits: Limits, project: str, job_names: Sequence[str]
) -> dict[str, str]:
    """The addresses of tasks by their jobs' names, of those that the project has.

    Nobody is asked where the settings name no Label Studio, or another one: a token goes nowhere
    else than to its own server.

    Args:
        known: with the address and the token, or in the environment, as for `push`.
        limits: of what the server is asked.
        project: its address.
        job_names: a few dozen at most, as they travel in one address.

    Raises:
        CannotRun: the server can't be asked.
    """
    try:
        url = address(known, os.environ)
        token = read_token(known, os.environ)
    except BadSettings:
        return {}
    server, _, number = project.rpartition("/projects/")
    if server != url or not number.isdecimal() or not job_names:
        return {}
    async with connected(url, token, limits) as client:
        rows = await client.retried(client.find_tasks, int(number), job_names)
    # Of several tasks of a long recording the first.
    return {row.data.job_id: f"{project}/data?task={row.id}" for row in reversed(rows)}
