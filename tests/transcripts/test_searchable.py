"""What is searched of a transcript, and what is shown of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import Segment, Transcript, Word
from pipeline.transcripts.searchable import has_words, hits_of, searchable, spaced


def segment(text: str, start: float = 0.0, speaker: str | None = None) -> Segment:
    """A segment with a word every half second."""
    words = tuple(Word(each, start + n / 2, start + n / 2) for n, each in enumerate(text.split()))
    return Segment(text, start, start + 9, speaker, words=words)


def shown(segments: list[Segment], *words: str, near: bool = False):
    """The hits of some words that stand in the text of these segments."""
    text, times = searchable(Transcript("job", "", tuple(segments)))
    places = sorted((at := text.index(spaced(each)), at + len(spaced(each))) for each in words)
    return list(hits_of(text, places, times, near=near))


def test_a_hit_has_the_time_and_the_speaker_of_its_first_word():
    """Also where the phrase goes on in the next segment, of another speaker."""
    segments = [segment("what is your order", 60.0, "spk_0"), segment("number 5", 70.0, "spk_1")]

    [across] = shown(segments, "order number")
    [second] = shown(segments, "number")

    assert (across.start, across.speaker, across.text) == (
        *(61.5, "spk_0"),
        "what is your order number 5",
    )
    assert (second.start, second.speaker) == (70.0, "spk_1")
    assert across.parts == ("what is your ", "order number", " 5")


def test_a_word_that_is_said_again_has_its_own_time():
    """In the same segment, and after many short ones."""
    text, times = searchable(Transcript("job", "", (segment("no no yes no"),)))
    again = [next(hits_of(text, [(at, at + 2)], times, near=False)) for at in (0, 3, 10)]
    short = [segment(each, n * 10.0, f"spk_{n}") for n, each in enumerate("abcdefghij")]

    assert [each.start for each in again] == [0, 0.5, 1.5]
    assert [(e.start, e.speaker) for e in shown(short, "j")] == [(90.0, "spk_9")]
    assert [(e.start, e.speaker) for e in shown(short, "e")] == [(40.0, "spk_4")]


def test_a_segment_without_words_has_its_own_time():
    """What the service gave no times of is found where its segment begins."""
    [hit] = shown([segment("one", 1.0), Segment("two three", 7.5, 9.0)], "three")

    assert hit.start == 7.5


def test_what_is_close_together_is_one_hit_and_what_is_not_are_two():
    """Nobody reads the same words twice; what was looked for together is shown together."""
    far = f"alpha {'between ' * 15}omega"

    assert [hit.parts for hit in shown([segment("alpha and omega")], "alpha", "omega")] == [
        ("", "alpha", " and ", "omega", "")
    ]
    assert len(shown([segment(far)], "alpha", "omega")) == 2
    assert len(shown([segment(far)], "alpha", "omega", near=True)) == 1


def test_whole_words_are_shown_around_and_not_the_whole_call():
    """Fifty characters at most on either side, cut between words; a word without end is cut."""
    [hit] = shown([segment(f"{'before ' * 20}here {'after ' * 20}")], "here")
    [endless] = shown([segment(f"{'x' * 9000}-here-{'y' * 9000}")], "here")

    assert (hit.before, hit.after) == (True, True)
    assert hit.parts == ("before " * 7, "here", " after" * 8)
    assert len(endless.text) == 104


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("我想要退款iPhone", ["我", "想", "要", "退", "款", "iPhone"]),
        ("ขอคืนเงิน", ["ข", "อ", "ค", "ื", "น", "เ", "ง", "ิ", "น"]),
        ("注文番号 12", ["注", "文", "番", "号", "12"]),
        ("order number", ["order", "number"]),
        ("की का", ["की", "का"]),
    ],
)
def test_scripts_without_spaces_are_searched_by_their_characters(text, words):
    """Words of Chinese, Japanese and Thai are found inside of a sentence; others are whole."""
    found = spaced(text).replace("\u200b", " ").split()

    assert "".join(found) == "".join(words)
    assert len(found) == len([each for each in words if each not in "ืิ"])
    [hit] = shown([Segment(text, 1.0, 2.0)], text)
    assert hit.text == text


def test_no_control_character_is_searched():
    """What a transcript hides in its text neither marks a place nor breaks a line."""
    assert spaced("a\x02b\x03\x1b[2Jc\n\td\u200be") == "a b [2Jc d e"
    assert not any(map(has_words, ("", "?!", "\N{THUMBS UP SIGN}", '"""', "\u202e", "\u200b")))
    assert all(map(has_words, ("a", "7", "退", "é", "ש", "\u0301")))


@given(st.lists(st.text(max_size=30), max_size=5))
def test_any_text_is_shown_where_it_is(texts):
    """Times, cuts and marks fit together whatever was said."""
    segments = [segment(text, n * 10.0, f"spk_{n}") for n, text in enumerate(texts)]
    text, times = searchable(Transcript("job", "", tuple(segments)))
    for n, each in enumerate(segments):
        if wanted := spaced(each.text):
            before = " ".join(spaced(one.text) for one in segments[:n] if spaced(one.text))
            at = len(before) + bool(before)
            [hit] = hits_of(text, [(at, at + len(wanted))], times, near=False)
            assert hit.parts[1] == wanted.replace("\u200b", "")
            assert hit.speaker == each.speaker
            assert n * 10.0 <= hit.start < n * 10.0 + 16
