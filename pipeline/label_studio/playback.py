"""Whether reviewers hear the recordings: looked at by every push, and in projects of ours repaired.

Label Studio (1.23) plays `s3://` audio through a source storage for the same bucket. It need never
be synced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.errors import CannotRun, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pipeline.config.schema import Aws
    from pipeline.label_studio.client import Client
    from pipeline.label_studio.schema import Project, Storage

TITLE = "Recordings to play: do not sync"


async def playback_advice(
    client: Client, project: Project, buckets: Iterable[str], aws: Callable[[], Aws] | None
) -> list[str]:
    """What has to be done before reviewers hear each bucket, in sentences.

    Args:
        client: the server.
        project: the project.
        buckets: those of all its recordings.
        aws: where the buckets are; None where the project's settings are not ours to change.
    """
    if not buckets:
        return []
    address = f"{client.url}/projects/{project.id}"
    known = await client.retried(client.storages, project.id)
    advice = []
    for bucket in buckets:
        rows = [each for each in known if each.bucket == bucket]
        if rows:
            if all(each.title == TITLE for each in rows):  # whose settings we know
                why = await _unreadable(client, project, rows[0])
                advice += [unreadable_advice(client.url, bucket, why)] * bool(why)
            continue
        why = await _add(client, project, bucket, aws()) if aws else ""
        if why or not aws:
            advice.append(storage_advice(address, bucket, why))
    return advice


async def _add(client: Client, project: Project, bucket: str, aws: Aws) -> str:
    """Give the project a source storage for a bucket, to play from; why that failed, or "".

    It is never to be synced: a sync would make tasks of the objects. The server reads the bucket
    with credentials of its own, and passes the audio on itself: no CORS rule is needed so.
    """
    try:
        await client.create_storage(storage_settings(project.id, bucket, aws))
    except (Unavailable, CannotRun) as error:
        return error.problem  # what helps here is said by `storage_advice`
    return ""


async def _unreadable(client: Client, project: Project, row: Storage) -> str:
    """Why the server can't read the bucket of a row that push has made; "" where it can."""
    settings = storage_settings(project.id, row.bucket or "", None)
    more = {"region_name": row.region_name, "s3_endpoint": row.s3_endpoint}
    body = msgspec.json.encode(settings | {name: each for name, each in more.items() if each})
    try:
        await client.ask("POST", "storages/s3/validate", None, body)
    except (Unavailable, CannotRun) as error:
        return error.problem
    return ""


def storage_settings(project: int, bucket: str, aws: Aws | None) -> dict[str, Any]:
    """The row that lets `s3://` audio of a bucket be played (1.23); the filter matches no key."""
    settings = {
        "project": project,
        "title": TITLE,
        "bucket": bucket,
        "regex_filter": "^$",
        "use_blob_urls": False,
        "presign": False,
    }
    more = {"region_name": aws.region, "s3_endpoint": aws.endpoint_url} if aws else {}
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


def unreadable_advice(server: str, bucket: str, why: str) -> str:
    """What has to be done where a storage of ours is there and the server can't read its bucket."""
    return (
        f"Reviewers can't hear s3://{bucket}: Label Studio can't read it ({why}). Give the server "
        f"at {server} credentials that may read the bucket; `transcribe-pipeline iam policy "
        "--document label-studio` prints the policy."
    )
