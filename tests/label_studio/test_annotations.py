"""What reviewers submit, as lines of ground truth."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ground_truth.record import AUTO, GroundTruth, Segment
from pipeline.label_studio.annotations import reviews, unreviewed
from pipeline.model import Job, JobSettings, Recording, TaskKind, Transcript
from pipeline.quality.missed_phrases import reviews as in_language
from pipeline.tasks.builder import TaskBuilder
from tests.support.reviews import measure

URL = "http://ls/projects/1"


def box(*texts: str, language: str | None = None) -> list[Any]:
    """A transcript in one box."""
    text = {"id": "tr", "from_name": "transcription", "to_name": "audio", "type": "textarea"}
    said = [text | {"value": {"text": list(texts)}}]
    choice = {"from_name": "language", "type": "choices", "value": {"choices": [language]}}
    return said + [choice] * (language is not None)


def region(name: str, start: float, end: float, *texts: str, speaker: str = "spk_0") -> list[Any]:
    """A segment as the two results that share its id."""
    place = {"start": start, "end": end, "channel": 0}
    return [
        {"id": name, "from_name": "speaker", "value": place | {"labels": [speaker]}},
        {"id": name, "from_name": "text", "value": place | {"text": list(texts)}},
    ]


def task(result: Any, predicted: Any = None, **annotation: Any) -> dict[str, Any]:
    """A task with one annotation, as `exportType=JSON` gives it."""
    prediction = {"result": predicted, "model_version": "amazon-transcribe/en-US", "score": 0.9}
    return {
        "id": 7,
        "data": {"audio": "s3://b/a.mp3", "job_id": "job-7", "language": "en-US", "duration": 9.5},
        "annotations": [
            {
                "id": 70,
                "completed_by": 1,
                "lead_time": 12.5,
                "updated_at": "2026-11-23T12:00:00.000001Z",
                "was_cancelled": False,
                "result": result,
                "prediction": {} if predicted is None else prediction,
            }
            | annotation
        ],
    }


def only(result: Any, predicted: Any = None, **annotation: Any) -> GroundTruth:
    """The one line of a task with one annotation."""
    [line] = reviews(task(result, predicted, **annotation), URL, {1: "anna@example.com"})
    return line


def test_a_corrected_transcript_is_a_line():
    """All that is known of a review stands in its line, with the prediction's text beside it."""
    assert only(box("hello world"), box("hello word")) == GroundTruth(
        audio="s3://b/a.mp3",
        source="reviewed",
        text="hello world",
        job_id="job-7",
        language="en-US",
        duration=9.5,
        predicted="hello word",
        score=0.9,
        model_version="amazon-transcribe/en-US",
        reviewer="anna@example.com",
        seconds_spent=12.5,
        project=URL,
        task_id=7,
        annotation_id=70,
        updated_at="2026-11-23T12:00:00.000001Z",
    )


def test_segments_are_joined_by_their_id():
    """A label and a text of one id are one segment, in the order in which they are heard."""
    heard = region("b", 2.0, 3.5, "too") + region("a", 0.0, 2.0, "one")
    said = region("b", 2.0, 3.5, "two", speaker="spk_1") + region("a", 0.0, 2.0, "one")

    line = only(said, heard)

    assert line.segments == (
        Segment(start=0.0, end=2.0, text="one", speaker="spk_0", channel=0, predicted="one"),
        Segment(
            start=2.0,
            end=3.5,
            text="two",
            speaker="spk_1",
            channel=0,
            predicted="too",
            predicted_speaker="spk_0",
        ),
    )
    assert (line.text, line.predicted) == ("one two", "one too")


def test_thirty_segments_are_thirty():
    """Every segment of a task is in its line."""
    heard = [
        each
        for n in range(30)
        for each in region(f"s{n}", n, n + 1, f"word {n}", speaker=f"spk_{n % 2}")
    ]

    assert len(only(heard, heard).segments) == 30


def test_added_regions_have_no_prediction():
    """What a reviewer drew was not predicted, and the whole texts tell so."""
    line = only(region("a", 0, 1, "one") + region("new", 1, 2, "two"), region("a", 0, 1, "one"))

    assert [each.predicted for each in line.segments] == ["one", None]
    assert (line.text, line.predicted) == ("one two", "one")


def test_deleted_and_merged_regions_are_remembered():
    """A region that was merged into another is not said any more, but it was heard."""
    heard = region("a", 0, 1, "one") + region("b", 1, 2, "two")

    line = only(region("a", 0, 2, "one two"), heard)

    assert [each.text for each in line.segments] == ["one two"]
    assert [(each.text, each.predicted) for each in line.deleted] == [("", "two")]
    assert line.text == line.predicted == "one two"


