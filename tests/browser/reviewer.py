"""A person at a browser: chromium without a window, driven by selenium.

What is clicked and read is found by Label Studio's own names for it (1.23): `data-testid` where it
has one, else the class of its stylesheet.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser.chromium import open_chromium, resize
from tests.label_studio_server.server import EMAIL, PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE = 40
"""Seconds after which what does not show on a page never will."""

WORKING, SHOWING = (1400, 1000), (1200, 750)
"""Widths and heights of the page in pixels: to work with, and in a picture."""

# What is so only until the page is complete.
_PASSING = (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
_SPEAKER = ".lsf-outliner-item__title"
_LANGUAGE = re.compile(r"[a-z]{2,3}-[A-Z]{2}")
_WHOLE = "textarea[name^=transcription]"
_TEXT_BOX = "[data-testid=textarea-region-textarea]"

# A button is in sight where its first and last pixel is its own.
_COVERED = """
return [...document.querySelectorAll(".lsf-bottombar button")].filter(each => {
  const box = each.getBoundingClientRect();
  return [box.left + 4, box.right - 4].some(x =>
    !each.contains(document.elementFromPoint(x, box.top + box.height / 2)));
}).map(each => each.getAttribute("data-testid"));
"""


class Shown(NamedTuple):
    """A segment as the list of regions shows it."""

    speaker: str
    text: str


class Reviewer:
    """A person who works in one Label Studio, with a browser of their own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.driver = open_chromium()
        self.pressed = 0
        resize(self.driver, *WORKING)

    def leave(self) -> None:
        """Close the browser."""
        self.driver.quit()

    def log_in(self) -> None:
        """Fill in the form, and arrive at the projects."""
        self.driver.get(f"{self._url}/user/login/")
        self._find("[name=email]").send_keys(EMAIL)
        self._find("[name=password]").send_keys(PASSWORD)
        self._click("[type=submit]")
        self._until(lambda: "/user/login" not in self.driver.current_url)

    def open_project(self, project: int) -> None:
        """Open the Data Manager, which lists the project's tasks."""
        self.driver.get(f"{self._url}/projects/{project}/data")
        self._until(self.tasks_listed)

    def open_task(self, project: int, task: int) -> None:
        """Open the editor with one task."""
        self.driver.get(f"{self._url}/projects/{project}/data?task={task}")
        self._sit_down()

    def label_all_tasks(self, project: int) -> None:
        """Open the editor with the first task that nobody has reviewed."""
        self.open_project(project)
        self._click("//button[normalize-space()='Label All Tasks']")
        self._sit_down()

    def filter_by(self, column: str, text: str) -> None:
        """Show in the Data Manager only tasks whose column contains a text too."""
        before = self.tasks_listed()
        self._click("//button[starts-with(normalize-space(), 'Filters')]")
        self._click("//button[normalize-space()='Add Another Filter']")
        self._click(".lsf-filterLine:last-child .lsf-field button")
        self._type("[data-testid=select-search-field]", column)
        self._click(f"[data-testid='select-option-filter:tasks:data.{column}']")
        self._type(".lsf-filterLine:last-child .lsf-value input", text)
        self._find(".lsf-filterLine:last-child .lsf-value input").send_keys(Keys.ENTER)
        self._until(lambda: self.tasks_listed() not in ([], before))

    def tasks_listed(self) -> list[int]:
        """The tasks of the Data Manager by their number, from the top."""
        rows = self.driver.find_elements(By.CSS_SELECTOR, "[data-testid=table-row]")
        return [int(row.text.split()[0]) for row in rows]

    def transcript(self) -> str:
        """The text in the box of a task of one text."""
        return str(self._find(_WHOLE).get_attribute("value"))

    def correct_transcript(self, text: str) -> None:
        """Edit the text in the box, which stands open."""
        self._type(_WHOLE, text)
        self._until(lambda: self.transcript() == text)
        self._find(_WHOLE).send_keys(Keys.TAB)

    def segments(self) -> list[Shown]:
        """The segments of the list that are in sight, in their order; there is one at least."""
        found: list[Shown] = self._until(
            lambda: [
                Shown(speaker, row.find_element(By.CSS_SELECTOR, _TEXT_BOX).get_attribute("value"))
                for row in self.driver.find_elements(By.CSS_SELECTOR, "[role=treeitem]")
                if (speaker := row.find_element(By.CSS_SELECTOR, _SPEAKER).text)
            ]
        )
        return found

    def correct_segment(self, old: str, text: str) -> None:
        """Edit the text of the segment that says `old`, where it stands."""
        boxes = self.driver.find_elements(By.CSS_SELECTOR, _TEXT_BOX)
        [place] = [n for n, box in enumerate(boxes) if box.get_attribute("value") == old]
        boxes[place].click()
        boxes[place].send_keys(Keys.CONTROL, "a")
        boxes[place].send_keys(text, Keys.ENTER)
        self._until(lambda: self._says(text))

    def scroll_down_to_segment(self, text: str) -> None:
        """Scroll the list to its end until a segment there says this: it grows on the way."""

        def scrolled() -> bool:
            place = self._find(".lsf-tree-list-holder")
            self.driver.execute_script("arguments[0].scrollTop = arguments[0].scrollHeight", place)
            return self._says(text)

        self._until(scrolled)

    def speakers(self) -> list[str]:
        """The labels that a segment may be given."""
        labels = self.driver.find_elements(By.CSS_SELECTOR, ".lsf-label__text")
        return [label.text for label in labels]

    def languages(self) -> dict[str, bool]:
        """The languages to choose from, and whether they are chosen."""
        chosen = self.choices()
        return {name: chosen[name] for name in chosen if _LANGUAGE.fullmatch(name)}

    def choices(self) -> dict[str, bool]:
        """All that there is to choose, and whether it is chosen."""
        boxes = self.driver.find_elements(By.CSS_SELECTOR, ".lsf-choices input")
        return {box.get_attribute("name"): box.is_selected() for box in boxes}

    def reads(self, words: str) -> bool:
        """Whether these words stand by themselves in the editor."""
        editor = "//*[contains(@class, 'lsf-main-content')]"
        return bool(self._find(f"{editor}//*[normalize-space(text())='{words}']").is_displayed())

    def choose(self, name: str) -> None:
        """Choose one of the choices."""
        self._click(f".lsf-choices [name='{name}']")
        self._until(lambda: self.choices()[name])

    def seconds_of_sound(self) -> float:
        """How long the recording is that the player has loaded."""
        box = "[data-testid=timebox-end-time] input"

        def seconds() -> float:
            hours, minutes, whole, thousandths = self._find(box).get_attribute("value").split(":")
            return (int(hours) * 60 + int(minutes)) * 60 + int(whole) + int(thousandths) / 1000

        return float(self._until(seconds))

    def submit(self) -> None:
        """Press Submit, and wait until the annotation is saved."""
        self._click("[data-testid=bottombar-submit-button]")
        self.is_submitted()

    def is_submitted(self) -> None:
        """Wait until the annotation is saved, and can be updated."""
        self._find("[data-testid=bottombar-update-button]")

    def holds(self, text: str) -> None:
        """Wait until the field that has the focus holds this text."""
        self._until(lambda: self.driver.switch_to.active_element.get_attribute("value") == text)

    def marked(self) -> list[str]:
        """The words that are marked, of those that are shown."""
        marks = self.driver.find_elements(By.CSS_SELECTOR, "mark")
        return [each.text for each in marks if each.is_displayed()]

    def press(self, *keys: str) -> None:
        """Press keys together, wherever the page has its focus."""
        *held, last = keys
        chord = ActionChains(self.driver)
        for key in held:
            chord.key_down(key)
        chord.send_keys(last)
        for key in held:
            chord.key_up(key)
        chord.perform()
        self.pressed += 1

    def wear(self, scheme: str) -> None:
        """Have the pages `light` or `dark`; the button turns through auto, light and dark."""
        while (before := self._scheme_kept()) != scheme.capitalize():
            self._click("[class*=themeToggle]")
            self._until(partial(self._is_turned, before))
        self._find(f"html[data-color-scheme={scheme}]")

    def _scheme_kept(self) -> Any:
        return self.driver.execute_script("return localStorage.getItem('preferred-color-scheme')")

    def _is_turned(self, before: Any) -> bool:
        return bool(self._scheme_kept() != before)

    def take_picture(self, path: Path, size: tuple[int, int] = SHOWING) -> list[str]:
        """Keep the page as it looks when it has come to rest; what of the bar below is covered."""
        resize(self.driver, *size)
        seen: list[bytes] = []

        def rests() -> bool:
            seen.append(self.driver.get_screenshot_as_png())
            return seen[-2:-1] == seen[-1:]

        self._until(rests, every=1)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(seen[-1])
        covered = list(self.driver.execute_script(_COVERED))
        resize(self.driver, *WORKING)
        return covered

    def has_no_regions_when_narrow(self) -> bool:
        """Whether no panel of regions stands below the editor where there is no room beside it."""
        resize(self.driver, *SHOWING)
        self._find(".lsf-sidepanels_collapsed")
        panels = self.driver.find_elements(By.CSS_SELECTOR, ".lsf-outliner")
        shown = [each for each in panels if each.is_displayed()]
        resize(self.driver, *WORKING)
        return not shown

    def _sit_down(self) -> None:
        """Wait for the editor, and fold the details that stand above the list of segments."""
        self._find("[data-testid=bottombar-submit-button]")
        for toggle in self.driver.find_elements(By.CSS_SELECTOR, "[data-tooltip=Collapse]")[:-1]:
            if toggle.is_displayed():
                toggle.click()

    def _says(self, text: str) -> bool:
        return text in {each.text for each in self.segments()}

    def _find(self, what: str) -> Any:
        """The first element of a CSS selector or an XPath, as soon as it is there."""
        way = By.XPATH if what.startswith("//") else By.CSS_SELECTOR
        return self._until(lambda: self.driver.find_element(way, what))

    def _click(self, what: str) -> None:
        """Click an element as soon as nothing covers it."""

        def clicked() -> bool:
            self._find(what).click()
            return True

        self._until(clicked)

    def _type(self, what: str, text: str) -> None:
        """Put a text in the place of what a box holds."""
        self._find(what).send_keys(Keys.CONTROL, "a")
        self._find(what).send_keys(text)

    def _until(self, look: Callable[[], Any], every: float = 0.1) -> Any:
        """What a look finds, as soon as it finds anything."""
        waiting = WebDriverWait(self.driver, PATIENCE, every, ignored_exceptions=_PASSING)
        return waiting.until(lambda _: look(), f"nothing found at {self.driver.current_url}")
