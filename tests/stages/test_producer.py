"""The source's listing on its way into the state file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import Deferred, ServiceUnreachable
from pipeline.stages.producer import to_the_end

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.model import SourceObject


async def test_a_page_that_is_given_up_stops_the_run():
    """What a listing lacks would seem to be deleted: it is no recording that the next run takes."""

    async def pages() -> AsyncIterator[list[SourceObject]]:
        yield []
        raise Deferred("s3://calls answers with HTTP status 503", action="s3:ListBucket")

    with pytest.raises(ServiceUnreachable, match=r"503, while the source was listed\. Run the sam"):
        _ = [page async for page in to_the_end(pages())]
