"""The ground truth in the formats of other tools."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath
from typing import Any
from unicodedata import normalize

import msgspec
import pytest
import webvtt
from hypothesis import given
from hypothesis import strategies as st
from praatio import textgrid

from pipeline.files import folds_names
from pipeline.ground_truth.choice import one_each, why
from pipeline.ground_truth.convert import convert, renamed
from pipeline.ground_truth.formats import Format
from pipeline.ground_truth.record import AUTO, REVIEWED, GroundTruth, ReviewedPart, Segment
from pipeline.ground_truth.subtitles import srt, text_grid, vtt
from pipeline.transcripts.file_names import FileNames, file_name


def segment(start: float, end: float, text: str, speaker: str | None = "spk_0") -> Segment:
    return Segment(start=start, end=end, text=text, speaker=speaker)


def line(*segments: Segment, **more: Any) -> GroundTruth:
    about: dict[str, Any] = {"audio": "s3://b/calls/a.mp3", "job_id": "job-1", "duration": 9.0}
    text = " ".join(each.text for each in segments)
    return GroundTruth(source=REVIEWED, **({"text": text} | about | more), segments=segments)


TWO = line(
    segment(0.0, 1.5, "hello there"), segment(1.25, 3.0, "a & b\n\nc --> d", "spk_1"), language="en"
)
WHOLE = line(text="all of it")


def read_grid(text: str, folder: Path) -> dict[str, list[tuple[float, float, str]]]:
    """The labelled intervals of each tier, read by the library."""
    path = folder / "grid.TextGrid"
    path.write_text(text, encoding="utf-8")
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
    return {tier.name: [tuple(each) for each in tier.entries] for tier in grid.tiers}


def test_subtitles_name_the_speakers():
    """SubRip has each segment's time and text, and who speaks where there are several."""
    assert srt(TWO) == (
        "1\n00:00:00,000 --> 00:00:01,500\nspk_0: hello there\n\n"
        "2\n00:00:01,250 --> 00:00:03,000\nspk_1: a & b\nc -> d\n"
    )


def test_web_subtitles_have_voices():
    """WebVTT has speakers as voices, and no text in it is markup."""
    assert vtt(TWO) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n<v spk_0>hello there\n\n"
        "00:00:01.250 --> 00:00:03.000\n<v spk_1>a &amp; b\nc --&gt; d\n"
    )


def test_one_speaker_needs_no_name():
    """Where one speaks alone, the text stands alone."""
    assert "spk_0" not in srt(line(segment(0, 1, "one"), segment(1, 2, "two")))


def test_a_whole_text_is_one_segment():
    """A recording that was reviewed in one box is one subtitle as long as the recording."""
    assert srt(WHOLE) == "1\n00:00:00,000 --> 00:00:09,000\nall of it\n"


def test_hours_are_counted():
    """Times go beyond an hour, to the millisecond."""
    assert "01:02:03,004 --> 27:46:40,000" in srt(line(segment(3723.0041, 100_000, "late")))


def test_silence_has_no_subtitles():
    """Segments without a text are no subtitles, and a silent recording is a file without any."""
    assert vtt(line(segment(0, 1, " "))) == "WEBVTT\n"
    assert srt(line(text="")) == ""


def test_silence_is_converted_twice(tmp_path):
    """A file of ours in which nobody speaks is replaced as any other is."""
    silent = line(text="")

    assert list(convert([silent], Format.SRT, tmp_path)) == list(
        convert([silent], Format.SRT, tmp_path)
    )


def test_a_grid_has_a_tier_per_speaker(tmp_path):
    """Praat's tiers are the speakers, and two segments at once take a tier each."""
    overlapping = line(
        segment(0.0, 2.0, 'say "hi"'), segment(1.0, 3.0, "ja"), segment(2.0, 2.5, "no", "spk_1")
    )

    assert read_grid(text_grid(overlapping), tmp_path) == {
        "spk_0": [(0.0, 2.0, 'say "hi"')],
        "spk_0 (2)": [(1.0, 3.0, "ja")],
        "spk_1": [(2.0, 2.5, "no")],
    }


