"""The Data Manager's filters on their way through an address."""

from __future__ import annotations

import json
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from pipeline.label_studio.filters import recordings_filter


@given(st.lists(st.text() | st.sampled_from(["file:///a%20b.wav", "s3://calls/100%41"])))
def test_what_is_asked_for_is_what_the_server_looks_for(uris):
    """The server decodes the query once more than the address says (1.23)."""
    read = json.loads(unquote(recordings_filter("audio", uris)))

    assert [each["value"] for each in read["filters"]["items"]] == [uris]
