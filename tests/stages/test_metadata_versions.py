"""What a listing shows of metadata."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import SourceObject
from pipeline.stages.metadata_versions import ListedSidecars


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
