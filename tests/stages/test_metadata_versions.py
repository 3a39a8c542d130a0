"""What a listing shows of metadata."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import SourceObject
from pipeline.stages.metadata_versions import ListedSidecars, versions_of


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12))
def test_a_sidecar_is_found_wherever_a_page_ends(sizes):
    """Also where the recording is in the page before or after."""
    objects = [
        SourceObject(f"{n:02}.{kind}", f"{n}-{kind}", 1)
        for n in range(20)
        for kind in ("flac", "json", "mp3")
    ]
    sidecars, found, first = ListedSidecars(), [], 0
    for size in [*sizes, len(objects)]:
        page = objects[first : first + size]
        keys = [each.key for each in page if not each.key.endswith(".json")]
        found += sidecars.versions(page, keys)
        first += size

    assert sorted(found) == [
        (f"{n:02}.{kind}", f'"{n}-json"'.encode()) for n in range(20) for kind in ("flac", "mp3")
    ]


@pytest.mark.parametrize("source", ["sidecar", "object"])
def test_a_version_is_text_whatever_bytes_s3_answers(source):
    """Bytes that are no Unicode come through a listing as surrogates, which JSON can not hold."""
    page = [
        SourceObject("a.json", "9\udcff", 1, modified="now"),
        SourceObject("a.mp3", "9f86", 1, modified="2026\udcff"),
    ]

    [(key, version)] = versions_of(source)(page, ["a.mp3"])

    assert (key, version.isascii()) == ("a.mp3", True)
    assert b"\\udcff" in version
