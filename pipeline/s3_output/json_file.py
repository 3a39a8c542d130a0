"""The small JSON files beside the parts; anybody may have written them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from pipeline.errors import OutputUnusable

if TYPE_CHECKING:
    from pipeline.aws.s3 import S3
    from pipeline.naming import S3Uri

T = TypeVar("T")

_LARGEST = 2**20


async def read_json(s3: S3, place: S3Uri, kind: type[T]) -> T | None:
    """What a file says; None where there is none.

    Raises:
        OutputUnusable: it does not say what a run writes there.
    """
    found = await read_aged_json(s3, place, kind)
    return found and found[0]


async def read_aged_json(s3: S3, place: S3Uri, kind: type[T]) -> tuple[T, float] | None:
    """What a file says, and how many seconds ago it was written; None where there is none.

    Raises:
        OutputUnusable: it does not say what a run writes there.
    """
    found = await s3.read_part(place, (0, _LARGEST - 1))
    if found is None:
        return None
    try:
        return msgspec.json.decode(found.content, type=kind), found.age
    except Exception as error:  # whatever foreign text does to its reader
        raise OutputUnusable(
            f"{place} is not what a run writes there: {error}",
            "Take it away if it is nobody's, or use the version that wrote it.",
        ) from error
