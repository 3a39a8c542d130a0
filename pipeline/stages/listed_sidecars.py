"""Which of the files that a listing shows lie beside recordings and say more of them; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from pipeline.stages.metadata_reader import SIDECAR, sidecar_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.model import SourceObject


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
        """What tells the versions of sidecars apart, by the key of the recording beside each.

        `keys` are those of the page's recordings. A version is a JSON text, where a manifest's
        metadata is a JSON object.
        """
        here = {each.key: orjson.dumps(each.etag) for each in page if each.key.endswith(SIDECAR)}
        found = _beside(self._keys, here) + _beside(keys, self._versions | here)
        self._versions, self._keys = here, keys
        return found


def _beside(keys: Iterable[str], versions: dict[str, bytes]) -> list[tuple[str, bytes]]:
    names = ((key, sidecar_of(key)) for key in keys)
    return [(key, versions[name]) for key, name in names if name in versions]
