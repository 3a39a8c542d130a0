"""Each benchmark at a toy's size over the real wire, and the arithmetic behind their figures."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import documents, results
from benchmarks.__main__ import BENCHMARKS
from benchmarks.account import Account
from benchmarks.alternatives.tutorial import task_of
from benchmarks.bucket import Bucket, key_of, number_of
from benchmarks.figures import Figure
from benchmarks.makespan import steady_calls
from benchmarks.processes import cloud
from benchmarks.schedule import list_schedule, lower_bound
from benchmarks.transcripts import SHAPES, line_of
from benchmarks.watched import Heartbeat
from pipeline.aws.s3_responses import parse_listing
from pipeline.local import Quotas
from pipeline.local.errors import Refused
from pipeline.model import TaskKind
from pipeline.transcripts.parsing import parse_transcript
from tests.conftest import ROOT
from tests.support.fork_server import Forked

SECONDS = st.lists(st.floats(0.1, 100), min_size=1, max_size=40)
AT_ONCE = Quotas(slots=2, start=math.inf)


def schedules(seconds, quotas):
    return lower_bound(seconds, quotas), list_schedule(seconds, quotas)


@given(SECONDS, st.integers(1, 10), st.floats(0.1, 50))
def test_no_schedule_is_shorter_than_the_bound(seconds, slots, rate):
    """The bound is below what taking the jobs in their order takes, whatever the quotas."""
    bound, ordered = schedules(seconds, Quotas(slots=slots, start=rate))

    assert bound <= ordered * (1 + 1e-9)


def test_equal_jobs_fill_the_slots_to_the_end():
    """Where the jobs are equal and fill the slots evenly, both figures are the work per slot."""
    assert schedules([3.0] * 8, AT_ONCE) == (12.0, 12.0)


def test_the_order_of_the_jobs_costs_what_the_bound_does_not_know():
    """A long job at the end of the order leaves the other slot idle; no bound needs that."""
    assert schedules([2.0, 2.0, 6.0], AT_ONCE) == (6.0, 8.0)


def test_the_start_rate_binds_short_jobs():
    """Ten starts at two a second, two of them at once: the last is after four seconds."""
    assert schedules([0.5] * 10, Quotas(slots=50, start=2)) == (4.5, 4.5)


def test_slots_are_idle_until_their_first_start():
    """Two slots at one start a second: the second slot has lost a second of the work."""
    assert schedules([4.0, 3.0], Quotas(slots=2, start=1)) == (4.0, 4.0)


def test_the_computed_bucket_is_listed_whole():
    """Every key is on one page, in the order of the keys, with the size that it always has."""
    bucket = Bucket(2500, (2.0, 6.0))
    pages = [parse_listing(bucket.listing(query)) for query in ({}, {"continuation-token": "1000"})]
    pages.append(parse_listing(bucket.listing({"continuation-token": "2000"})))
    entries = [entry for page, _ in pages for entry in page]

    assert [token for _, token in pages] == ["1000", "2000", None]
    assert [entry.key for entry in entries] == sorted(key_of(n) for n in range(2500))
    assert [entry.size for entry in entries] == [bucket.size(n) for n in range(2500)]
    assert len({entry.etag for entry in entries}) == 2500


def test_the_computed_bucket_is_listed_by_prefix():
    """A prefix, a place to begin after and a bound of the page hold as they do in S3."""
    query = {"prefix": "00001/", "start-after": key_of(1001), "max-keys": "3"}
    entries, token = parse_listing(Bucket(2500).listing(query))

    assert [number_of(entry.key) for entry in entries] == [1002, 1003, 1004]
    assert token == "1005"
    assert parse_listing(Bucket(2500).listing({"prefix": "transcripts/"})) == ([], None)


def test_jobs_take_the_seconds_that_were_asked_for():
    """The jobs' seconds are spread over the whole range, and are the same every time."""
    seconds = [Bucket(1000, (2.0, 6.0)).job_seconds(number) for number in range(1000)]

    assert seconds == [Bucket(1000, (2.0, 6.0)).job_seconds(number) for number in range(1000)]
    assert 2 <= min(seconds) < 2.1
    assert 5.9 < max(seconds) <= 6
    assert sum(seconds) / 1000 == pytest.approx(4, abs=0.1)


