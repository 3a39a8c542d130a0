"""A transcript in each format, read back by the readers of other hands."""

from __future__ import annotations

import csv
import io
import json
import re
from html import unescape
from typing import TYPE_CHECKING

import msgspec
import pytest
import webvtt
from praatio import textgrid

from pipeline.config.metadata import Metadata, Values, column_names
from pipeline.errors import BadSettings
from pipeline.model import Job, Recording, Segment, Transcript, Word
from pipeline.transcripts.captions import Layout
from pipeline.transcripts.formats import TranscriptFormat, parse_formats
from pipeline.transcripts.parsing import parse_transcript
from pipeline.transcripts.render import COLUMNS, SCHEMA, Transcribed, render
from tests.support.transcripts import FOLDER, SHAPES
from tools.docs import DOCS

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("csv", "json")
AUDIO = "s3://b/calls/my call.mp3"
JOB = Job(1, b"", "job-1", Recording("calls/my call.mp3", "e1", 100))
HELLO = (Word("Hello", 0.5, 0.9, 0.98), Word("there.", 1.0, 1.5, 0.9))
ANSWER = (Word('say "a, b"', 1.75, 2.25), Word("--> c", 2.5, 3.0, 0.5))
CALL = Transcript(
    "job-1",
    'Hello there. say "a, b" --> c',
    (
        Segment("Hello there.", 0.5, 1.5, "spk_0", "ch_0", "en-US", 0.94, HELLO),
        Segment('say "a, b" --> c', 1.75, 3.0, "spk_1", "ch_1", None, 0.5, ANSWER),
    ),
    4,
    0.7934999,
    ("en-US", "de-DE"),
)
HOSTILE = '=HYPERLINK("http://x","y"),\r\n;@SUM(1)\t"'
SILENCE = Transcript("job-1", "")


def written(wanted: str, transcript: Transcript = CALL, job: Job = JOB) -> str:
    """The content of a file."""
    of = Transcribed(AUDIO, job, transcript, "en-US")
    return render(TranscriptFormat(wanted), of, Layout()).decode()


def test_text_has_a_line_for_each_turn():
    """Who speaks stands before what is said, and nobody where nobody was told apart."""
    alone = Transcript("job-1", "One text. And so on.", (Segment("One text. And so on.", 0, 1),))

    assert written("txt") == 'spk_0: Hello there.\nspk_1: say "a, b" --> c\n'
    assert written("txt", alone) == "One text. And so on.\n"


@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_subtitles_are_read_by_another_library(kind):
    """The library webvtt-py finds the same words at the same times."""
    read_back = webvtt.from_buffer(io.StringIO(written(kind)), format=kind)

    first, second = read_back.captions
    assert (first.start, first.end) == ("00:00:00.500", "00:00:01.500")
    assert (second.start, second.end) == ("00:00:01.750", "00:00:03.000")
    assert first.text.removeprefix("spk_0: ") == "Hello there."
    assert (
        second.text.removeprefix("spk_1: ")
        .replace("->", "-->")
        .replace("--&gt;", "-->")
        .replace("---", "--")
        == 'say "a, b" --> c'
    )


def test_a_table_has_a_row_for_each_segment():
    """Python's csv reads what is said, whatever marks are in it."""
    header, *rows = csv.reader(io.StringIO(written("csv")))

    assert tuple(header) == COLUMNS
    assert rows == [
        [AUDIO, "0.5", "1.5", "spk_0", "ch_0", "en-US", "0.94", "Hello there."],
        [AUDIO, "1.75", "3.0", "spk_1", "ch_1", "en-US", "0.5", 'say "a, b" --> c'],
    ]


