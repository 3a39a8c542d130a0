"""Lists that come page by page."""

from __future__ import annotations

import pytest

from pipeline.errors import ServiceUnreachable
from pipeline.net.paging import Pages


def test_pages_that_lead_on_are_followed():
    """Every token is handed back as it is, and two lists may have the same ones."""
    for _ in range(2):
        pages = Pages("The list")
        assert [pages.following(each) for each in "abc"] == ["a", "b", "c"]


@pytest.mark.parametrize("tokens", ["aa", "abab", "abcb"])
def test_a_page_that_comes_again_ends_the_list_with_an_error(tokens):
    """A list that goes round in circles is no whole list, however long the circle is."""
    pages = Pages("The list of jobs")

    with pytest.raises(ServiceUnreachable, match=r"^The list of jobs has no end"):
        list(map(pages.following, tokens))