def start(account, number, now):
    request = {"TranscriptionJobName": f"job-{number}"}
    media = {"Media": {"MediaFileUri": f"s3://audio/{key_of(number)}"}}
    return account.call("StartTranscriptionJob", request | media, now)


def names(account, now, **more):
    request = {"Status": "IN_PROGRESS", "MaxResults": 2, **more}
    answer = account.call("ListTranscriptionJobs", request, now)
    jobs = [each["TranscriptionJobName"] for each in answer["TranscriptionJobSummaries"]]
    return jobs, answer.get("NextToken")


def test_the_synthetic_account_keeps_its_quotas():
    """A third job finds no slot of two until one has ended; a second name is a conflict."""
    account = Account(AT_ONCE, Bucket(10, (5.0, 5.0)))
    start(account, 0, now=0.0)
    start(account, 1, now=1.0)

    with pytest.raises(Refused, match="too many jobs"):
        start(account, 2, now=4.9)
    with pytest.raises(Refused, match="already exists"):
        start(account, 0, now=5.0)
    start(account, 2, now=5.0)

    assert account.counts.refused == {"LimitExceededException": 1, "ConflictException": 1}
    assert account.counts.started == 3


def test_the_synthetic_account_throttles():
    """A second's worth of starts is taken at once, the next one is told that it is too many."""
    account = Account(Quotas(slots=100, start=3), Bucket(10, (5.0, 5.0)))
    for number in range(3):
        start(account, number, now=0.0)

    with pytest.raises(Refused, match="Rate exceeded"):
        start(account, 3, now=0.1)


def test_running_jobs_are_listed_newest_first_in_pages():
    """The listing shows the running jobs alone, and its pages leave none out."""
    account = Account(Quotas(start=math.inf, list=math.inf), Bucket(10, (5.0, 5.0)))
    for number in range(4):
        start(account, number, now=float(number))

    page, token = names(account, now=5.5)

    assert page == ["job-3", "job-2"]
    assert names(account, now=5.5, NextToken=token) == (["job-1"], None)


def test_a_transcript_is_there_when_its_job_has_ended():
    """It is missing while the job runs and for jobs that never were, and is counted when read."""
    account = Account(AT_ONCE, Bucket(10, (5.0, 5.0)))
    start(account, 0, now=0.0)

    assert not account.may_read("job-0", now=4.0)
    assert not account.may_read("job-1", now=9.0)
    assert account.may_read("job-0", now=5.0)
    assert (account.counts.read, account.counts.last_read) == (1, 5.0)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_hour_of_speech_is_an_hour_of_speech(shape):
    """The documents measured with have the words, the times and the bytes of an hour."""
    document = SHAPES[shape](9000)
    transcript = parse_transcript(document)

    assert transcript.word_count == len(transcript.text.split()) == 9000
    assert 3590 < max(segment.end for segment in transcript.segments) < 3600
    assert 1_300_000 < len(document) < 2_500_000
    assert (len(transcript.segments), len(transcript.speakers)) == (
        375,
        3 if "speakers" in shape else 0,
    )


def test_the_tutorials_way_says_the_same():
    """What is compared is the same work: text and score of both ways are equal."""
    document = documents.of_today(500)
    ours = orjson.loads(line_of(TaskKind.TRANSCRIPT, document))["predictions"][0]
    theirs = task_of("s3://audio/a.mp3", document)["predictions"][0]

    assert theirs["result"][0]["value"] == ours["result"][0]["value"]
    assert theirs["score"] == pytest.approx(ours["score"], abs=1e-4)


def test_the_pipeline_really_works_at_the_synthetic_cloud(tmp_path):
    """Each recording is started once, read once, and written with its sixty words."""
    with cloud(tmp_path, "--count", "40") as place:
        ran = place.run("--start-rate", "1000")
        asked = place.counts()["calls"]
    tasks = [orjson.loads(line) for line in (tmp_path / "tasks.jsonl").read_bytes().splitlines()]

    assert (
        ran.summary["counts"]["written"]
        == asked["StartTranscriptionJob"]
        == asked["GetObject"]
        == 40
    )
    assert {task["data"]["audio"] for task in tasks} == {
        f"s3://audio/{key_of(n)}" for n in range(40)
    }
    assert {task["data"]["word_count"] for task in tasks} == {60}
    assert ran.peak > 10_000_000


