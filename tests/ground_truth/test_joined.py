"""The reviews of a recording's parts as its one line."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ground_truth.joined import chosen, joined
from pipeline.ground_truth.record import REVIEWED, GroundTruth, ReviewedPart, Segment
from pipeline.ground_truth.unusable import usable
from pipeline.label_studio.annotations import reviews
from pipeline.tasks.recording_parts import Part, cuts_of, in_parts, part_of

seconds = st.integers(0, 300).map(lambda tenths: tenths / 10)
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
    """Reviews that say nothing count for no part where any part has a text, of any transcript."""
    text = line(0, "hello", score=0.9)
    empty = line(0, score=None, predicted=None)

    assert chosen([[text, empty], [empty], [empty]], ()) == [text, None, None]
    assert chosen([[text], [empty], [empty]], ()) == [text, None, None]
    assert chosen([[empty], [empty], [empty]], ()) == [empty, empty, empty]


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