@pytest.mark.parametrize(
    ("texts", "heard", "final"),
    [
        (["new"], ["old"], "new"),
        (["old", "new"], ["old"], "new"),
        (["old"], ["old"], "old"),
        (["one", "two"], ["old"], "one\ntwo"),
        (["text\n"], ["old"], "text"),
        (["  text \n\n"], ["old"], "text"),
        ([""], ["old"], ""),
        ([], ["old"], ""),
        (["old", ""], ["old"], ""),
    ],
)
def test_several_texts_in_a_box_are_one(texts, heard, final):
    """What was added below the prediction's text replaces it; Shift+Enter leaves nothing."""
    assert only(box(*texts), box(*heard)).text == final
    assert [
        each.text for each in only(region("a", 0, 1, *texts), region("a", 0, 1, *heard)).segments
    ] == [final]


def test_an_emptied_task_was_reviewed():
    """A reviewer who removes every text says that nothing is spoken: that is a review."""
    line = only([], box("hm"))

    assert (line.text, line.predicted, line.source) == ("", "hm", "reviewed")


def test_a_silent_prediction_is_a_prediction():
    """Where nothing was predicted to be said, that is what the review is held against."""
    assert only(box("psst"), []).predicted == ""


@pytest.mark.parametrize("prediction", [{}, None, "x", {"result": None}])
def test_an_annotation_without_a_prediction_has_none(prediction):
    """An annotation that came in by import has nothing to be held against."""
    assert only(box("said"), prediction=prediction).predicted is None


def test_skipped_tasks_and_drafts_are_no_reviews():
    """What nobody submitted is no ground truth."""
    skipped = task([], box("heard"), was_cancelled=True)
    skipped["drafts"] = [{"id": 1, "result": box("half")}]

    assert reviews(skipped, URL, {}) == []


def test_the_star_is_kept():
    """An annotation that someone made the ground truth is known for it."""
    assert only(box("a"), ground_truth=True).starred
    assert not only(box("a"), ground_truth=False).starred
    assert not only(box("a")).starred


def test_each_reviewer_has_a_line():
    """Several annotations of a task are a line each, in the order in which they were made."""
    several = task(box("one"))
    second = several["annotations"][0] | {"id": 71, "completed_by": 2, "result": box("two")}
    several["annotations"].insert(0, second)

    lines = reviews(several, URL, {1: "anna@example.com"})

    assert [(line.text, line.reviewer) for line in lines] == [
        ("one", "anna@example.com"),
        ("two", "2"),
    ]


@pytest.mark.parametrize(
    ("person", "name"), [({"id": 4, "email": "b@x.org"}, "b@x.org"), ({"id": 4}, "4"), (None, None)]
)
def test_reviewers_are_known_however_they_are_written(person, name):
    """Other releases write the reviewer as an object."""
    assert only(box("x"), completed_by=person).reviewer == name


def test_the_language_is_what_the_reviewer_chose():
    """The reviewer's choice wins over what was identified."""
    assert only(box("hallo", language="de-DE"), box("hallo")).language == "de-DE"


def test_the_language_of_a_run_is_in_the_name_of_its_predictions():
    """Where nothing was identified, the run's language names the predictions."""
    one = task(box("x"), box("x"))
    del one["data"]["language"]

    assert reviews(one, URL, {})[0].language == "en-US"

    one["annotations"][0]["prediction"]["model_version"] = "my/model-XYZ-1"
    assert reviews(one, URL, {})[0].language is None


def test_regions_in_odd_company_are_segments():
    """A region without a speaker, a time or a text loses nothing of what it has."""
    line = only(
        [
            {"id": "a", "from_name": "text", "value": {"text": "no time"}},
            {"id": "b", "from_name": "speaker", "value": {"start": 3, "end": 2, "labels": ["new"]}},
            {"from_name": "text", "value": {"start": 5, "end": 6, "text": ["no id"]}},
            {"from_name": "speaker", "value": {"start": 5, "end": 6, "labels": ["spk_1"]}},
            {"id": "c", "from_name": "text", "value": {"start": "x", "end": 1e99, "text": [3]}},
            {"id": "d", "from_name": "other", "value": {"text": ["not ours"]}},
            "no result",
        ]
    )

    assert [(each.start, each.end, each.speaker, each.text) for each in line.segments] == [
        (0.0, 0.0, None, "no time"),
        (0.0, 0.0, None, ""),
        (2.0, 3.0, "new", ""),
        (5.0, 6.0, "spk_1", "no id"),
    ]


