"""Tests of state/listing.py."""

from __future__ import annotations

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from tests.support.state_files import begun, listed, written

KEYS = st.sampled_from([f"{n}.mp3" for n in range(5)])


@given(before=st.lists(KEYS, unique=True), pages=st.lists(st.lists(KEYS, max_size=4), max_size=4))
def test_a_listing_is_counted_alike_however_its_pages_fall(tmp_path_factory, before, pages):
    """Each name is of a new recording, of one that was written before, or of one named already."""
    path = tmp_path_factory.mktemp("listing") / "state"
    with begun(path) as state:
        written(state, *before)

    with begun(path) as state:
        noted = []
        for page in pages:
            listed(state, *page)
            noted.append(state.note_listed(page))

    names = list(chain(*pages))
    assert sum(each.unchanged for each in noted) == len(set(names) & set(before))
    assert sum(each.duplicates for each in noted) == len(names) - len(set(names))
