"""The report of a run in a real browser: wide and on a phone, light and dark.

Screenshots are left in `screenshots/`.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

from pipeline.ground_truth.record import REVIEWED
from pipeline.model import Cost, TranscriptStats
from pipeline.monitoring.summary import Failures, Files
from pipeline.quality.html_report import page as quality_page
from pipeline.quality.metrics import Quality, measure_file
from pipeline.report.page import page
from pipeline.report.run_record import read_record
from pipeline.state.history import Sample
from pipeline.state.reader import read_state
from tests.browser.chromium import open_chromium, prefer, resize
from tests.conftest import ROOT
from tests.support.reviewers import simulated
from tests.support.reviews import DAY, THREE, measure, review
from tests.support.runs import BEGUN, HOUR, a_run, an_hour, end, fail, hear, run_begun, sampled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome

PICTURES = ROOT / "screenshots"
WIDE, PHONE = (1280, 900), (390, 844)
LEAST_CONTRAST = 4.5
"""WCAG 2.2, AA: of a text's luminance to that of what it stands on."""

# Every text's own colour against the nearest ground that is painted behind it.
CONTRASTS = """
const channel = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
const parts = text => text.match(/[\\d.]+/g).map(Number);
const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const ground = at => {
  for (let each = at; each; each = each.parentElement) {
    const colour = parts(getComputedStyle(each).backgroundColor);
    if (colour.length < 4 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const at = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || at.tagName === "title") continue;
  const style = getComputedStyle(at);
  const colour = at.closest("svg") ? style.fill : style.color;
  const [a, b] = [luminance(parts(colour)), luminance(ground(at))];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  found.push([contrast, walker.currentNode.data.trim()]);
}
return found;
"""

# What stands out of the page to the right, unless it is scrolled in a box of its own.
OVERFLOWING = """
return [...document.querySelectorAll("main *, header *, section *, footer")].filter(each =>
  !each.closest(".wide") && each.getBoundingClientRect().right > innerWidth + 1
).map(each => each.outerHTML.slice(0, 200));
"""