def test_a_grid_is_as_long_as_the_recording():
    """Every tier reaches to the end of the recording."""
    assert text_grid(TWO).count("xmax = 9") == 1 + 2 + 2


texts = st.text(max_size=12) | st.sampled_from(["-->", "1\n\n00:00:01,000 --> 00:00:02,000\nx"])
times = st.floats(0, 1e6)
segments = st.lists(
    st.builds(
        lambda a, b, text, speaker: segment(min(a, b), max(a, b), text, speaker),
        times,
        times,
        texts,
        st.none() | st.text(max_size=4) | st.just("spk_0"),
    ),
    max_size=6,
)


@given(segments)
def test_hostile_texts_stay_in_their_subtitle(found):
    """Whatever is said, there are as many subtitles as segments that say something."""
    written = line(*sorted(found, key=lambda each: (each.start, each.end)))
    spoken = [each for each in written.segments if each.text.strip()] if found else []

    assert len(webvtt.from_string(vtt(written)).captions) == len(spoken)
    assert srt(written).count(" --> ") == len(spoken)


@given(segments)
def test_every_segment_is_in_the_grid(found):
    """Every segment of speech is an interval with its text, however segments overlap."""
    grid = text_grid(line(*found))

    assert grid.count("text = ") >= max(sum(each.is_speech for each in found), 1)


def test_a_manifest_has_an_entry_for_each_segment(tmp_path):
    """NeMo's manifest has every segment with its offset, duration and text, of any audio format."""
    [path] = convert([TWO, WHOLE], Format.NEMO, tmp_path, "/data/b/")
    assert isinstance(path, Path)

    entries = [json.loads(each) for each in path.read_bytes().splitlines()]
    assert entries == [
        {
            "audio_filepath": "/data/b/calls/a.mp3",
            "offset": 0.0,
            "duration": 1.5,
            "text": "hello there",
            "speaker": "spk_0",
            "lang": "en",
            "source": "reviewed",
        },
        {
            "audio_filepath": "/data/b/calls/a.mp3",
            "offset": 1.25,
            "duration": 1.75,
            "text": "a & b c --> d",
            "speaker": "spk_1",
            "lang": "en",
            "source": "reviewed",
        },
        {
            "audio_filepath": "/data/b/calls/a.mp3",
            "offset": 0.0,
            "duration": 9.0,
            "text": "all of it",
            "source": "reviewed",
        },
    ]


def test_a_manifest_names_the_channel(tmp_path):
    """A segment of one channel of two can be cut from that channel."""
    right = Segment(start=0, end=1, text="on the right", speaker="ch_1", channel=1)
    [path] = convert([line(right)], Format.NEMO, tmp_path)
    assert isinstance(path, Path)

    assert json.loads(path.read_bytes())["channel"] == 1


def test_a_manifest_names_the_bucket_unless_told_otherwise(tmp_path):
    """Without a folder of recordings the audio is the URI itself."""
    [path] = convert([WHOLE], Format.NEMO, tmp_path)
    assert isinstance(path, Path)

    assert json.loads(path.read_bytes())["audio_filepath"] == "s3://b/calls/a.mp3"


def test_text_tasks_are_what_the_import_button_takes(tmp_path):
    """The next project's tasks are arrays with the reviewed text; where there is none, no task."""
    [path] = convert([TWO, line(text="")], Format.TEXT_TASKS, tmp_path)
    assert isinstance(path, Path)

    assert json.loads(path.read_bytes()) == [
        {
            "data": {
                "text": TWO.text,
                "audio": "s3://b/calls/a.mp3",
                "job_id": "job-1",
                "language": "en",
                "source": "reviewed",
            }
        }
    ]