def test_metadata_has_columns_that_the_settings_name():
    """They are the same in every file, each value is read back, and `start` is still the time."""
    chosen = Metadata("manifest", ["Start", "note", "sure", "gone"], "{speaker}/{n:d}/")
    metadata: Values = {
        "Start": 7,
        "note": HOSTILE,
        "sure": True,
        "speaker": "Ü",
        "n": 1,
        "more": "x",
    }
    of = Transcribed(AUDIO, JOB, CALL, "en-US", metadata, column_names(chosen, COLUMNS))

    table = render(TranscriptFormat.CSV, of, Layout()).decode()
    silent = render(TranscriptFormat.CSV, of._replace(transcript=SILENCE), Layout()).decode()
    document = json.loads(render(TranscriptFormat.JSON, of, Layout()))

    header, first, _ = csv.reader(io.StringIO(table, newline=""))
    added = ["metadata_speaker", "n", "metadata_Start", "note", "sure", "gone"]
    assert header == [*COLUMNS, *added]
    assert silent == table.partition("\n")[0] + "\n"
    assert first[:3] == [AUDIO, "0.5", "1.5"]
    assert first[len(COLUMNS) :] == ["Ü", "1", "7", HOSTILE, "true", ""]
    assert document["metadata"] == metadata


def test_json_has_the_words_with_their_times():
    """The document names its schema, and leaves out what is unknown."""
    document = json.loads(written("json"))

    assert (document["schema"], document["audio"]) == (SCHEMA, AUDIO)
    assert document["confidence"] == 0.7935
    assert document["speakers"] == ["spk_0", "spk_1"]
    assert document["segments"][0]["words"] == [
        {"start": 0.5, "end": 0.9, "text": "Hello", "confidence": 0.98},
        {"start": 1.0, "end": 1.5, "text": "there.", "confidence": 0.9},
    ]
    assert "language" not in document["segments"][1]
    assert "redacted" not in document


def test_rttm_says_who_spoke_when():
    """Ten fields a line, as NIST's tools and pyannote read them."""
    lines = [line.split() for line in written("rttm").splitlines()]

    assert [len(line) for line in lines] == [10, 10]
    assert lines[0] == ["SPEAKER", "calls/my%20call", "1", "0.500", "1.000", "<NA>", "<NA>",
                        "spk_0", "<NA>", "<NA>"]  # fmt: skip
    assert (lines[1][2], lines[1][7]) == ("2", "spk_1")


def test_ctm_has_a_line_for_each_word():
    """File, channel, start, length, word and confidence, by channel."""
    assert written("ctm").splitlines() == [
        "calls/my%20call 1 0.500 0.400 Hello 0.9800",
        "calls/my%20call 1 1.000 0.500 there. 0.9000",
        'calls/my%20call 2 1.750 0.500 say%20"a,%20b"',
        "calls/my%20call 2 2.500 0.500 -->%20c 0.5000",
    ]


def test_a_comment_of_nist_s_is_no_key():
    """A key that begins with ;; would be passed over by every reader."""
    odd = Job(1, b"", "job-1", Recording(";;calls.mp3", "e1", 1))

    assert all(line.startswith("%3B;calls ") for line in written("ctm", job=odd).splitlines())


def test_a_grid_is_read_by_praat_s_library(tmp_path: Path):
    """Praatio finds a tier for each speaker with the same words and times."""
    path = tmp_path / "a.TextGrid"
    path.write_text(written("textgrid"), encoding="utf-8")
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)

    assert {tier.name: [tuple(each) for each in tier.entries] for tier in grid.tiers} == {
        "spk_0": [(0.5, 1.5, "Hello there.")],
        "spk_1": [(1.75, 3.0, 'say "a, b" --> c')],
    }


@pytest.mark.parametrize("wanted", list(TranscriptFormat))
def test_silence_has_its_file(wanted):
    """Nobody speaks: the file says so, and every format has one."""
    empty = {"vtt": "WEBVTT\n", "csv": ",".join(COLUMNS) + "\n"}

    content = written(wanted, SILENCE)

    if wanted is TranscriptFormat.JSON:
        assert json.loads(content)["segments"] == []
    elif wanted is TranscriptFormat.TEXTGRID:
        assert content.count("text = ") == 1
    else:
        assert content == empty.get(wanted, "")


UNSAFE = (
    "\r", "\n", "a\rb", "\r\n\r\n2\r\n", "\x00", "\x1b[31m", "\x0b", "\x85", "\u2028", "\u202e",
    "-->", "<v x>", "</v>", "&lt;", '"', ",", "=1+1", ";", "x" * 200_000,
)  # fmt: skip