# Labels of a plot that cover each other.
COVERED = """
return [...document.querySelectorAll("svg")].flatMap(plot => {
  const seen = [...plot.querySelectorAll("text")].filter(each => each.getClientRects().length);
  const boxes = seen.map(each => each.getBoundingClientRect());
  return seen.flatMap((each, n) => boxes.slice(0, n).some(box =>
    box.left < boxes[n].right && boxes[n].left < box.right &&
    box.top < boxes[n].bottom && boxes[n].top < box.bottom) ? [each.textContent] : []);
});
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    """A browser."""
    driver = open_chromium()
    yield driver
    driver.quit()


@pytest.fixture
def shown(browser: Chrome, tmp_path: Path) -> Callable[..., None]:
    """Shows a page at a size, in a colour scheme, with its tables unfolded."""

    def show(content: str, size: tuple[int, int] = WIDE, scheme: str = "light") -> None:
        (tmp_path / "page.html").write_text(content, encoding="utf-8")
        prefer(browser, scheme)
        resize(browser, *size)
        browser.get((tmp_path / "page.html").as_uri())

    return show


def unfold(browser: Chrome) -> None:
    """Open every table."""
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")


def record_page(path: Path) -> str:
    with read_state(path) as state:
        record = read_record(state, None, BEGUN + HOUR)
    name = record.worst[0].job.name if record.worst else ""
    return page(
        record, {name: "https://labels/projects/1/data?task=8"}, "https://labels/projects/1"
    )


def overloaded(path: Path) -> str:
    """A page on which everything is as long as it can be."""
    long = "x" * 1_000
    with run_begun(path) as state:
        hear(
            state,
            {f"{long}/{n}.mp3": TranscriptStats(n / 10**6, 14_400.0, 1e6 * n) for n in range(99)},
        )
        fail(state, {f"{long}/bad/{n}": (long, long) for n in range(9)})
        sampled(state, an_hour(601, 99_999))
        end(state, failures=Failures({long: 10**9}), source=f"s3://{long}/", stopped=long,
            files=Files(long, long, long), written=10**9, failed=10**9, skipped={long: 10**9},
            cost=Cost(10.0**9, "USD", 10**9, "2026-10"), seconds=10.0**7, exit_code=2)  # fmt: skip
    return record_page(path)


def a_minute(path: Path) -> str:
    """A page of a run so short that its axes tell seconds."""
    with run_begun(path) as state:
        hear(state, {f"{n}.mp3": TranscriptStats(0.9, 2.0, 30.0 + 5 * n) for n in range(9)})
        sampled(state, [Sample(at=BEGUN + n, written=n // 6, in_flight=5) for n in range(57)])
        end(state, seconds=56.0)
    return record_page(path)


def a_team(path: Path) -> Quality:
    """What six people reviewed, with an audit; some of it twice."""
    server = "https://labels.example.com/projects/12"
    lines = [
        replace(line, project=server, task_id=n, updated_at="1")
        for n, line in enumerate(simulated(300, 7).lines)
    ]
    twice = [
        replace(line, text=f"well {line.text}", reviewer="gina@example.com", updated_at="2")
        for line in lines[:40]
        if line.source == REVIEWED
    ]
    path.write_bytes(
        b"".join(msgspec.json.encode(each) + b"\n" for each in [*lines, *twice, *THREE])
    )
    return measure_file(path)


@pytest.fixture(params=["run", "overloaded", "minute", "quality"])
def content(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """The name of a page, and the page."""
    path, name = tmp_path / "state", str(request.param)
    if name == "quality":
        return name, quality_page(a_team(tmp_path / "truth.jsonl"), DAY)
    if name in MADE:
        return name, MADE[name](path)
    a_run(path)
    return name, record_page(path)


MADE = {"overloaded": overloaded, "minute": a_minute}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_a_page_can_be_read_wherever_it_is(browser, shown, content, size, scheme):
    """Nothing stands out of the page, every text has contrast, and the console is silent."""
    name, text = content
    shown(text, size, scheme)
    take_picture(browser, f"{name}-{size[0]}-{scheme}")
    unfold(browser)

    assert browser.execute_script("return document.documentElement.scrollWidth") <= size[0]
    assert browser.execute_script(OVERFLOWING) == []
    assert browser.execute_script(COVERED) == []
    contrasts = browser.execute_script(CONTRASTS)
    assert len(contrasts) > 20
    assert [each for each in contrasts if each[0] < LEAST_CONTRAST] == []
    assert browser.get_log("browser") == []


def test_names_in_a_table_can_be_read_on_a_phone(browser, shown):
    """The first column is wider than a letter, however long the names are."""
    long = review("one", "two", reviewer="a.very.long.name@subsidiary.example.com")
    shown(quality_page(measure([long]), DAY), PHONE)

    widths = browser.execute_script(
        "return [...document.querySelectorAll('td:first-child')].map("
        "each => each.getBoundingClientRect().width)"
    )

    assert len(widths) > 5
    assert min(widths) >= 100


def test_long_names_beside_bars_begin_in_sight(browser, shown):
    """Addresses of reviewers differ at their beginnings, so these are not cut off."""
    long = ("a.very.long.name@subsidiary.example.com", "mmmmmmmmmmmmmmmmmmmmm", "anna@example.com")
    lines = [review("one", "two", reviewer=each, audio=f"s3://b/{each}.mp3") for each in long]
    shown(quality_page(measure(lines), DAY), WIDE)

    outside = browser.execute_script(
        """return [...document.querySelectorAll("svg .name")].filter(each =>
            each.getBoundingClientRect().left < each.closest("svg").getBoundingClientRect().left
        ).map(each => each.textContent)"""
    )

    assert outside == []


def take_picture(browser: Chrome, name: str) -> None:
    """Keep the whole page."""
    PICTURES.mkdir(exist_ok=True)
    size = browser.execute_script(
        "const e = document.documentElement; return [e.scrollWidth, e.scrollHeight]"
    )
    clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
    how = {"format": "png", "captureBeyondViewport": True, "clip": clip}
    taken = browser.execute_cdp_cmd("Page.captureScreenshot", how)["data"]
    (PICTURES / f"{name}.png").write_bytes(base64.b64decode(taken))


def test_what_is_smuggled_in_runs_nowhere(browser, shown, tmp_path):
    """Even markup that escaped its escaping would neither run nor be loaded nor be styled."""
    a_run(tmp_path / "state")
    smuggled = (
        "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">"
        "<p id=styled style='color: rgb(1, 2, 3)'>x</p><style>p { color: rgb(1, 2, 3) }</style>"
    )
    shown(record_page(tmp_path / "state").replace("<main>", f"<main>{smuggled}"))

    assert browser.title != "owned"
    colour = "return getComputedStyle(document.getElementById('styled')).color"
    assert browser.execute_script(colour) != "rgb(1, 2, 3)"
    refused = [each["message"] for each in browser.get_log("browser")]
    assert sum("Content Security Policy" in each for each in refused) >= 4


def test_the_plots_are_where_their_figures_say(browser, shown, tmp_path):
    """The bars of a plot stand on its ground, within its frame, in their order."""
    a_run(tmp_path / "state")
    shown(record_page(tmp_path / "state"), PHONE)

    plots = browser.execute_script(
        "return [...document.querySelectorAll('.plot')].map(p => { const f = "
        "p.getBoundingClientRect(); return [...p.querySelectorAll('rect, path')].map(r => { "
        "const b = r.getBoundingClientRect(); return [b.left - f.left, f.right - b.right, "
        "b.top - f.top, f.bottom - b.bottom]; }); })"
    )

    assert len(plots) == 4
    assert all(plots)
    assert all(gap >= -2 for plot in plots for box in plot for gap in box)
    assert all(box[3] == pytest.approx(0, abs=2) for plot in plots[2:] for box in plot)