@pytest.mark.parametrize(
    ("audio", "expected"),
    [
        ("s3://b/calls/a.mp3", "b/calls/a.mp3.srt"),
        ("s3://b/../../etc/passwd", "b/%2E%2E/%2E%2E/etc/passwd.srt"),
        ("s3://b//a//b.wav", "b/%/a/%/b.wav.srt"),
        ("s3://b/./a\nb\x00.wav", "b/%2E/a%0Ab%00.wav.srt"),
        ("s3://b/50%0A.wav", "b/50%250A.wav.srt"),
        ("s3://b/Grüße \U0001f600.wav", "b/Grüße \U0001f600.wav.srt"),
        ("file:///home/anna/Gr%C3%BC%C3%9Fe.wav", "file%3A/home/anna/Grüße.wav.srt"),
        ("s3://b/a.wav.srt/b.wav", "b/a.wav%2Esrt/b.wav.srt"),
        ("s3://b/.a.srt.part/A.SRT/b./c /d", "b/.a.srt%2Epart/A%2ESRT/b%2E/c%20/d.srt"),
        ("s3://b/x://y.wav", "b/x:/%/y.wav.srt"),
        ("https://b/a.wav", "https%3A/b/a.wav.srt"),
        ("b/a.wav", "%%3A/b/a.wav.srt"),
        ("", "%%3A/%.srt"),
        ("C:\\a.wav", "%%3A/C:%5Ca.wav.srt"),
    ],
)
def test_files_are_named_after_keys(audio, expected):
    """A file lies at the place of its key, and no key leads out of the folder."""
    assert file_name(audio, ".srt") == expected


keys = (
    st.text(st.sampled_from("ab./%\n\\\u2028ä\x00 "), max_size=8)
    | st.text("ab", min_size=300)
    | st.lists(st.sampled_from(["a", "a.srt", ".a.srt.part", "a.SRT", "a%2Esrt"])).map("/".join)
)


@given(one=keys, other=keys)
def test_two_keys_have_two_files(one, other):
    """Names stay apart, stay in the folder and are short enough for a file system."""
    names = [PurePosixPath(file_name(f"s3://bucket/{key}", ".srt")) for key in (one, other)]

    assert (names[0] == names[1]) == (one == other)
    assert names[0] not in names[1].parents
    for name in names:
        assert ".." not in name.parts
        assert not name.is_absolute()
        assert all(len(os.fsencode(part)) <= 213 and part.isprintable() for part in name.parts)


CLASHING = [
    "a.wav",
    "A.wav",
    "caf\u00e9",
    "cafe\u0301",
    "CAFE\u0301",
    "d/a",
    "D/A",
    "D/b",
    "stra\u00dfe",
    "STRASSE",
]


@pytest.mark.parametrize(("folds", "hashed"), [(False, 0), (True, 5)])
def test_names_that_fall_together_stay_apart(folds, hashed):
    """Where case and accents make no difference the second file has another name, every time."""
    names = FileNames(".srt", folds=folds)

    once, again = ([names.of(f"s3://b/{key}") for key in CLASHING] for _ in range(2))

    assert once == again
    assert len({normalize("NFC", each).casefold() for each in once}) == (10 if folds else 5)
    assert len(set(once)) == len(CLASHING)
    assert sum("%~" in each for each in once) == hashed
    assert once[0] == "b/a.wav.srt"


def test_a_folder_is_asked_whether_it_folds_names(tmp_path):
    """It is tried, as each folder of a file system may do otherwise, and nothing is left of it."""
    (tmp_path / "A").touch()

    assert folds_names(tmp_path) == (tmp_path / "a").exists()
    assert not folds_names(tmp_path / "none")
    assert [each.name for each in tmp_path.iterdir()] == ["A"]


@pytest.fixture
def texts_of(tmp_path):
    """The texts that are taken of some lines."""

    def take(*lines: GroundTruth) -> list[str]:
        truth = tmp_path / "ground_truth.jsonl"
        truth.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in lines))
        return [each.text for each in one_each(truth)]

    return take


