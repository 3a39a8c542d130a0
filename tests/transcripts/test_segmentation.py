"""Segments that are cut from words."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import Word
from pipeline.transcripts.segmentation import LONG_ENOUGH, LONGEST, PAUSE, mean, segments_of


@st.composite
def spoken_words(draw: st.DrawFn) -> list[Word]:
    """Words of some people on some channels, each channel going on after pauses or at once."""
    clock: dict[str | None, float] = defaultdict(float)
    words = []
    for number in range(draw(st.integers(1, 40))):
        channel = draw(st.sampled_from([None, "ch_0", "ch_1"]))
        start = clock[channel] + draw(st.sampled_from([0.0, 0.1, 0.59, 0.61, 3.0]))
        end = clock[channel] = start + draw(st.sampled_from([0.0, 0.3, 2.0, 40.0]))
        mark = draw(st.sampled_from(["", "", ",", ".", "。", "?"]))
        speaker = draw(st.sampled_from([None, "spk_0", "spk_1"]))
        confidence = draw(st.none() | st.floats(0, 1))
        words.append(Word(f"w{number}{mark}", start, end, confidence, speaker, channel))
    return words


def texts(*words: Word) -> list[str]:
    return [segment.text for segment in segments_of(words, "")]


def evenly(*contents: str, seconds: float = 1.0, pause: float = 0.0) -> list[Word]:
    """Words of one length, one after another."""
    step = seconds + pause
    return [Word(text, n * step, n * step + seconds) for n, text in enumerate(contents)]


@given(spoken_words())
def test_every_word_is_in_one_segment_in_order(words):
    """Channel by channel, the segments' texts are the words, none lost, doubled or moved."""
    found: defaultdict[str | None, list[str]] = defaultdict(list)
    for segment in segments_of(words, ""):
        found[segment.channel] += segment.text.split()

    for channel in {word.channel for word in words}:
        assert found[channel] == [word.text for word in words if word.channel == channel]


@given(spoken_words())
def test_segments_have_sound_times(words):
    """No segment is empty, ends before it starts, or starts before the one before it did."""
    segments = segments_of(words, "")

    assert all(segment.text and segment.start <= segment.end for segment in segments)
    for one, next_one in pairwise(segments):
        assert one.channel != next_one.channel or one.start <= next_one.start


@given(spoken_words())
def test_a_segment_is_of_one_speaker_and_not_endless(words):
    """Each word's speaker is its segment's, and only a single word may be over the limit."""
    speaker_of = {word.text: word.speaker for word in words}
    for segment in segments_of(words, ""):
        assert {speaker_of[text] for text in segment.text.split()} == {segment.speaker}
        assert segment.end - segment.start <= LONGEST or " " not in segment.text


@given(spoken_words())
def test_a_segments_confidence_is_its_words_mean(words):
    """Over the segments, weighted by their words, the mean is that of all words."""
    known = {word.text: word.confidence for word in words}
    for segment in segments_of(words, ""):
        assert segment.confidence == mean(known[text] for text in segment.text.split())


@given(spoken_words(), st.randoms())
def test_the_order_of_the_document_does_not_matter(words, random):
    """However the service interleaves channels, each one's segments are by time all the same."""
    apart = [w for w in words if w.end > w.start and w.channel]
    shuffled = random.sample(apart, len(apart))

    def by_channel(some: list[Word]) -> dict[str | None, list[str]]:
        found: defaultdict[str | None, list[str]] = defaultdict(list)
        for segment in segments_of(some, ""):
            found[segment.channel].append(segment.text)
        return found

    assert by_channel(shuffled) == by_channel(apart)


@pytest.mark.parametrize(("pause", "count"), [(PAUSE - 0.01, 1), (PAUSE + 0.01, 2)])
def test_a_pause_ends_a_segment(pause, count):
    """Where nobody speaks for a moment a new segment begins, as the service's own do."""
    assert len(texts(*evenly("one", "two", pause=pause))) == count


@pytest.mark.parametrize("end", [".", "?", "!", "。", "？", "؟", "।"])  # noqa: RUF001 # as the service writes them
def test_a_sentence_ends_a_segment_that_is_long_enough(end):
    """Speech without pauses is cut behind a sentence, though not after each short one."""
    words = evenly("a", "b" + end, "c", "d" + end, "e", seconds=LONG_ENOUGH / 3)

    assert texts(*words) == [f"a b{end} c d{end}", "e"]


def test_speech_without_a_sentences_end_is_cut_all_the_same():
    """However long somebody goes on, no segment lasts over half a minute."""
    words = evenly(*["on"] * 100)

    assert max(segment.end - segment.start for segment in segments_of(words, "")) == LONGEST


def test_languages_without_spaces_are_joined_without():
    """Where the service's text has no spaces between words, a segment's has none either."""
    words = evenly("電車", "が。")

    assert segments_of(words, "電車が。")[0].text == "電車が。"
    assert segments_of(words, "電車 が。")[0].text == "電車 が。"


def test_bounds_of_a_segment_are_bounds_that_cut():
    """A pause of just 0.6 s ends a segment, and a sentence's end does from just 5 s on."""
    assert texts(Word("one", 0.0, 0.0), Word("two", PAUSE, 1.0)) == ["one", "two"]
    assert texts(Word("one.", 0.0, LONG_ENOUGH), Word("two", LONG_ENOUGH, 6.0)) == ["one.", "two"]


def test_a_segment_ends_with_the_word_that_ends_last():
    """Where words overlap, that need not be the last one."""
    [segment] = segments_of([Word("long", 0.0, 3.0), Word("short", 1.0, 1.5)], "")

    assert (segment.start, segment.end) == (0.0, 3.0)


def test_the_mean_of_what_is_known():
    """One confidence is its own mean; what is unknown is not counted."""
    assert mean([0.5]) == 0.5
    assert mean([0.5, None, 0.7]) == pytest.approx(0.6)
    assert mean([None]) is None
