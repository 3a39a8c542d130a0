"""What was said, as HTML to read along."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import Segment
from pipeline.tasks.dialogue import MOST_SEGMENTS, dialogue


class Read(HTMLParser):
    """The tags and the text that a browser would see."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 # the parser's own
        """Take note of a tag."""
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        """Take note of a text."""
        self.text += data


def test_a_line_says_who_when_and_what():
    """An hour has more than sixty minutes, as the players of audio count."""
    segments = [
        Segment("Hello.", 0.4, 1.0, "spk_0"),
        Segment("I am here.", 3661.9, 3663.0, channel="ch_1"),
        Segment("Who?", 3665.0, 3666.0),
    ]

    assert dialogue(segments).splitlines() == [
        '<p dir="auto"><b>spk_0</b> 0:00<br>Hello.</p>',
        '<p dir="auto"><b>ch_1</b> 61:01<br>I am here.</p>',
        '<p dir="auto"><b>speech</b> 61:05<br>Who?</p>',
    ]


@given(
    st.text(st.characters(codec="utf-8"), max_size=30), st.text("<>&\"'\n\r *_#`[]", max_size=30)
)
def test_what_was_said_is_never_markup(speaker, text):
    """No tag is made of what was spoken, and no empty line, behind which Markdown would begin."""
    page = dialogue([Segment(text, 0.0, 1.0, speaker or None)] * 2)

    assert Read(page).tags == ["p", "b", "br"] * 2
    assert "\n\n" not in page.replace("\r", "\n")
    assert len(page.split("\n")) == 2


def test_a_long_recording_has_none():
    """Very many segments would open slowly, and of silence there is nothing to read."""
    segment = Segment("Hello.", 0.0, 1.0)

    assert dialogue([segment] * MOST_SEGMENTS).count("<p") == MOST_SEGMENTS
    assert dialogue([segment] * (MOST_SEGMENTS + 1)) == dialogue([]) == ""
