"""The screens on which tasks are reviewed: by keys alone, and on every monitor.

Screenshots of all of them are left in `screenshots/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.common.keys import Keys

from pipeline.model import TaskKind
from pipeline.tasks.recording_parts import key_in
from tests.browser.content import ARABIC, ENGLISH, conversation
from tests.browser.project import add_heard, bucket_at
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pipeline.model import Transcript

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("ministack")]
PICTURES = ROOT / "screenshots"
LONG, ARAB = "2026-11-02/conversation of eight minutes.wav", "2026-11-02/محادثة.wav"
LONGER = "2026-11-02/conversation of eleven minutes.wav"
TIMES, TIMES_LONGER, WRONG = 32, 45, "count"
MONITORS = {1280: (1280, 800), 1440: (1440, 900), 1920: (1920, 1080)}
SCREENS: dict[str, tuple[TaskKind, tuple[str, ...]]] = {
    "transcript": (TaskKind.TRANSCRIPT, ()),
    "list": (TaskKind.SEGMENTS, ("--layout", "list")),
    "focus": (TaskKind.SEGMENTS, ("--layout", "focus")),
}
PARTS = 2
"""Of the longer conversation, which has 225 segments."""

KEYS_OF_A_SEGMENT = 4
"""To the next one, to the end of its text, a word, and out of the box."""


@pytest.fixture(scope="module")
def heard(ministack: str, server: object) -> dict[str, Transcript]:
    """Conversations of 160 segments and of five in another script, with their sound in a bucket."""
    bucket, transcripts = bucket_at(ministack), {}
    for key, times, texts in ((LONG, TIMES, ENGLISH), (ARAB, 1, ARABIC)):
        sound, transcripts[key] = conversation(times, texts)
        bucket.put_object(Key=key, Body=sound)
    return transcripts


def test_every_segment_is_corrected_by_keys_alone(run, pushed, heard, reviewer):
    """From the first of 160 segments to Submit nothing is clicked, with four keys for each."""
    add_heard(run.folder, {LONG: heard[LONG]}, TaskKind.SEGMENTS)
    project = pushed(run, "By keys", "--layout", "focus")
    task, texts = project.tasks[LONG]["id"], [each.text for each in heard[LONG].segments]
    reviewer.open_task(project.number, task)

    before = reviewer.pressed
    for text in texts:
        reviewer.press(Keys.ALT, ".")
        reviewer.holds(text)
        reviewer.press(Keys.END)
        reviewer.press(" indeed")
        reviewer.press(Keys.TAB)
    reviewer.press("3")
    reviewer.press("o")
    assert reviewer.pressed - before == KEYS_OF_A_SEGMENT * len(texts) + 2
    reviewer.press(Keys.CONTROL, Keys.ENTER)
    reviewer.is_submitted()

    outcome = run("pull", "--project", str(project.number))
    assert outcome.code == 0, outcome.err
    [line] = run.tasks("ground_truth.jsonl")
    segments = line["segments"]
    assert [each["text"] for each in segments] == [f"{text} indeed" for text in texts]
    assert [each["speaker"] for each in segments[-2:]] == ["spk_0", "spk_2"]
    assert segments[-1]["controls"] == {"issue": ["crosstalk"]}


def test_parts_of_a_long_recording_come_back_as_one_line(run, pushed, ministack, server, reviewer):
    """One line has what was corrected in each; the editor gives back the ids of all regions."""
    sound, transcript = conversation(TIMES_LONGER)
    bucket_at(ministack).put_object(Key=LONGER, Body=sound)
    add_heard(run.folder, {LONGER: transcript}, TaskKind.SEGMENTS)
    project = pushed(run, "Parts", "--layout", "focus")
    tasks = sorted(server.tasks(project.number), key=lambda each: each["meta"]["part"]["number"])
    texts = [each.text for each in transcript.segments]
    corrected: list[str] = []
    for task in tasks:
        begin = len(corrected)
        regions = [e for e in task["predictions"][0]["result"] if e["type"] == "textarea"]
        corrected += [f"{texts[begin]} indeed", *texts[begin + 1 : begin + len(regions)]]

        reviewer.open_task(project.number, task["id"])
        assert reviewer.reads(task["data"]["recording"])
        assert reviewer.seconds_of_sound() > transcript.duration
        reviewer.press(Keys.ALT, ".")
        reviewer.holds(texts[begin])
        reviewer.press(Keys.END)
        reviewer.press(" indeed")
        reviewer.press(Keys.TAB)
        reviewer.submit()

    outcome = run("pull", "--project", str(project.number))
    assert outcome.code == 0, outcome.err
    [line] = run.tasks("ground_truth.jsonl")
    assert len(tasks) == PARTS
    for task in server.tasks(project.number):
        [prediction], [annotation] = task["predictions"], task["annotations"]
        assert ids(annotation) == ids(prediction)
        assert key_in(annotation["result"]) == key_in(prediction["result"]) != ""
    assert [each["text"] for each in line["segments"]] == corrected


def ids(results: dict[str, Any]) -> list[tuple[str, str]]:
    """The ids of all results, with the control that each is of."""
    return sorted((each["id"], each["from_name"]) for each in results["result"])


@pytest.mark.parametrize("screen", SCREENS)
def test_every_screen_fits_every_monitor(run, pushed, heard, reviewer, screen):
    """Name, sound, the words that need ears and Submit are in sight, light and dark."""
    kind, told = SCREENS[screen]
    add_heard(run.folder, heard, kind)
    project = pushed(run, f"Screens, {screen}", *told)
    reviewer.open_task(project.number, project.tasks[LONG]["id"])
    assert reviewer.reads(LONG)
    assert reviewer.seconds_of_sound() > heard[LONG].duration
    assert reviewer.marked() == [WRONG] * TIMES
    if screen == "focus":
        reviewer.press(Keys.ALT, ".")

    for scheme in ("dark", "light"):
        reviewer.wear(scheme)
        for width, size in MONITORS.items():
            name = f"{screen}-{width}-{scheme}.png"
            assert reviewer.take_picture(PICTURES / name, size) == [], name

    if screen == "transcript":
        assert reviewer.has_no_regions_when_narrow()

    reviewer.open_task(project.number, project.tasks[ARAB]["id"])
    assert reviewer.seconds_of_sound() > heard[ARAB].duration
    assert reviewer.take_picture(PICTURES / f"{screen}-arabic.png", MONITORS[1280]) == []
