"""The reviews of a recording's parts as its one line."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.ground_truth.choice import rank
from pipeline.ground_truth.joined import chosen, joined, line_of
from pipeline.ground_truth.record import REVIEWED, GroundTruth, ReviewedPart, Segment
from pipeline.ground_truth.unusable import usable
from pipeline.label_studio.annotations import reviews
from pipeline.tasks.recording_parts import Part, cuts_of, in_parts, part_of

seconds = st.integers(0, 300).map(lambda tenths: tenths / 10)
UNUSABLE = {"verdict": ("unusable",)}
spans = st.lists(st.tuples(seconds, seconds).map(lambda two: (min(two), max(two))), max_size=40)


def task(times: list[tuple[float, float]]) -> dict[str, Any]:
    """A task with a segment at each of these times."""
    results = [
        {
            "id": f"seg-{number:05}",
            "from_name": name,
            "to_name": "audio",
            "type": kind,
            "value": {"start": start, "end": end, key: [f"{key} {number}"]},
        }
        for number, (start, end) in enumerate(times)
        for name, kind, key in (("speaker", "labels", "labels"), ("text", "textarea", "text"))
    ]
    data = {"audio": "s3://b/a.mp3", "job_id": "job", "duration": 30.0}
    return {"id": 1, "data": data, "predictions": [{"score": 0.5, "result": results}]}


def submitted(task: dict[str, Any]) -> GroundTruth:
    """The review of a task that was submitted as it is."""
    [prediction] = task["predictions"]
    annotation = {"id": 7, "result": prediction["result"], "prediction": prediction}
    [line] = reviews(task | {"annotations": [annotation]}, "project", {})
    return line


def line(start: float, *texts: str, **more: Any) -> GroundTruth:
    """The review of a part with segments of a second, from a second on."""
    segments = tuple(
        Segment(start=start + n, end=start + n + 1, text=text, speaker="spk_0", predicted=text)
        for n, text in enumerate(texts)
    )
    about: dict[str, Any] = {"segments": segments, "predicted": " ".join(texts), "duration": 20.0}
    about |= {"text": " ".join(texts), "updated_at": "2026-11-01", "reviewer": "anna"}
    return GroundTruth(audio="s3://b/a.mp3", source=REVIEWED, **(about | more))


def of(*lines: GroundTruth) -> GroundTruth:
    """The line of a recording that was cut every ten seconds."""
    cuts = tuple(10.0 * n for n in range(1, len(lines)))
    return joined([(Part("job", n, cuts), each) for n, each in enumerate(lines, 1)])


@given(spans, st.integers(1, 20))
def test_parts_that_nobody_changed_are_the_whole(times, most):
    """Whatever the times: the same segments in the same order, and the same texts."""
    whole = task(times)
    content = orjson.dumps(whole)

    parts = [orjson.loads(each) for _, each in in_parts(content, cuts_of(content, most))]
    line = joined([(part_of(each.get("meta"), "job"), submitted(each)) for each in parts])

    as_one = submitted(whole)
    assert (line.segments, line.text) == (as_one.segments, as_one.text)
    assert (line.predicted, line.deleted) == (as_one.predicted, as_one.deleted)


def test_a_segment_that_was_moved_over_a_cut_stands_where_it_is_heard():
    """Segments and text are in the order of the times that the reviewers left."""
    late = Segment(start=12.5, end=13.0, text="late", speaker="spk_1")
    first = line(0, "a")
    first = line(0, "a", "late", segments=(*first.segments, late))

    both = of(first, line(12, "b", "c"))

    assert [each.text for each in both.segments] == ["a", "b", "late", "c"]
    assert both.text == "a b late c"


def test_what_reviewers_took_is_added_up():
    """Reviewers are named once each; a time that is not known makes no total of the others."""
    both = of(
        line(0, "a", seconds_spent=4.25, task_id=3, annotation_id=30),
        line(10, "b", seconds_spent=6.0, reviewer="ben", updated_at="2026-11-02", starred=True),
        line(20, "c", seconds_spent=1.0),
    )

    assert (both.seconds_spent, both.reviewer, both.starred) == (11.25, "anna, ben", True)
    assert (both.task_id, both.annotation_id, both.updated_at) == (3, 30, "2026-11-02")
    assert both.parts[0] == ReviewedPart(
        start=0, end=10, reviewer="anna", seconds_spent=4.25, task_id=3, annotation_id=30
    )
    assert [(each.start, each.end) for each in both.parts] == [(0, 10), (10, 20), (20, 20)]
    assert of(line(0, "a"), line(10, "b", seconds_spent=6.0)).seconds_spent is None


def test_a_review_with_a_text_is_not_outvoted_by_empty_ones():
    """Reviews that say nothing where words were predicted, or may have been, count for no part."""
    text = line(0, "hello", score=0.9)
    empty = line(0, score=None, predicted=None)

    assert chosen([[text, empty], [empty], [empty]], ()) == [text, None, None]
    assert chosen([[text], [empty], [empty]], ()) == [text, None, None]
    assert chosen([[empty], [empty], [empty]], ()) == [None, None, None]


def test_a_round_that_hears_nothing_does_not_outvote_texts():
    """Two of three parts have a text; the later round is submitted as empty as it was predicted."""
    one, two = line(0, "hello", score=0.9), line(10, "you", score=0.9)
    silent = line(0, score=0.0, predicted="", updated_at="2026-12-01")

    assert chosen([[one, silent], [two, silent], [silent]], ()) == [one, two, None]
    assert chosen([[silent], [silent], [silent]], ()) == [silent] * 3


def test_where_a_round_heard_nothing_its_review_is_of_no_other_that_heard_something():
    """A part without regions has no key: its score, and what others began from there, tell."""

    def of_round(key: str, **more: Any) -> GroundTruth:
        return line(
            0, **{"text": "you", "predicted": "you", "score": 0.8, "transcript": key} | more
        )

    first, second = of_round("k1"), of_round("k2", updated_at="2026-12-01")
    silent = line(0, "", score=0.8, predicted="", updated_at="2026-12-02")

    assert chosen([[first], [first, silent]], ()) == [first, first]
    assert chosen([[first, second], [first, silent]], ()) == [second, silent]
    assert chosen([[second], [silent]], ()) == [second, silent]
    emptied = of_round("k1", text="")
    assert chosen([[first], [emptied, silent]], ()).count(None) == 1
    assert chosen([[second], [replace(silent, score=None)]], ()).count(None) == 1
    assert chosen([[second], [replace(silent, score=0.7)]], ()).count(None) == 1


@pytest.mark.parametrize(
    "purpose",
    [
        {"controls": UNUSABLE},
        {"segments": (Segment(start=1, end=2, text="", speaker="spk_0"),)},
    ],
)
def test_who_says_on_purpose_that_nobody_speaks_is_heard(purpose):
    """A part marked as unusable, or with a region without text, was reviewed as any other."""
    text = line(0, "hello", score=0.9)
    says = line(0, score=0.5, predicted="hm", updated_at="2026-12-01", **purpose)

    assert chosen([[text, says], [says], [says]], ()) == [says] * 3
    assert chosen([[text, says], [says]], ["carla"]) == [says] * 2
    assert chosen([[text], [says]], ()) == [None, says]


@st.composite
def reviewed_parts(draw) -> list[list[GroundTruth]]:
    """Some reviews of each part, of several transcripts, in any order."""
    numbers = iter(range(1, 100))
    keys = st.sampled_from([("k1", 0.8), ("k2", 0.8), ("k3", 0.7), ("", 0.8), ("", 0.7)])

    def review() -> GroundTruth:
        key, score = draw(keys)
        predicted = draw(st.sampled_from(["words", "", None]))
        about = {
            "transcript": key,
            "score": None if predicted is None and not key else score,
            "predicted": predicted,
            "updated_at": draw(st.sampled_from("123")),
            "starred": draw(st.booleans()),
            "reviewer": draw(st.sampled_from(["anna", "ben"])),
            "annotation_id": next(numbers),
        }
        return line(0, **about, **draw(st.sampled_from(SAID)))

    sizes = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    return [[review() for _ in range(size)] for size in sizes]


SAID: list[dict[str, Any]] = [
    {"text": ""},
    {"text": "words"},
    {"text": "", "segments": (Segment(start=0, end=1, text=""),)},
    {"text": "", "controls": UNUSABLE},
]
"""What a review says: nothing, a text, on purpose nothing, that the part is unusable."""


def says(line: GroundTruth) -> bool:
    return bool(line.text or line.segments or line.controls)


def is_outranked(line: GroundTruth, others: list[GroundTruth], prefer: Any) -> bool:
    """Whether a review with the same prediction, of no words, says that there are none."""

    def of(line: GroundTruth) -> tuple[str, float | None]:
        return line.transcript, line.score

    silent = [each for each in others if not says(each) and each.predicted == ""]
    return any(of(each) == of(line) and rank(each, prefer) > rank(line, prefer) for each in silent)


@given(reviewed_parts(), st.sampled_from([(), ("anna",)]), st.randoms())
def test_which_reviews_count_follows_the_rule(parts, prefer, shuffled):
    """Of one transcript, in which somebody says something, of most parts, in whatever order."""
    found = chosen(parts, prefer)

    counts = [each for each in found if each]
    for lines, each in zip(parts, found, strict=True):
        assert each is None or each in lines
    assert all(says(each) or each.predicted == "" for each in counts)
    spoken = [(each, lines) for lines in parts for each in lines if says(each)]
    assert any(map(says, counts)) or all(is_outranked(*each, prefer) for each in spoken)
    assert len({each.transcript for each in counts} - {""}) <= 1
    assert len({each.score for each in counts} - {None}) <= 1
    for key in {each.transcript for each, _ in spoken if any(map(says, counts))} - {""}:
        of_it = [any(says(e) and e.transcript == key for e in lines) for lines in parts]
        assert sum(of_it) <= len(counts)
    mixed = [shuffled.sample(lines, len(lines)) for lines in parts]
    assert chosen(mixed, prefer) == found


@given(reviewed_parts(), st.sampled_from(SAID[1:]))
def test_what_is_said_on_purpose_counts_as_a_text_does(parts, said):
    """Which review counts does not depend on which of the three somebody has said."""

    def instead(each: GroundTruth) -> GroundTruth:
        nothing: dict[str, Any] = {"text": "", "segments": (), "controls": {}}
        return replace(each, **(nothing | said)) if says(each) else each

    found = chosen(parts, ())

    others = chosen([[instead(each) for each in lines] for lines in parts], ())
    assert [each and each.annotation_id for each in found] == [
        each and each.annotation_id for each in others
    ]


def test_of_two_cuttings_the_line_counts_that_counts_between_lines():
    """Star, preferred reviewer, newest; never by chance. One that lacks a review is out."""
    halves = [Part("job", n, (5.0,)) for n in (1, 2)]
    thirds = [Part("job", n, (3.0, 6.0)) for n in (1, 2, 3)]
    reviews = {part: [line(0, "half", updated_at="2")] for part in halves}
    reviews |= {part: [line(0, "third", updated_at="1", reviewer="ben")] for part in thirds}

    def text(prefer: tuple[str, ...] = ()) -> str:
        found, counts = line_of(reviews, prefer)
        assert counts == {*halves, *thirds}
        assert found == line_of(dict(reversed(reviews.items())), prefer)[0]
        return found.text if found else ""

    assert (text(), text(("ben",))) == ("half half", "third third third")
    reviews[thirds[2]] = [line(0, "third", updated_at="1", starred=True)]
    assert text() == "third third third"
    reviews[thirds[1]] = [line(0, predicted="words")]
    found, counts = line_of(reviews, ())
    assert (found and found.text, counts) == ("half half", {*halves, thirds[0], thirds[2]})
    del reviews[halves[0]]
    assert line_of(reviews, ())[0] is None


def test_what_others_said_of_a_part_is_kept_where_it_can_be_compared():
    """Reviews of the same transcript with a text; of the rest only who took how long."""
    lines = [
        line(0, "heard", transcript="k1", annotation_id=1, updated_at="5"),
        line(0, "herd", transcript="k1", annotation_id=2, updated_at="1", reviewer="ben"),
        line(0, "word", transcript="k2", annotation_id=3, updated_at="2", seconds_spent=7.5),
        line(0, predicted="heard", transcript="k1", annotation_id=4, updated_at="3"),
        line(0, "hm", transcript="k1", annotation_id=5, updated_at="4", controls=UNUSABLE),
    ]
    parts = [Part("job", n, (10.0,)) for n in (1, 2)]

    found, _ = line_of({parts[0]: lines, parts[1]: [line(10, "you", transcript="k1")]}, ())

    assert found is not None
    one, two = found.parts
    assert (one.annotation_id, one.text, two.text, two.others) == (1, "heard", None, ())
    assert [(e.annotation_id, e.text, e.reviewer, e.seconds_spent) for e in one.others] == [
        (5, None, "anna", None),
        (3, None, "anna", 7.5),
        (2, "herd", "ben", None),
        (4, None, "anna", None),
    ]


def test_two_transcripts_of_one_score_are_told_apart_by_their_keys():
    """A part of each is no line, though both scores are the same; without keys nobody can tell."""
    one, two = line(0, "a", score=0.8, transcript="k1"), line(10, "b", score=0.8, transcript="k2")
    later = line(0, "aa", score=0.8, transcript="k2", updated_at="2026-12-01")
    unknown = line(10, "c", score=0.8)

    assert sum(each is None for each in chosen([[one], [two]], ())) == 1
    assert chosen([[one, later], [two]], ()) == [later, two]
    assert chosen([[one], [unknown]], ()) == [one, unknown]
    assert chosen([[one, later], [unknown, two]], ()) == [later, two]


def test_a_part_without_a_prediction_makes_the_prediction_unknown():
    """What is not known of a part is not taken for empty."""
    assert of(line(0, "a"), line(10, "b", predicted=None)).predicted is None
    assert of(line(0, "a"), line(10, predicted="")).predicted == "a"


def test_what_a_control_says_of_a_part_it_says_of_the_recording():
    """Each word once, in the order of the parts."""
    both = of(
        line(0, "a", controls={"verdict": ("noisy",), "note": ("loud",)}),
        line(10, "b", controls={"verdict": ("clear", "noisy")}),
    )

    assert both.controls == {"verdict": ("noisy", "clear"), "note": ("loud",)}


def test_an_unusable_part_leaves_the_others_usable():
    """Its own segments are unusable, also those that its reviewer deleted; nothing else is."""
    deleted = (Segment(start=11.5, end=12, text="", predicted="hm"),)
    unusable = {"verdict": ("unusable",), "note": ("music",)}

    both = of(line(0, "a"), line(10, "b", controls=unusable, deleted=deleted))

    assert both.controls == {"note": ("music",)}
    assert [each.controls for each in both.segments] == [{}, {"verdict": ("unusable",)}]
    kept = usable(both)
    assert kept is not None
    assert (kept.text, kept.predicted) == ("a", "a")


def test_a_recording_of_unusable_parts_is_unusable():
    """Where all parts are, it is said of the whole."""
    unusable = {"verdict": ("unusable",)}

    both = of(line(0, "a", controls=unusable), line(10, "b", controls=unusable))

    assert both.controls == unusable
    assert usable(both) is None


def test_a_box_beside_the_segments_has_its_own_text():
    """A team's own configuration may have both: then the texts of the boxes are joined."""
    assert of(line(0, "a", text="A!"), line(10, "b", text="B!")).text == "A! B!"
