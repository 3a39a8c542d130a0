"""The site of the documents in a real browser: wide and on a phone, light and dark.

Screenshots are left in `screenshots/`.
"""

from __future__ import annotations

import base64
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import open_chromium, prefer, resize
from tests.conftest import ROOT
from tools.site import SITE, main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome

pytestmark = pytest.mark.skipif(not find_spec("zensical"), reason="no zensical: make test-browser")

PICTURES = ROOT / "screenshots"
SIZES = {"wide": (1280, 900), "phone": (390, 844)}
DARKEST, BRIGHTEST = 80, 200
"""Of 255: a dark page's ground is below the first, a light one's above the second."""

GROUND = "return getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).map(Number)"
FROM_ELSEWHERE = """
return performance.getEntriesByType("resource").map(each => each.name)
  .filter(name => !name.startsWith("file:") && !name.startsWith("data:"));
"""

# What stands out of the page to the right, unless it is scrolled in a box of its own.
OVERFLOWING = """
const scrolled = each => {
  for (let at = each; at && at !== document.body; at = at.parentElement)
    if (["auto", "scroll", "hidden"].includes(getComputedStyle(at).overflowX)) return true;
  return false;
};
return [...document.querySelectorAll("article *")].filter(each =>
  !scrolled(each) && each.getBoundingClientRect().right > innerWidth + 1
).map(each => each.outerHTML.slice(0, 200));
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    """A browser, with the site built anew."""
    assert main() == 0
    driver = open_chromium()
    yield driver
    driver.quit()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "page", ["index", "tutorial", "reference/settings", "reference/commands/run", "benchmarks"]
)
def test_a_page_fits_its_screen(browser, page, size, scheme):
    """Nothing stands out to the right, the ground follows the machine, all of it is local."""
    prefer(browser, scheme)
    resize(browser, *SIZES[size])
    browser.get((SITE / f"{page}.html").as_uri())
    browser.execute_script("localStorage.clear()")
    browser.refresh()
    picture(browser, f"site-{page.rpartition('/')[2]}-{size}-{scheme}")

    width = browser.execute_script("return document.scrollingElement.scrollWidth")
    ground = sum(browser.execute_script(GROUND)[:3]) / 3

    assert width <= SIZES[size][0]
    assert browser.execute_script(OVERFLOWING) == []
    assert ground > BRIGHTEST if scheme == "light" else ground < DARKEST
    assert browser.execute_script(FROM_ELSEWHERE) == []


def test_tables_and_listings_are_rendered(browser):
    """A printed table is a table, a printed help text a listing, and no marker is read."""
    browser.get((SITE / "reference" / "errors.html").as_uri())
    rows = browser.execute_script("return document.querySelectorAll('article tbody tr').length")
    text = browser.execute_script("return document.querySelector('article').innerText")
    browser.get((SITE / "benchmarks.html").as_uri())
    measured = browser.execute_script("return document.querySelectorAll('article tbody tr').length")

    assert rows > 30
    assert measured > 15
    assert "printed:" not in text
    assert "| ---" not in text


def picture(browser: Chrome, name: str) -> None:
    """Leave a screenshot."""
    PICTURES.mkdir(exist_ok=True)
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    (PICTURES / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))
