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
    found = await s3.read_part(place, (0, _LARGEST - 1))
    return None if found is None else _decoded(place, found[0], kind)


async def read_aged_json(s3: S3, place: S3Uri, kind: type[T]) -> tuple[T, float] | None:
    """What a file says, and how many seconds ago it was written; None where there is none.

    Raises:
        OutputUnusable: it does not say what a run writes there.
    """
    found = await s3.read_aged(place, _LARGEST)
    return None if found is None else (_decoded(place, found[0], kind), found[1])


def _decoded(place: S3Uri, content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except Exception as error:  # whatever foreign text does to its reader
        raise OutputUnusable(
            f"{place} is not what a run writes there: {error}",
            "Take it away if it is nobody's, or use the version that wrote it.",
        ) from error
