"""Files of transcripts in every format, each read back by a reader of other hands."""

from __future__ import annotations

import csv
import io
import json
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
import webvtt
from praatio import textgrid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Piece = tuple[float, float, str | None]

FORMATS = "txt,srt,vtt,csv,json,rttm,ctm,textgrid"
SPOKEN = 'number {n} ünd "so"; 3 < 4 & 5 > 2 漢字 =1+1, O\u2019Neill 100 % \\N the end of {n}'


def captions(path: Path) -> Iterator[Piece]:
    """By webvtt-py, which would take `<` and `>` in SubRip for a tag."""
    text = io.StringIO(path.read_text(encoding="utf-8"))
    for each in webvtt.from_buffer(text, format=path.suffix[1:]).captions:
        said = unescape(each.text) if path.suffix == ".vtt" else each.raw_text
        yield seconds(each.start), seconds(each.end), said


def seconds(clock: str) -> float:
    """Of a time that webvtt-py writes as 00:00:07.400."""
    hours, minutes, rest = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def table(path: Path) -> Iterator[Piece]:
    """By Python's csv."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield float(row["start"]), float(row["end"]), row["text"]


def document(path: Path) -> Iterator[Piece]:
    """By Python's json, word by word."""
    for segment in json.loads(path.read_bytes())["segments"]:
        for word in segment["words"]:
            yield word["start"], word["end"], word["text"]


def fields(path: Path) -> Iterator[Piece]:
    """By columns, as NIST's tools take them."""
    for line in path.read_text(encoding="utf-8").splitlines():
        columns = line.split()
        start, length = map(float, columns[3:5] if path.suffix == ".rttm" else columns[2:4])
        yield start, start + length, None if path.suffix == ".rttm" else unquote(columns[4])


def grid(path: Path) -> Iterator[Piece]:
    """By praatio."""
    for tier in textgrid.openTextgrid(str(path), includeEmptyIntervals=False).tiers:
        yield from (tuple(each) for each in tier.entries)


OF_WORDS = ("json", "ctm", "srt", "vtt")
"""Those whose times are of words; those of the others are of segments."""

READERS = {
    "srt": captions,
    "vtt": captions,
    "csv": table,
    "json": document,
    "rttm": fields,
    "ctm": fields,
    "TextGrid": grid,
}


def heard(path: Path) -> tuple[list[float], list[float], str | None]:
    """When the pieces of a file begin, and when they end; and all that is said."""
    starts, ends, texts = zip(*READERS[path.suffix[1:]](path), strict=True)
    said = None if None in texts else " ".join(" ".join(texts).split())
    return [round(each, 3) for each in starts], [round(each, 3) for each in ends], said


@pytest.mark.parametrize("recordings", [10, pytest.param(2_000, marks=pytest.mark.long)])
def test_every_file_has_the_words_and_times_of_the_service(run, cloud, recordings):
    """In each format; what it can't have, as the words in RTTM, is all that is not there."""
    service = cloud()
    spoken = {f"rec{n}": SPOKEN.format(n=n) for n in range(recordings)}
    service.add(**spoken)
    rates = dict.fromkeys(("START", "GET", "LIST"), "1000")
    run.use(**{f"TRANSCRIBE_PIPELINE_{name}_RATE": rate for name, rate in rates.items()})
    run("run", "s3://audio/", "--results", "s3://audio/transcripts/")

    outcome = run("transcripts", "--to", "texts/", "--format", FORMATS, "--json")
    again = run("transcripts", "--to", "texts/", "--format", FORMATS, "--json")

    folder = run.folder / "texts"
    assert (outcome.code, outcome.summary["written"]) == (0, 8 * recordings)
    assert (again.code, again.summary["recordings"]) == (0, 0)
    for task in run.tasks():
        name = task["data"]["recording"].removesuffix(".mp3")
        result = service.folder / "transcripts" / f"{task['data']['job_id']}.json"
        times = times_of(json.loads(result.read_bytes())["results"])
        assert (folder / f"{name}.txt").read_text(encoding="utf-8") == f"{spoken[name]}\n"
        for suffix in READERS:
            starts, ends, texts = heard(folder / f"{name}.{suffix}")
            wanted = times["items" if suffix in OF_WORDS else "audio_segments"]
            assert texts == (None if suffix == "rttm" else spoken[name]), suffix
            if suffix in ("srt", "vtt"):  # several words each, and long enough to be read
                assert starts[0] == wanted[0][0]
                assert 0 <= ends[-1] - wanted[-1][1] <= 1
            else:
                assert list(zip(starts, ends, strict=True)) == wanted, suffix


def times_of(results: dict[str, Any]) -> dict[str, list[tuple[float, float]]]:
    """When the service's words and segments begin and end."""
    return {
        part: [(float(each["start_time"]), float(each["end_time"])) for each in results[part]]
        for part in ("items", "audio_segments")
    }