def test_the_thread_pool_really_works_at_the_synthetic_cloud(tmp_path):
    """The script that is compared with does the same work: every recording, and its text."""
    with cloud(tmp_path, "--count", "6") as place:
        process = place.start("alternatives.thread_pool", "6")
        process.communicate()
        counts = place.counts()
    tasks = json.loads((tmp_path / "pool.json").read_bytes())

    assert (process.returncode, counts["started"], counts["read"]) == (0, 6, 6)
    assert len({task["data"]["audio"] for task in tasks}) == 6


QUICK = ("help", "transcripts")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.long] * (name not in QUICK))
        for name in BENCHMARKS
        if name != "long-jobs"
    ],
)
def test_each_benchmark_measures(name):
    """At a toy's size every benchmark still runs to its end and gives a figure for each row."""
    figures = list(BENCHMARKS[name].measure(BENCHMARKS[name].toy))

    assert figures
    # So few recordings may well never block the loop for as long as can be measured.
    assert [f for f in figures if not (math.isfinite(f.value) and f.value >= 0)] == []
    assert [f for f in figures if f.at_least and f.value == 0] == []
    assert all(figure.row().count("|") == 6 for figure in figures)


def test_calls_are_counted_while_every_slot_is_busy():
    """The calls of the first filling and of the last jobs' end are not of the steady state."""
    moments = [(0, 0), (2, 9), (4, 13), (6, 17), (6, 40)]
    samples = [{"started": started, "calls": {"Any": calls}} for started, calls in moments]

    assert steady_calls(samples, slots=2) == 2.0


def test_a_blocked_loop_is_noticed():
    """The watch sees how long nothing could happen in the loop."""

    async def blocked():
        heart = Heartbeat()
        await asyncio.sleep(0.02)
        time.sleep(0.06)  # noqa: ASYNC251 # this is what is to be noticed
        await asyncio.sleep(0.02)
        heart.stop()
        return heart.longest

    assert asyncio.run(blocked()) > 0.05


def test_a_figure_stands_beside_its_goal():
    """A row says what was wanted, what was found, and whether that is enough."""
    few = Figure("calls", 2.05, "", 2.1, beside="5.1: the threads")
    slow = Figure("recordings", 812.0, "/s", 1000, at_least=True, more="1.2 ms each")

    assert few.row() == "| calls | ≤ 2.1 | 2.05 | 5.1: the threads | met |"
    assert slow.row() == "| recordings | ≥ 1000 /s | 812 /s (1.2 ms each) |  | **missed** |"


def test_an_unknown_benchmark_is_named():
    """Asking for one that does not exist ends with a sentence that names those there are."""
    command = [sys.executable, "-m", "benchmarks", "sleep"]
    with Forked(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as ended:
        _, said = ended.communicate()

    assert ended.returncode == 1
    assert "No benchmark is named sleep; there are short-jobs, long-jobs" in said


def test_what_is_measured_apart_stays_when_all_others_are_measured_again(tmp_path, monkeypatch):
    """Each command replaces its own table and no other, and says when that was."""
    for name, path in (("RESULTS", results.RESULTS), ("PAGE", results.PAGE)):
        copy = tmp_path / name
        copy.write_bytes(path.read_bytes())
        monkeypatch.setattr(results, name, copy)

    for table in ("| a |\n", "| b |\n"):
        results.write_apart("hundred-thousand", f"| more {table}")
        results.write_apart("ten-million", table)
        results.write(f"| all {table}")

    text = results.RESULTS.read_text(encoding="utf-8")
    assert results.shown(text) == results.shown(results.PAGE.read_text()) == "| all | b |\n"
    for name, table in (("ten-million", "| b |"), ("hundred-thousand", "| more | b |")):
        [section] = [each for each in text.split("Written by ") if f"NAMES={name}`" in each]
        assert section.strip().endswith(f"\n\n{table}")
    assert text.count("Measured apart") == 1
    assert "| a |" not in text


def test_the_documents_show_the_last_results():
    """The page's table is that of results.md, to the letter."""
    table, page = (path.read_text(encoding="utf-8") for path in (results.RESULTS, results.PAGE))

    assert results.shown(page) == results.shown(table)