@pytest.mark.parametrize("text", UNSAFE, ids=lambda each: repr(each)[:20])
def test_no_word_speaker_or_key_breaks_a_file(text):
    """What is said, by whom and under which key forges no line, cue, row or field."""
    csv.field_size_limit(1_000_000)
    words = tuple(Word(f"{part}{text}", n, n + 0.5, 0.9) for n, part in enumerate("ab"))
    said = " ".join(each.text for each in words)
    heard = [Segment(said, 0, 1.5, f"{text}{who}", words=words) for who in ("spk_0", "spk_1")]
    job = Job(1, b"", "job-1", Recording(f"../{text[:500]}/a b.mp3", "e1", 100))
    of = Transcript("job-1", f"{said} {said}", tuple(heard), 4)

    table = list(csv.reader(io.StringIO(written("csv", of, job), newline="")))
    captions = [
        len(webvtt.from_buffer(io.StringIO(written(kind, of, job)), format=kind).captions)
        for kind in ("srt", "vtt")
    ]
    assert {len(row) for row in table} == {len(COLUMNS)}
    assert [row[-1] for row in table[1:]] == [said, said]
    assert set(captions) <= {2, 4}
    assert [part["text"] for part in json.loads(written("json", of, job))["segments"]] == [said] * 2
    assert written("txt", of, job).count("\n") == 2
    for wanted, fields in (("rttm", 10), ("ctm", 6)):
        lines = written(wanted, of, job).removesuffix("\n").split("\n")
        assert {len(line.split()) for line in lines} == {fields}, wanted


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_the_service_keeps_its_words(shape):
    """Transcripts of all years have each word once: in json, in ctm, and in the captions."""
    content = (FOLDER / f"{shape}.json").read_bytes()
    transcript = parse_transcript(content, words=True)

    words = [word for each in json.loads(written("json", transcript))["segments"]
             for word in each["words"]]  # fmt: skip
    captions = webvtt.from_buffer(io.StringIO(written("vtt", transcript)), format="vtt").captions
    shown = "".join(unescape(each.text) for each in captions)
    spoken = "".join(each.text for each in transcript.segments)

    assert len(words) == written("ctm", transcript).count("\n") == transcript.word_count
    assert sorted("".join(shown.split())) == sorted("".join(spoken.split()))
    assert [bare(each) for each in transcript.segments] == list(parse_transcript(content).segments)


def bare(segment: Segment) -> Segment:
    """A segment without its words."""
    return msgspec.structs.replace(segment, words=())


def test_the_page_names_every_column_and_field():
    """Who reads the files finds in the reference what is in them."""
    page = (DOCS / "reference" / "output-formats.md").read_text(encoding="utf-8")
    about_csv, about_json = (page.split(f"### {kind}\n")[1].split("\n###")[0] for kind in KINDS)
    named_csv, named_json = map(first_column, (about_csv, about_json))
    redacted = msgspec.structs.replace(CALL, redacted=True)
    of = Transcribed(AUDIO, JOB, redacted, "en-US", {"agent": "x"})

    assert named_csv == set(COLUMNS)
    assert named_json - {"segments.words"} == set(
        json.loads(render(TranscriptFormat.JSON, of, Layout()))
    )
    assert SCHEMA in about_json


def first_column(page: str) -> set[str]:
    """The names in the first column of a page's table."""
    _, *rows = re.findall(r"^\| (.*?) \|", page, re.MULTILINE)
    return set(re.findall(r"`([\w.]+)`", " ".join(rows)))


def test_formats_are_named_in_a_list():
    """Each once, in any case; an unknown one is named with those that there are."""
    assert parse_formats("SRT, txt,srt") == (TranscriptFormat.SRT, TranscriptFormat.TXT)
    with pytest.raises(BadSettings, match=r"'doc'.*txt, srt"):
        parse_formats("txt,doc")
    with pytest.raises(BadSettings, match="No format"):
        parse_formats(" , ")
