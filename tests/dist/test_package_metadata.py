"""What a package index is told of the project, made from what the repository holds."""

from __future__ import annotations


def test_links_to_files_lead_to_the_release_on_an_index():
    """A page of the index stands beside no file: links get the repository and the tag."""
    from tools.package_metadata import index_readme

    text = "[a](docs/a.md#b) ![p](docs/p.png) [w](https://example.com) [s](#section)"

    assert index_readme(text, "https://example.com/r", "v1.2.3") == (
        "[a](https://example.com/r/blob/v1.2.3/docs/a.md#b) "
        "![p](https://example.com/r/raw/v1.2.3/docs/p.png) [w](https://example.com) [s](#section)"
    )


def test_links_to_files_are_words_where_the_repository_is_not_known():
    """Better no link than a dead one, and no picture than a broken one."""
    from tools.package_metadata import addresses, index_readme

    assert index_readme("See [a](docs/a.md).![p](p.png)", "", "v1") == "See a."
    assert addresses("", "v1") == {}
    assert addresses("https://example.com/r", "v1")["Issues"] == "https://example.com/r/issues"
