"""The shards' state files as they are on S3, for commands on any machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import OutputUnusable
from pipeline.s3_output.checkpoint import fetch, save

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.aws.s3 import S3
    from pipeline.s3_output.layout import Layout


class StateCopy(NamedTuple):
    """A state file on this machine that is a copy of a shard's, which had this ETag."""

    path: Path
    layout: Layout
    etag: str


async def fetch_state(s3: S3, layout: Layout, folder: Path) -> StateCopy:
    """Bring the state of one shard into a folder.

    Raises:
        OutputUnusable: there is none.
    """
    there = await s3.look_up(layout.state)
    if there is None:
        raise OutputUnusable(
            f"There is no copy of a state file at {layout.state}",
            "Name the --output of a run that has ended, with the --shards and --shard it had. "
            "Where someone took the copy away, the next run of that shard makes another.",
        )
    path = folder / f"{layout.shard.name}.state"
    await fetch(s3, layout.state, path, there.etag)
    return StateCopy(path, layout, there.etag)


async def put_back(s3: S3, copy: StateCopy) -> None:
    """Have S3 hold the state as it is on this machine now.

    Raises:
        OutputUnusable: a run has saved another one meanwhile; nothing was changed.
    """
    place = copy.layout.state
    if await save(s3, place, copy.path, copy.etag) is None:
        raise OutputUnusable(
            f"A run has saved its state at {place} meanwhile, so nothing was changed there",
            "Wait until it has ended, and run the command again.",
        )
