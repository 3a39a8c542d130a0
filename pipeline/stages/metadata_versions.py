"""What a listing shows of the metadata of recordings, so that a change of it is noticed; pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline.stages.metadata_reader import SIDECAR, sidecar_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.model import SourceObject

    Versions = Callable[[Iterable[SourceObject], Sequence[str]], list[tuple[str, bytes]]]


WRITTEN_AT = "written at "
"""How the version of an object's metadata begins."""


def versions_of(source: str) -> Versions:
    """What tells the versions of metadata of this source apart, page by page of a listing.

    It takes a page and the keys of its recordings, and returns a text for each key that has one: a
    manifest's metadata themselves, a JSON object; of others a JSON text. Of tags no listing tells.
    """
    of_source: dict[str, Versions] = {"sidecar": ListedSidecars().versions, "object": _of_objects}
    return of_source.get(source, _of_a_manifest)


def _of_a_manifest(page: Iterable[SourceObject], _: Sequence[str]) -> list[tuple[str, bytes]]:
    return [(each.key, each.metadata) for each in page if each.metadata]


def _of_objects(page: Iterable[SourceObject], keys: Sequence[str]) -> list[tuple[str, bytes]]:
    """When each was written: S3 changes an object's metadata only by writing it anew."""
    taken = set(keys)
    return [
        (each.key, _as_text(f"{WRITTEN_AT}{each.modified}"))
        for each in page
        if each.modified and each.key in taken
    ]


def _as_text(version: str) -> bytes:
    """A JSON text in ASCII, as what S3 answers may be no Unicode."""
    return json.dumps(version).encode()


class ListedSidecars:
    """The sidecars of a listing, page by page.

    A recording and its sidecar are next to each other but for keys that begin alike, so that both
    are in one page or in two that follow each other.
    """

    def __init__(self) -> None:
        self._versions: dict[str, bytes] = {}
        self._keys: Sequence[str] = ()

    def versions(
        self, page: Iterable[SourceObject], keys: Sequence[str]
    ) -> list[tuple[str, bytes]]:
        """What tells the versions of sidecars apart, by the key of the recording beside each."""
        here = {each.key: _as_text(each.etag) for each in page if each.key.endswith(SIDECAR)}
        found = _beside(self._keys, here) + _beside(keys, self._versions | here)
        self._versions, self._keys = here, keys
        return found


def _beside(keys: Iterable[str], versions: dict[str, bytes]) -> list[tuple[str, bytes]]:
    names = ((key, sidecar_of(key)) for key in keys)
    return [(key, versions[name]) for key, name in names if name in versions]
