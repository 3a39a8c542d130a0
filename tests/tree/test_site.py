"""The pages of the documents hang together, on the site too."""

from __future__ import annotations

import re
import tomllib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import ROOT
from tools.docs import DOCS, pages
from tools.site import site_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SITE = ROOT / "zensical.toml"
FENCED = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
ADDRESS = "https://code.example.com/p/blob/v1"


def test_the_navigation_has_every_page_once():
    """A page that no menu leads to is a page that nobody finds."""
    nav = tomllib.loads(SITE.read_text(encoding="utf-8"))["project"]["nav"]

    assert sorted(named_in(nav)) == sorted(str(page.relative_to(DOCS)) for page in pages()[1:])


def named_in(part: Any) -> Iterator[str]:
    """The pages of a part of the navigation."""
    if isinstance(part, str):
        yield part
    else:
        for each in part.values() if isinstance(part, dict) else part:
            yield from named_in(each)


def test_every_anchor_that_a_link_names_is_a_heading():
    """A link into a page leads to one of its headings, on GitHub and on the site."""
    lost = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages()
        for link, target, anchor in links(page)
        if target.suffix == ".md" and anchor and anchor not in anchors(target)
    ]

    assert lost == []


def links(page: Path) -> Iterator[tuple[str, Path, str]]:
    """The links of a page to files of the repository: as written, the file, and the anchor."""
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", FENCED.sub("", text)):
        path, _, anchor = link.partition("#")
        yield link, (page.parent / path).resolve() if path else page, anchor


def anchors(page: Path) -> list[str]:
    """What GitHub calls the headings of a page."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads]


def test_every_former_section_of_the_readme_has_its_page():
    """Who looks for a section of the README as it was finds where it went: all 39 of them."""
    page = DOCS / "contributing.md"
    text = page.read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| ([^|]+) \| (\[.*\)) \|$", text[text.index("## Where the README") :], re.MULTILINE
    )
    led = {link for link, target, _ in links(page) if target.is_file()}

    assert len(rows) == len({name for name, _ in rows}) == 39
    for _, where in rows:
        assert set(re.findall(r"\]\(([^)]+)\)", where)) <= led


@pytest.mark.parametrize(
    ("link", "repository", "shown"),
    [
        ("[run](commands/run.md)", ADDRESS, "[run](commands/run.md)"),
        ("[up](../glossary.md#words)", ADDRESS, "[up](../glossary.md#words)"),
        ("[a](../../deploy/a.yml)", ADDRESS, f"[a]({ADDRESS}/deploy/a.yml)"),
        ("[a](../../deploy/a.yml)", "", "a"),
    ],
)
def test_links_out_of_the_documents_lead_to_the_repository(link, repository, shown):
    """On the site a file of the repository has its address, or no link where none is known."""
    assert site_page(link, PurePosixPath("reference/settings.md"), repository) == shown
