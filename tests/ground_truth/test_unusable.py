"""What reviewers mark as unusable is not trained on and not measured with."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ground_truth.convert import convert
from pipeline.ground_truth.formats import Format
from pipeline.ground_truth.record import REVIEWED, GroundTruth, Segment
from pipeline.ground_truth.unusable import UNUSABLE, is_unusable, usable
from pipeline.quality.error_rate import Counts, compare
from pipeline.quality.missed_phrases import pairs, reviews
from pipeline.quality.text_report import in_words
from tests.conftest import ROOT
from tests.support.reviews import measure

NOISE = Segment(start=8, end=9, text="", controls={"noise": ("door",)})


def segment(text: str, heard: str, start: float = 0.0, **controls: tuple[str, ...]) -> Segment:
    return Segment(
        start=start, end=start + 1, text=text, predicted=heard, speaker="a", controls=controls
    )


def line(*segments: Segment, **more: Any) -> GroundTruth:
    about: dict[str, Any] = {
        "audio": "s3://b/a.mp3",
        "language": "en-US",
        "text": " ".join(each.text for each in segments),
        "predicted": " ".join(each.predicted or "" for each in segments),
        "duration": 9.0,
    }
    return GroundTruth(source=REVIEWED, segments=segments, **(about | more))


MIXED = line(
    segment("one two", "one too"),
    segment("[unintelligible] house", "blah blah house", 1),
    segment("three", "free", 2, issue=("crosstalk",)),
    NOISE,
)


@pytest.mark.parametrize(
    ("text", "controls", "unusable"),
    [
        ("fine", {}, False),
        ("fine", {"issue": ("Unintelligible",)}, True),
        ("fine", {"my own": ("ok", "no_speech")}, True),
        ("fine", {"note": ("crosstalk at its end, but fine",)}, False),
        ("so [inaudible 00:12] it is", {}, True),
        ("[Crosstalk]", {}, True),
        ("[noise] fine [laughs]", {}, False),
        ("unintelligible", {}, False),
        ("my name is [NAME]", {}, False),
    ],
)
def test_the_rule_is_as_documented(text, controls, unusable):
    """One of the words alone in a control, or at the beginning of a mark in the text."""
    assert is_unusable(Segment(start=0, end=1, text=text, controls=controls)) is unusable


def test_the_words_are_those_of_the_documentation():
    """The how-to lists every one of them."""
    page = (ROOT / "docs" / "how-to" / "ground-truth.md").read_text("utf-8")
    quoted = page.partition("<!-- unusable -->")[2].partition("\n\n")[0]

    listed = quoted.replace(">", " ").replace("\n", " ").split(",")
    assert tuple(" ".join(each.split()) for each in listed) == UNUSABLE


def test_a_manifest_has_nothing_that_is_unusable(tmp_path):
    """No entry for what was marked, no mark in the text of another; how many is counted."""
    left_out = Counter[str]()
    lines = [
        MIXED,
        line(segment("gone", "gone"), controls={"verdict": ("unusable",)}),
        line(text="all [inaudible] of it"),
        line(segment("[noise] said", "said")),
        line(NOISE, text="a whole text"),
    ]

    [path] = convert(lines, Format.NEMO, tmp_path, "", left_out)

    entries = [json.loads(each) for each in path.read_bytes().splitlines()]  # type: ignore[union-attr] # no error
    assert [each["text"] for each in entries] == ["one two", "said", "a whole text"]
    assert left_out == {"recordings": 2, "segments": 2}


def test_subtitles_keep_what_is_marked(tmp_path):
    """Viewers read on where a listener understood nothing."""
    [path] = convert([MIXED], Format.SRT, tmp_path)

    assert "[unintelligible] house" in path.read_text("utf-8")  # type: ignore[union-attr] # no error


def test_the_command_says_what_it_left_out(run):
    """On stderr, beside the names of the files."""
    (run.folder / "ground_truth.jsonl").write_bytes(msgspec.json.encode(MIXED) + b"\n")

    outcome = run("convert", "nemo")

    assert outcome.code == 0
    assert "as unusable: 0 recordings, and 2 segments of others" in outcome.err


def test_figures_leave_out_what_is_unusable():
    """Neither what was said there counts nor what was heard; both counts are told."""
    quality = measure(
        [
            MIXED,
            line(segment("gone", "gone"), controls={"verdict": ("unusable",)}, audio="s3://b/c"),
        ]
    )

    assert quality.total.words == Counts(hits=1, substitutions=1)
    assert (quality.unusable, quality.unusable_segments) == (1, 2)
    assert "Not counted: 1 marked as unusable, and 2 segments of others" in list(in_words(quality))
    assert list(quality.groups["speaker"]) == ["a"]


def test_vocabularies_learn_nothing_from_what_is_unusable():
    """The pairs that phrases are looked for in are of what was understood."""
    assert [tuple(each) for each in pairs(reviews([MIXED], "en-US").values())] == [
        ("one two", "one too")
    ]


def test_a_mark_is_no_word():
    """It is no error where it stands, and its letters are no characters."""
    compared = compare("the [background noise] house", "the house", "en-US")

    assert compared.words == Counts(hits=2)
    assert compared.characters.errors == 0
    assert compare("see [PII]", "see [PII]", "en-US").words == Counts(hits=2)


texts = st.text("ab [].", max_size=12) | st.just("[unintelligible]")
controls = st.dictionaries(st.just("issue"), st.tuples(st.sampled_from(["fine", "unusable"])))


@given(st.lists(st.builds(segment, texts, texts, st.integers(0, 9)), max_size=4), controls)
def test_what_is_left_is_usable(found, said):
    """Nothing unusable is left, what is left was there, and asking again changes nothing."""
    kept = usable(line(*found, controls=said))

    if kept is not None:
        assert not any(map(is_unusable, kept.segments))
        assert set(map(id, kept.segments)) <= set(map(id, found))
        assert usable(kept) == kept
