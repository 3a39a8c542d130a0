"""What was said, as HTML to read along."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import Segment, Word
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
    assert Read(page).text.replace("\n", "") == 2 * "".join(
        [speaker or "speech", " 0:00", text]
    ).replace("\r", " ").replace("\n", " ")


def said(text: str, *confidences: float | None) -> Segment:
    """A segment whose words have these confidences."""
    words = [
        Word(each, 0.0, 1.0, confidence)
        for each, confidence in zip(text.split(), confidences, strict=True)
    ]
    return Segment(text, 0.0, 1.0, words=tuple(words))


def test_a_word_that_needs_ears_is_marked_where_it_stands():
    """The second of two equal words is, when it is the one; of an unknown confidence none is."""
    segment = said("Is it is <it> [PII]", 0.9, 0.9, 0.5, 0.2, None)

    [line] = dialogue([segment], 0.5).splitlines()

    assert line.endswith("<br>Is it is <mark>&lt;it&gt;</mark> [PII]</p>")
    assert "<mark>" not in dialogue([segment], 0.2)


def test_words_that_are_joined_without_spaces_are_marked_too():
    """Of a language that sets no spaces, the words are found in the text all the same."""
    words = (Word("こん", 0, 1, 0.9), Word("に", 1, 2, 0.1), Word("ちは。", 2, 3, 0.2))

    page = dialogue([Segment("こんにちは。", 0.0, 3.0, words=words)], 0.5)

    assert "<br>こん<mark>に</mark><mark>ちは。</mark></p>" in page


def marked(text: str, *words: tuple[str, float]) -> str:
    """The HTML of a text with these words and confidences, in the order of their times."""
    held = tuple(Word(word, n, n + 1.0, sure) for n, (word, sure) in enumerate(words))
    page = dialogue([Segment(text, 0.0, 9.0, words=held)], 0.5)
    return page.partition("<br>")[2].removesuffix("</p>")


def test_no_mark_jumps_to_another_place_with_the_same_letters():
    """Where text and words are in another order, only a word that stands once is marked."""
    assert marked("no anna an a", ("no", 0.9), ("an", 0.1), ("anna", 0.9), ("a", 0.1)) == (
        "no anna <mark>an</mark> <mark>a</mark>"
    )
    assert marked("the cat the", ("cat", 0.1), ("the", 0.9), ("the", 0.1)) == (
        "the <mark>cat</mark> the"
    )
    assert marked("an anna", ("anna", 0.1)) == "an <mark>anna</mark>"
    assert marked("no one", ("no", 0.1)) == "<mark>no</mark> one"


def test_no_mark_is_empty():
    """A word without a letter marks nothing, and takes no other word's mark away."""
    assert marked("a b", ("", 0.1), ("a", 0.9), (" ", 0.1), ("b", 0.1)) == "a <mark>b</mark>"
    assert marked("b a", ("", 0.1), ("a", 0.1), ("b", 0.9)) == "b <mark>a</mark>"


@given(st.lists(st.tuples(st.text("ab<&;#x", min_size=1, max_size=3), st.floats(0, 1)), min_size=1))
def test_marks_change_no_character(words):
    """What is read is the segment's text, and what is marked are the words below the threshold."""
    text = " ".join(word for word, _ in words)
    held = tuple(Word(word, 0.0, 1.0, confidence) for word, confidence in words)

    page = Read(dialogue([Segment(text, 0.0, 1.0, words=held)], 0.5))

    assert page.text == f"speech 0:00{text}"
    assert page.tags.count("mark") == sum(confidence < 0.5 for _, confidence in words)


def test_where_not_all_is_shown_it_is_what_needs_ears():
    """Of a long recording, or beside its whole text, the segments with a marked word alone."""
    sure, unsure = said("Hello there.", 0.9, 0.9), said("Who are?", 0.9, 0.4)

    assert dialogue([sure, unsure], 0.5, in_full=False) == dialogue([unsure], 0.5)
    assert dialogue([unsure, *[sure] * MOST_SEGMENTS], 0.5) == dialogue([unsure], 0.5)
    assert dialogue([sure], 0.5, in_full=False) == ""
    assert dialogue([unsure] * 2 * MOST_SEGMENTS, 0.5).count("<p") == 2 * MOST_SEGMENTS
    assert dialogue([unsure] * 600, 0.5, in_full=False).count("<p") == MOST_SEGMENTS


def test_a_long_recording_has_none():
    """Very many segments would open slowly, and of silence there is nothing to read."""
    segment = Segment("Hello.", 0.0, 1.0)

    assert dialogue([segment] * MOST_SEGMENTS).count("<p") == MOST_SEGMENTS
    assert dialogue([segment] * (MOST_SEGMENTS + 1)) == dialogue([]) == ""