@pytest.mark.parametrize("duration", [-1, 1e300, "9", None, True])
def test_a_duration_that_can_not_be_is_left_out(duration):
    """Tasks made by hand may say anything of how long they are; the line can be read again."""
    by_hand = task(box("said"))
    by_hand["data"]["duration"] = duration

    [line] = reviews(by_hand, URL, {})

    assert line.duration is None
    assert msgspec.json.decode(msgspec.json.encode(line), type=GroundTruth) == line


def test_an_unreviewed_task_is_taken_as_it_is():
    """The auto line of a task has the prediction's text and segments, and no reviewer."""
    ours = task([]) | {"predictions": [{"result": region("a", 0, 1, "one"), "score": 0.99}]}

    line = unreviewed(ours)

    assert (line.source, line.text, line.score, line.reviewer) == (AUTO, "one", 0.99, None)
    assert [each.text for each in line.segments] == ["one"]
    assert line.job_id == "job-7"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
results = st.lists(
    json_values
    | st.fixed_dictionaries(
        {"from_name": st.sampled_from(["speaker", "text", "transcription", "language", "issue"])},
        optional={
            "id": json_values,
            "score": json_values,
            "value": json_values
            | st.dictionaries(
                st.sampled_from(["start", "end", "text", "labels", "choices", "channel", "rating"]),
                json_values,
            ),
        },
    )
)


@given(said=results | json_values, heard=results | json_values, more=json_values)
def test_whatever_the_server_returns_is_one_whole_line(said, heard, more):
    """No result can break the line: it can be written, and is read as it was written."""
    line = only(said, prediction={"result": heard, "score": more}, completed_by=more)

    assert msgspec.json.decode(msgspec.json.encode(line), type=GroundTruth) == line
    assert all(0 <= each.start <= each.end for each in (*line.segments, *line.deleted))


def of_control(name: str, value: dict[str, Any], region: str = "own") -> dict[str, Any]:
    """What a control of a team's own says."""
    return {"id": region, "from_name": name, "to_name": "audio", "value": value}


def test_what_a_team_adds_to_the_screen_is_kept_by_name():
    """Choices, notes, ratings and paths: with their region, or with the whole recording."""
    line = only(
        [
            of_control("issue", {"start": 0, "end": 1, "choices": ["crosstalk", "noise"]}, "a"),
            *region("a", 0, 1, "one"),
            *region("b", 1, 2, "two"),
            of_control("issue", {"choices": ["unintelligible"]}, "b"),
            of_control("verdict", {"choices": ["clear"]}),
            of_control("note", {"text": ["ask Anna"]}),
            of_control("note", {"text": ["again"]}),
            of_control("stars", {"rating": 4}),
            of_control("topic", {"taxonomy": [["call", "order"], ["call", "refund"]]}),
            {"type": "relation", "from_id": "a", "to_id": "b"},
        ]
    )

    assert [each.controls for each in line.segments] == [
        {"issue": ("crosstalk", "noise")},
        {"issue": ("unintelligible",)},
    ]
    assert line.controls == {
        "verdict": ("clear",),
        "note": ("ask Anna", "again"),
        "stars": ("4",),
        "topic": ("call / order", "call / refund"),
    }
    assert line.text == "one two"


def test_a_region_of_another_control_is_kept_beside_the_text():
    """A noise that a reviewer drew has its time and its label, and takes no word from the text."""
    noise = of_control("noise", {"start": 3, "end": 4, "channel": 1, "labels": ["door"]})

    line = only([*box("hello"), noise])

    assert line.text == "hello"
    assert line.segments == (
        Segment(start=3.0, end=4.0, channel=1, text="", controls={"noise": ("door",)}),
    )


def test_a_line_has_the_language_of_its_task_under_any_model_version():
    """What a run wrote in Japanese is Japanese, measured so, and no one's evidence for English."""
    job = Job(1, b"", "job-7", Recording("a.mp3", "1", 7))
    written = TaskBuilder(TaskKind.TRANSCRIPT, "calls").line(
        "s3://b/a.mp3", job, Transcript("job-7", "今日は雪"), JobSettings("ja-JP")
    )
    reviewed = msgspec.json.decode(written) | {"id": 7}
    reviewed["annotations"] = [
        {"id": 70, "result": box("今日は雨"), "prediction": reviewed["predictions"][0]}
    ]

    lines = reviews(reviewed, URL, {})

    assert lines[0].language == "ja-JP"
    assert measure(lines).groups["language"]["ja-JP"].words.rate is None
    assert in_language(lines, "en-US") == {}
    assert list(in_language(lines, "ja-JP")) == ["s3://b/a.mp3"]