def test_the_newest_of_several_reviews_is_taken(texts_of):
    """A recording that several people reviewed is written once, as it was saved last."""
    assert texts_of(
        line(text="first", task_id=1, annotation_id=1, updated_at="2026-11-02"),
        line(text="second", task_id=1, annotation_id=2, updated_at="2026-11-01"),
        line(text="other", task_id=2, annotation_id=3, audio="s3://b/b.mp3"),
    ) == ["first", "other"]


def test_a_starred_review_is_taken_before_all_others(texts_of):
    """Who gave a review Label Studio's star said which one is true, whoever saved another later."""
    assert texts_of(
        line(text="starred", annotation_id=1, updated_at="2026-11-01", starred=True),
        line(text="later", annotation_id=2, updated_at="2026-11-02"),
    ) == ["starred"]


def test_a_recording_of_two_projects_is_taken_once(texts_of):
    """A recording is known by its URI, whatever project reviewed it and whatever job heard it."""
    auto = msgspec.structs.replace(WHOLE, source=AUTO, text="auto")

    assert texts_of(
        line(text="old", project="p/1", task_id=1, job_id="1", updated_at="2026-11-01"),
        line(text="other", project="p/1", task_id=2, audio="s3://b/b.mp3"),
        auto,
        line(text="new", project="p/2", task_id=1, job_id="2", updated_at="2026-11-02"),
        auto,
    ) == ["other", "new"]


def test_of_texts_that_nobody_reviewed_the_last_is_taken(texts_of):
    """What was put into the file later is of newer content."""
    auto = msgspec.structs.replace(WHOLE, source=AUTO)
    replace = msgspec.structs.replace

    assert texts_of(replace(auto, text="old"), replace(auto, text="new", job_id="2")) == ["new"]


def test_tasks_without_audio_are_not_one_recording(texts_of):
    """Tasks made by hand may have no audio; each is written."""
    assert texts_of(
        line(text="one", audio="", task_id=1), line(text="two", audio="", task_id=2)
    ) == ["one", "two"]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (
            "srt",
            "1 file in srt is of an earlier convert and not part of this one: srt/b/gone.srt",
        ),
        ("text-tasks", "text-tasks/tasks-0002.json"),
        ("nemo", ""),
    ],
)
def test_files_of_an_earlier_convert_are_told(run, form, said):
    """What is no longer in the ground truth is not taken for a part of it; nothing is deleted."""
    truth = run.folder / "ground_truth.jsonl"
    truth.write_bytes(msgspec.json.encode(WHOLE) + b"\n")
    old = [f"{form}/b/gone.srt", f"{form}/tasks-0002.json"]
    for path in (run.folder / each for each in old):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("old")

    outcome = run("convert", form)

    assert outcome.code == 0
    assert said in outcome.err
    assert ("earlier convert" in outcome.err) == bool(said)
    assert all((run.folder / each).read_text() == "old" for each in old)


def test_the_command_writes_a_file_for_each_recording(run):
    """`convert` prints the names, and makes files that their owner alone may read."""
    lines = [WHOLE, msgspec.structs.replace(WHOLE, source=AUTO, audio="s3://b/b.wav", job_id="2")]
    truth = run.folder / "ground_truth.jsonl"
    truth.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in lines))

    outcome = run("convert", "textgrid", "--to", "grids")

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        "grids/b/calls/a.mp3.TextGrid",
        "grids/b/b.wav.TextGrid",
    ]
    assert (run.folder / "grids/b/b.wav.TextGrid").stat().st_mode & 0o777 == 0o600
    assert run("convert", "srt", "--reviewed").out == "srt/b/calls/a.mp3.srt\n"


def test_a_file_that_cannot_be_written_keeps_no_other_back(run):
    """Something else in a file's place is told and counted, and the other files are written."""
    lines = [msgspec.structs.replace(WHOLE, audio=f"s3://b/{key}") for key in ("a", "a.srt/b", "c")]
    truth = run.folder / "ground_truth.jsonl"
    truth.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in lines))
    assert run("convert", "srt").out.split() == [
        "srt/b/a.srt",
        "srt/b/a%2Esrt/b.srt",
        "srt/b/c.srt",
    ]
    (run.folder / "srt/b/a.srt").unlink()
    (run.folder / "srt/b/a.srt").mkdir()

    outcome = run("convert", "srt")

    assert outcome.code == 1
    assert outcome.out.split() == ["srt/b/a%2Esrt/b.srt", "srt/b/c.srt"]
    assert "srt/b/a.srt can't be written" in outcome.err
    assert "1 of 3 files could not be written" in outcome.err


