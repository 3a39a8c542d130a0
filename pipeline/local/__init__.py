"""The endpoint on this machine: Amazon Transcribe over a folder that is an S3 bucket.

It may import `model`, `naming`, `extras`, the formats of `recordings`, the hosts of `net`, the
presigning of `aws`, botocore's model of the service and its signers; only `cli` and `launch` import
it. Read `job_operations` first, then `jobs` and `runner`; `messages` holds the service's own
sentences.

async with local_cloud(Path("calls")) as cloud:
    print(cloud.url)  # http://127.0.0.1:PORT
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pipeline.local.faults import Faults
from pipeline.local.keys import Keys
from pipeline.local.options import Cloud, CloudOptions
from pipeline.local.quotas import Quotas
from pipeline.local.recogniser import (
    MediaRefused,
    MediaSettings,
    Recogniser,
    Speech,
    SpokenWord,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = [
    "Cloud",
    "CloudOptions",
    "Faults",
    "Keys",
    "MediaRefused",
    "MediaSettings",
    "Quotas",
    "Recogniser",
    "Speech",
    "SpokenWord",
    "local_cloud",
]

_DEFAULTS = CloudOptions()


@asynccontextmanager
async def local_cloud(folder: Path, options: CloudOptions = _DEFAULTS) -> AsyncIterator[Cloud]:
    """A local cloud over `folder`, until the context is left; at the loopback interface by default.

    Raises:
        OSError: the folder can't be read, or the port is taken.
    """
    # The recognising processes import this package too, and have no use for a web server.
    from pipeline.local.server import open_cloud

    async with open_cloud(folder, options) as cloud:
        yield cloud
