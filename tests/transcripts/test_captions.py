"""Captions that people can read, from transcripts of any shape."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import Segment, Transcript, Word
from pipeline.transcripts.captions import Layout, captions_of
from pipeline.transcripts.segmentation import SENTENCE_ENDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.transcripts.subtitles import Caption

LAYOUT = Layout()


def segment(words: Sequence[Word], speaker: str | None = None, space: str = " ") -> Segment:
    """What one says in one breath."""
    text = space.join(word.text for word in words)
    end = max(word.end for word in words)
    return Segment(text, words[0].start, end, speaker, words=tuple(words))


def said(text: str, start: float = 0.0, pace: float = 0.3) -> list[Word]:
    """Words that follow each other."""
    return [
        Word(word, round(start + n * pace, 3), round(start + n * pace + pace, 3))
        for n, word in enumerate(text.split())
    ]


def captions(*segments: Segment, layout: Layout = LAYOUT, named: bool = False) -> list[Caption]:
    """The captions of a transcript of these segments."""
    return captions_of(Transcript("job", "", segments), layout, named=named)


words = st.builds(
    lambda text, start, lasts: Word(text, start, start + lasts),
    st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=50),
    st.floats(0, 60).map(lambda x: round(x, 3)),
    st.floats(0, 3).map(lambda x: round(x, 3)),
)
segments = st.lists(
    st.builds(
        lambda spoken, who, space: segment(sorted(spoken, key=lambda word: word.start), who, space),
        st.lists(words, min_size=1, max_size=30),
        st.sampled_from([None, "spk_0", "spk_1"]),
        st.sampled_from([" ", ""]),
    ),
    max_size=4,
)
layouts = st.builds(
    Layout, st.integers(10, 60), st.integers(1, 3), st.floats(5, 40).map(lambda x: round(x, 1))
)


@given(segments, layouts, st.booleans())
def test_lines_are_short_and_few(found, layout, named):
    """No caption has more lines than allowed, and no line is longer unless it is a single word."""
    for caption in captions(*found, layout=layout, named=named):
        lines = caption.text.split("\n")
        assert 1 <= len(lines) <= layout.lines
        assert all(len(line) <= layout.line_length or line in single(found) for line in lines)


def single(found: Sequence[Segment]) -> set[str]:
    """Every word."""
    return {word.text for each in found for word in each.words}


@given(segments, layouts)
def test_one_caption_is_shown_at_a_time(found, layout):
    """Times never run backwards, no two captions overlap, and each is shown."""
    shown = captions(*found, layout=layout)

    assert all(each.start < each.end for each in shown)
    assert all(one.end <= other.start for one, other in pairwise(shown))


@given(segments, layouts)
def test_every_word_is_in_a_caption_once(found, layout):
    """Nothing that was said is lost, and nothing is said twice."""
    spoken = sorted("".join(word.text for each in found for word in each.words))

    shown = "".join("".join(each.text.split()) for each in captions(*found, layout=layout))

    assert sorted(shown) == spoken


def test_a_caption_begins_with_its_first_word():
    """What is cut in two is shown when it is heard."""
    text = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen more"
    first, second = captions(segment(said(text, 3.0)))

    assert (
        first.text
        == "one two three four five six seven eight\nnine ten eleven twelve thirteen fourteen"
    )
    assert (first.start, first.end) == (3.0, 7.2)
    assert (second.start, second.text) == (7.2, "more")


@pytest.mark.parametrize("end", SENTENCE_ENDS)
def test_a_sentence_that_fills_a_line_ends_its_caption(end):
    """The next sentence is another caption, not the end of this one, whatever the mark."""
    text = f"I would like to know where my parcel is now{end} It should have come."

    assert [each.text for each in captions(segment(said(text)))] == [
        f"I would like to know where my parcel is\nnow{end}",
        "It should have come.",
    ]


def test_a_short_caption_stays_as_long_as_it_is_read():
    """Where nobody speaks after it a caption stays: 20 characters a second, 0.8 s at least."""
    fast = said("understandably extraordinary consequences", pace=0.1)
    shown = captions(segment(fast), segment(said("Yes.", 60.0, 0.1)))

    assert [round(each.end - each.start, 3) for each in shown] == [2.05, 0.8]


def test_a_caption_ends_where_the_next_begins():
    """Who reads slowly does not get two at once."""
    shown = captions(segment(said("Yes.", 1.0, 0.2)), segment(said("No.", 1.3, 0.2)))

    assert [(each.start, each.end) for each in shown] == [(1.0, 1.3), (1.3, 2.1)]


def test_who_speaks_is_named_at_each_turn():
    """Speakers are named where they change, and nobody where one speaks alone."""
    one, two = segment(said("Hello."), "spk_0"), segment(said("Who is it?", 2.0), "spk_1")
    still = segment(said("Tell me.", 4.0), "spk_1")

    turns = [each.text for each in captions(one, two, still, named=True)]

    assert turns == ["spk_0: Hello.", "spk_1: Who is it?", "Tell me."]
    assert [each.speaker for each in captions(one, two)] == ["spk_0", "spk_1"]
    assert [each.text for each in captions(one, named=True)] == ["Hello."]


def test_a_language_without_spaces_gets_none():
    """Words of Chinese or Japanese follow each other as the service writes them."""
    spoken = [Word(text, n / 2, n / 2 + 0.5) for n, text in enumerate(("你好", "世界", "。"))]

    assert [each.text for each in captions(segment(spoken, space=""))] == ["你好世界。"]


def test_a_text_without_times_is_read_at_reading_speed():
    """Old transcripts may have a text and no word with its times: captions follow each other."""
    shown = captions(Segment("a b " * 60, 0.0, 0.0))

    assert (
        "".join(each.text for each in shown).split() == "".join(each.text for each in shown).split()
    )
    assert len(shown) > 1
    assert shown[-1].end > 10
