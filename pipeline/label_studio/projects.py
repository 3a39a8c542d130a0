"""The project that the tasks go to: found, made, and given the recordings to play."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.errors import BadSettings, CannotRun, TasksRefused, Unavailable
from pipeline.label_studio.compatibility import misfits

if TYPE_CHECKING:
    from pipeline.config.schema import Aws
    from pipeline.label_studio.client import Client
    from pipeline.label_studio.compatibility import Survey
    from pipeline.label_studio.schema import Project

SHORTEST_TITLE, LONGEST_TITLE = 3, 50
"""Characters of a project's title (1.23)."""


def checked_title(title: str) -> str:
    """The title as Label Studio keeps it, without spaces around it.

    Raises:
        BadSettings: it has fewer than 3 or more than 50 characters.
    """
    kept = title.strip()
    if not SHORTEST_TITLE <= len(kept) <= LONGEST_TITLE:
        raise BadSettings(
            f"The title {kept!r} has {len(kept)} characters",
            f"Label Studio wants {SHORTEST_TITLE} to {LONGEST_TITLE}.",
        )
    return kept


async def titled_project(client: Client, title: str) -> Project | None:
    """The project with this title, None when there is none yet.

    Raises:
        BadSettings: there are several, and which one is meant is not for us to guess.
    """
    found = await client.retried(client.projects_titled, title)
    if len(found) > 1:
        numbers = ", ".join(str(each.id) for each in found)
        raise BadSettings(
            f"{len(found)} projects at {client.url} have the title {title!r} ({numbers})",
            "Name one with --project.",
        )
    return await client.retried(client.project, found[0].id) if found else None


async def create_project(client: Client, title: str, label_config: str) -> Project:
    """A new project; when the answer is lost it is looked for before it is made again."""

    async def create() -> Project:
        there = await client.projects_titled(title)
        made = there[0] if there else await client.create_project(title, label_config)
        return await client.project(made.id)

    return await client.retried(create)


def check_fit(address: str, project: Project, survey: Survey) -> None:
    """Refuse a project that is not made for the tasks.

    Raises:
        TasksRefused: with all that does not fit.
    """
    unfit = list(misfits(project, survey))
    if unfit:
        raise TasksRefused(
            f"The project {address} is not made for these tasks: {'; '.join(unfit)}. Nothing was "
            "sent",
            "Give it the labeling configuration that fits (`transcribe-pipeline labeling-config` "
            "prints it; Settings, Labeling Interface), or have a project made with --create "
            "TITLE.",
        )


async def missing_storages(client: Client, project: Project, survey: Survey) -> list[str]:
    """The buckets of the recordings that reviewers could not hear in this project."""
    if not survey.buckets:
        return []
    known = await client.retried(client.storages, project.id)
    return sorted(survey.buckets - {each.bucket for each in known})


async def add_storage(client: Client, project: Project, bucket: str, aws: Aws) -> str:
    """Give the project a source storage for a bucket, to play from; why that failed, or "".

    It is never to be synced: a sync would make tasks of the objects. The server reads the bucket
    with credentials of its own, and passes the audio on itself: no CORS rule is needed so.
    """
    try:
        await client.create_storage(storage_settings(project.id, bucket, aws))
    except (Unavailable, CannotRun) as error:
        return error.problem  # what helps here is said by `storage_advice`
    return ""


def storage_settings(project: int, bucket: str, aws: Aws) -> dict[str, Any]:
    """The row that lets `s3://` audio of a bucket be played (1.23); the filter matches no key."""
    settings = {
        "project": project,
        "title": "Recordings to play: do not sync",
        "bucket": bucket,
        "regex_filter": "^$",
        "use_blob_urls": False,
        "presign": False,
    }
    more = {"region_name": aws.region, "s3_endpoint": aws.endpoint_url}
    return settings | {name: value for name, value in more.items() if value}


def storage_advice(address: str, bucket: str, why: str) -> str:
    """What has to be done before reviewers of a project hear the recordings of a bucket."""
    server = address.partition("/projects/")[0]
    return (
        f"Reviewers can't hear s3://{bucket} yet: the project has no source storage for it"
        f"{f' ({why})' if why else ''}. Add one at {address}/settings/storage, with credentials "
        "that may read the bucket, and do not sync it. With pre-signed URLs the bucket needs a "
        f"CORS rule that allows GET from {server}; with the proxy option it needs none. For an "
        "endpoint in a private network the server must run with SSRF_PROTECTION_ENABLED=false."
    )
