import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.local.utterances import FRAME, Utterances

SPOKEN, QUIET = b"\1\1", b"\0\0"


def cut(sound: bytes, piece: int = 10_000) -> list[tuple[float, bytes]]:
    utterances = Utterances(2, lambda frame: frame == SPOKEN)
    found: list[tuple[float, bytes]] = []
    for start in range(0, len(sound), piece):
        found += utterances.feed(sound[start : start + piece])
    return [*found, *utterances.finish()]


def test_silence_holds_no_utterance():
    """Where nobody speaks there is nothing to recognise."""
    assert cut(QUIET * 5000) == []


def test_a_click_is_no_utterance():
    """Fewer than five speaking frames are not speech."""
    assert cut(QUIET * 50 + SPOKEN * 4 + QUIET * 50) == []


def test_an_utterance_begins_before_its_first_sound():
    """What precedes the first sure frame is kept, so that the first word is whole."""
    ((start, sound),) = cut(QUIET * 100 + SPOKEN * 40 + QUIET * 100)

    assert start == pytest.approx((100 - 12) * FRAME)
    assert sound.startswith(QUIET * 12 + SPOKEN)


def test_two_phrases_with_a_pause_between_are_two_utterances():
    """Twenty quiet frames end an utterance."""
    phrases = cut(SPOKEN * 30 + QUIET * 40 + SPOKEN * 30)

    assert len(phrases) == 2


@pytest.mark.parametrize(
    ("sound", "longest"),
    [(SPOKEN * 5000, 30.0), ((SPOKEN * 50 + QUIET) * 100, 21.6)],
    ids=["never quiet", "short pauses"],
)
def test_speech_without_an_end_is_cut(sound, longest):
    """No utterance is longer than 30 s, nor much longer than 20 s where there is a quiet frame."""
    lengths = [len(each) / 2 * FRAME for _, each in cut(sound)]

    assert max(lengths) <= longest
    assert sum(lengths) == pytest.approx(len(sound) / 2 * FRAME)


@given(st.integers(0, 2**32), st.integers(1, 999))
def test_every_spoken_stretch_is_kept_once_in_order_and_in_place(seed, piece):
    """Utterances are parts of the sound, in order, without overlap, at the times they give."""
    chance = random.Random(seed)
    frames = [kind * chance.randint(1, 60) for _ in range(20) for kind in (SPOKEN, QUIET)]
    sound = b"".join(frames) + b"\1"

    found = cut(sound, piece)

    end = 0
    for start, part in found:
        place = round(start / FRAME) * 2
        assert place >= end
        assert sound[place : place + len(part)] == part
        end = place + len(part)