def test_nothing_to_convert_is_said(run):
    """A ground truth without a line is no error."""
    (run.folder / "ground_truth.jsonl").write_bytes(b"")

    outcome = run("convert", "vtt")

    assert (outcome.code, outcome.out) == (0, "")
    assert "nothing to convert" in outcome.err


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"spk_0": "Agent"}, ["Agent", "spk_1", None]),
        ({"ch_0": "Agent", "ch_1": "Customer"}, ["Agent", "Customer", "Customer"]),
        ({"spk_1": "Ben", "ch_1": "Customer"}, ["spk_0", "Ben", "Customer"]),
        ({}, ["spk_0", "spk_1", None]),
    ],
)
def test_speakers_are_called_what_the_settings_say(names, expected):
    """By the label, else by the channel; who is not named keeps the service's label."""
    spoken = [("spk_0", 0), ("spk_1", 1), (None, 1)]
    segments = [
        Segment(start=n, end=n + 1, text="so", speaker=who, channel=channel)
        for n, (who, channel) in enumerate(spoken)
    ]

    assert [each.speaker for each in renamed(line(*segments), names).segments] == expected


def test_the_command_renames_speakers_in_every_format(run):
    """Subtitles, the manifest and the grid's tiers have the names of the settings."""
    (run.folder / "ground_truth.jsonl").write_bytes(msgspec.json.encode(TWO))
    (run.folder / "c.toml").write_text('[label_studio]\nspeakers = {spk_0 = "Agent"}\n')

    for wanted in ("srt", "nemo", "textgrid"):
        assert run("convert", wanted, "--config", "c.toml").code == 0

    assert "Agent: hello there" in (run.folder / "srt/b/calls/a.mp3.srt").read_text()
    assert '"speaker":"Agent"' in (run.folder / "nemo/manifest.jsonl").read_text()
    assert 'name = "Agent"' in (run.folder / "textgrid/b/calls/a.mp3.TextGrid").read_text()


def test_a_preferred_reviewer_counts_before_the_newest(tmp_path):
    """The star first, then the reviewers in the order of the settings, else the newest."""
    truth = tmp_path / "ground_truth.jsonl"
    lines = [
        line(text=who, reviewer=who, annotation_id=n, updated_at=f"2026-11-0{n}")
        for n, who in enumerate(("anna", "ben", "carla"), 1)
    ]
    truth.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in lines))

    def taken(*prefer: str) -> list[str]:
        return [each.text for each in one_each(truth, prefer=prefer)]

    assert taken("ben", "anna") == ["ben"]
    assert taken("dora", "anna", "ben") == ["anna"]
    assert taken("dora") == taken() == ["carla"]


def test_a_line_of_several_reviewers_is_preferred_when_all_are(tmp_path):
    """It has the place of the last of them: who is not named makes it as good as any."""
    truth = tmp_path / "ground_truth.jsonl"
    parts = tuple(ReviewedPart(start=n, end=n + 1, reviewer=f"r{n}") for n in range(2))
    lines = [
        line(text="both", task_id=1, reviewer="r0, r1", parts=parts, updated_at="1"),
        line(text="other", task_id=2, reviewer="r2", updated_at="2"),
    ]
    truth.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in lines))

    def taken(*prefer: str) -> str:
        [counts] = one_each(truth, prefer=prefer)
        return f"{counts.text} {why(counts, prefer)}"

    assert taken("r1", "r0", "r2") == taken("r0", "r1") == "both is preferred"
    assert taken("r0", "r2", "r1") == "other is preferred"
    assert taken("r0") == "other is the newest"
