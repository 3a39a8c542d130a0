"""Which recordings are for training, for development and for testing."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.ground_truth.record import REVIEWED, GroundTruth, Segment
from pipeline.ground_truth.splits import Side, Splits, side_of, sides, values_of

PINNED = ["test", "train", "train", "test", "train", "dev", "test", "train"]


def line(audio: str, *speakers: str, **metadata: Any) -> GroundTruth:
    """A recording of these speakers."""
    segments = tuple(Segment(start=0, end=1, text="x", speaker=each) for each in speakers)
    return GroundTruth(audio=audio, source=REVIEWED, text="x", segments=segments, metadata=metadata)


def test_the_shares_are_those_that_were_asked_for():
    """Of many recordings a tenth and a fifth, give or take what chance does."""
    found = Counter(side_of(f"s3://b/{n}.mp3", Splits(dev=0.1, test=0.2)) for n in range(4000))

    assert 340 < found[Side.DEV] < 460
    assert 730 < found[Side.TEST] < 870
    assert {side_of("x", Splits(0, 0)), side_of("x", Splits(0, 0, "b"))} == {Side.TRAIN}
    assert {side_of(str(n), Splits(0, 1)) for n in range(99)} == {Side.TEST}
    assert {side_of(str(n), Splits(1, 0)) for n in range(99)} == {Side.DEV}


def test_sides_are_the_same_everywhere_and_for_ever():
    """What a version of this program has split every later one splits alike."""
    assert [side_of(str(n), Splits(0.3, 0.3)) for n in range(8)] == PINNED
    assert [side_of(str(n), Splits(0.3, 0.3, "another")) for n in range(8)] != PINNED


@given(st.text(), st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_larger_share_takes_nothing_from_the_other_side(value, dev, test, more):
    """Testing grows out of training alone, and so does development."""
    before = side_of(value, Splits(dev, test))
    after = side_of(value, Splits(dev, min(0.5, test + more)))

    assert before == after or (before, after) == (Side.TRAIN, Side.TEST)


def test_a_value_of_metadata_is_on_one_side():
    """All calls of a customer, also those that come later; who has none stands alone."""
    lines = [line(f"{n}", customer=n % 7) for n in range(70)]
    side = sides(lambda: lines, Splits(0.3, 0.3, keep_together="customer"))

    assert len({(each.metadata["customer"], side(each)) for each in lines}) == 7
    assert len({side(each) for each in lines}) > 1
    assert side(line("new", customer=3)) == side(lines[3])
    assert values_of(line("a"), "customer") == ("a",)


def test_a_speaker_is_on_one_side_with_everyone_that_spoke_with_them():
    """Who is in two recordings holds both together, through as many others as it takes."""
    lines = [line(f"{n}", f"person {n}", f"person {n + 1}") for n in range(30)]
    lines += [line(f"alone {n}", "spk_0", "spk_1") for n in range(30)]
    side = sides(lambda: reversed(lines), Splits(0.3, 0.3, keep_together="speaker"))

    assert len({side(each) for each in lines[:30]}) == 1
    assert len({side(each) for each in lines[30:]}) == 3


def test_labels_of_one_recording_are_nobody():
    """A label like spk_0 is somebody else in each recording; a name is the same person in all."""
    labels = ("spk_0", "Speaker 1", "ch_1", "channel 0", "speech", " ")

    assert values_of(line("a", *labels), "speaker") == ("a",)
    assert values_of(line("a", "spk_0", " Anna ", "Bo"), "speaker") == ("Anna", "Bo")
