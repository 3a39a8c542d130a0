"""Where something was said, over the results that a run has written."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pipeline.failures import LOST
from pipeline.state.reader import read_state
from pipeline.state.search_index import open_index
from tests.conftest import SILENT, endpoint
from tests.support.between import Answer, between, refusal

if TYPE_CHECKING:
    from tests.conftest import Outcome

pytestmark = pytest.mark.usefixtures("in_this_process")

RESULTS = ("--results", "s3://audio/transcripts/")
STATE = "tasks.jsonl.state"
INDEX = f"{STATE}.search"
WITHOUT_FTS5 = """
import sys
from pipeline.cli import main
from pipeline.state import search_index

known = search_index._INDEX
search_index._INDEX = known._replace(new=known.new.replace("USING fts5", "USING fts9"))
sys.argv = sys.argv[1:]
main()
"""
"""The command with a SQLite that does not know the module of its full-text index."""


def hits(run, *words: str) -> list[tuple[str, str]]:
    """The recordings in which something was said, with the words around."""
    return [
        (hit["recording"], hit["text"]) for hit in run("search", *words, "--json").summary["hits"]
    ]


def calls(service) -> int:
    """How many calls the service has answered."""
    return sum(service.counts()["calls"].values())


@pytest.mark.parametrize("results", [RESULTS, ()], ids=["own bucket", "service bucket"])
def test_a_phrase_is_found_in_its_recording_at_its_time(run, cloud, results):
    """A line for each place, as grep prints them, from an index for its owner alone."""
    service = cloud()
    service.put("calls/a.mp3", "good morning what is your order number please")
    service.add(b="nothing of the kind", silent="")
    run("run", "s3://audio/", *results)

    found = run("search", "Order NUMBER")
    [hit] = run("search", "order number", "--json").summary["hits"]
    [words] = [
        each for each in run("search", "good", "--json").summary["hits"] if each["start"] == 0
    ]

    assert found.code == 0
    assert found.out.startswith("calls/a.mp3  00:00:0")
    assert found.out.endswith("good morning what is your order number please\n")
    assert hit["start"] > words["start"]
    assert (run.folder / INDEX).stat().st_mode & 0o777 == 0o600
    assert set(service.counts()["created"].values()) == {1}


def test_what_nobody_said_is_told_and_ends_with_1(run, cloud):
    """As with grep: 0 something was found, 1 nothing was."""
    cloud().add(a="one two three")
    run("run", "s3://audio/", *RESULTS)

    nothing = run("search", "three one")
    counted = run("search", "two", "--count")
    near = run("search", "three", "--near", "one")

    assert (nothing.code, nothing.out, nothing.err) == (1, "", "Nothing was found.\n")
    assert (counted.code, counted.out) == (0, "1\n")
    assert near.code == 0


def test_a_later_call_reads_what_is_new_and_shows_nothing_that_is_old(run, cloud):
    """What was transcribed again is found by its new text alone; the rest costs nothing."""
    service = cloud()
    service.add(a="first take", b="another one")
    run("run", "s3://audio/", *RESULTS)
    assert hits(run, "take") == [("a.mp3", "first take")]
    (run.folder / INDEX).rename(run.folder / "aside")
    service.add(a="second take", c="a third take")
    run("run", "s3://audio/", *RESULTS)
    (run.folder / "aside").rename(run.folder / INDEX)
    before = calls(service)

    found = hits(run, "take")
    after = calls(service)

    assert sorted(found) == [("a.mp3", "second take"), ("c.mp3", "a third take")]
    assert after > before
    assert hits(run, "first") == []
    assert calls(service) == after


def test_a_run_keeps_the_index_up(run, cloud):
    """Where there is an index the next run adds to it, and a search then reads nothing."""
    service = cloud()
    service.add(a="first take")
    run("run", "s3://audio/", *RESULTS)
    hits(run, "take")
    service.add(a="second take", b="a third take")
    run("run", "s3://audio/", *RESULTS)

    def refuse(_):
        return Answer(500, b"", {})

    with between(service, refuse) as url:
        run.use(AWS_ENDPOINT_URL=url, TRANSCRIBE_PIPELINE_RETRY_SECONDS="0.5")
        found = hits(run, "take")

    assert sorted(found) == [("a.mp3", "second take"), ("b.mp3", "a third take")]


def test_a_run_goes_on_without_an_index_that_can_not_be_used(run, cloud):
    """Its tasks are written, and the next search says what to do about the index."""
    service = cloud()
    service.add(a="first take")
    run("run", "s3://audio/", *RESULTS)
    hits(run, "take")
    (run.folder / INDEX).write_bytes(b"no database" * 200)
    service.add(b="second take")

    ran = run("run", "s3://audio/", *RESULTS)
    refused = run("search", "take")
    (run.folder / INDEX).unlink()

    assert (ran.code, len(run.tasks())) == (0, 2)
    assert (refused.code, refused.out) == (2, "")
    assert "is not a search index, or it is damaged" in refused.err
    assert "Delete it" in refused.err
    assert len(hits(run, "take")) == 2


def test_a_search_killed_at_any_moment_is_completed_by_the_next(run, cloud):
    """However often it is killed, every recording is found once."""
    service = cloud()
    service.add(**{f"rec{n}": f"number {n}" for n in range(60)})
    run("run", "s3://audio/", *RESULTS)
    when = random.Random(1)
    for _ in range(3):
        with run.start("search", "number") as process:
            time.sleep(when.uniform(0.1, 0.4))
            process.kill()

    assert sorted(hits(run, "number")) == sorted((f"rec{n}.mp3", f"number {n}") for n in range(60))


def test_every_shard_of_an_output_on_s3_is_searched(run, cloud):
    """On any machine, without anything that a run left there."""
    cloud().add(**{f"rec{n}": f"number {n}" for n in range(8)})
    on_s3 = ("--output", "s3://audio/tasks/")
    for shard in ("0", "1"):
        run("run", "s3://audio/", *on_s3, *RESULTS, "--shards", "2", "--shard", shard)
    for path in run.folder.iterdir():
        path.unlink()

    first, again = (hits(run, "number", *on_s3) for _ in range(2))

    assert sorted(first) == sorted((f"rec{n}.mp3", f"number {n}") for n in range(8))
    assert again == first


def test_a_second_search_of_an_output_on_s3_asks_for_its_parts_alone(run, cloud):
    """One listing tells that nothing is new; what another machine wrote is found as well."""
    service = cloud()
    on_s3 = ("--output", "s3://audio/tasks/")
    service.add(a="number a")
    run("run", "s3://audio/", *on_s3, *RESULTS)
    first = hits(run, "number", *on_s3)
    before = calls(service)
    again = hits(run, "number", *on_s3)
    asked = calls(service) - before
    [index] = run.folder.glob("*.search")
    aside = index.rename(run.folder / "aside")  # another machine has none that its run adds to
    service.add(b="number b")
    run("run", "s3://audio/", *on_s3, *RESULTS)
    aside.rename(index)
    later = hits(run, "number", *on_s3)

    assert first == again == [("a.mp3", "number a")]
    assert asked == 1
    assert sorted(later) == [*first, ("b.mp3", "number b")]


def test_a_folder_is_searched_by_the_index_of_its_run(run, recordings):
    """A folder's transcripts are kept nowhere else; what a lost index had is told."""
    run("run", recordings, "--include", "calls/cancelled-order.mp3")
    found = run("search", "my order")
    (run.folder / INDEX).unlink()
    lost = run("search", "my order")

    assert (found.code, lost.code) == (0, 1)
    assert found.out.startswith("calls/cancelled-order.mp3  00:00:01  ")
    assert "1 of 1 recording can't be searched (1 from a folder, not kept)" in lost.err
    assert "Run the folder again" in lost.err


def test_a_run_over_a_folder_does_not_begin_without_its_index(run, recordings):
    """Nothing else keeps the texts: no task is written, and deleting it is no whole remedy."""
    (run.folder / INDEX).write_text("x\n")
    only = ("--include", "calls/cancelled-order.mp3")

    refused = run("run", recordings, *only)
    (run.folder / INDEX).unlink()
    ran = run("run", recordings, *only)

    assert (refused.code, ran.code) == (2, 0)
    assert "is not a search index, or it is damaged" in refused.err
    assert "run the folder again with another --output" in refused.err
    assert len(run.tasks()) == 1
    assert run("search", "my order").code == 0


def test_a_run_over_a_folder_needs_no_full_text_index(run, recordings):
    """Where SQLite has none the task is written all the same, and the summary says what is lost."""
    only = ("--include", SILENT)

    ran = run("run", recordings, *only, "--json", through=WITHOUT_FTS5)
    searched = run("search", "my order", through=WITHOUT_FTS5)

    assert (ran.code, len(run.tasks())) == (0, 1), ran.err
    [note] = ran.summary["notes"]
    assert note.startswith("The transcripts of this run can't be searched later. The SQLite of ")
    assert searched.code == 2
    assert "has no FTS5, with which transcripts are searched" in searched.err


def test_a_run_says_when_its_index_can_not_be_used_any_more(run, cloud):
    """Its tasks are written, and what the index lacks is in its summary."""
    service = cloud()
    service.add(a="first take")
    run("run", "s3://audio/", *RESULTS)
    hits(run, "take")
    service.add(b="second take")
    with closing(sqlite3.connect(run.folder / INDEX)) as database:
        database.execute("DROP TABLE texts")

    ran = run("run", "s3://audio/", *RESULTS, "--json")

    assert (ran.code, len(run.tasks())) == (0, 2)
    [note] = ran.summary["notes"]
    assert note.startswith("The search index lacks transcripts of this run. The search index ")
    assert "no such table" in note


def test_a_transcript_that_is_gone_is_told_whatever_is_found(run, cloud, tmp_path):
    """The others are searched, and what is gone for good is asked for once."""
    service = cloud()
    service.add(one="first take", two="second take")
    run("run", "s3://audio/", *RESULTS)
    job = next(each["data"]["job_id"] for each in run.tasks() if "one" in each["data"]["audio"])
    result = tmp_path / "audio" / "transcripts" / f"{job}.json"
    result.write_bytes(result.read_bytes().replace(job.encode(), b"another"))

    first = run("search", "take")
    before = calls(service)
    second = run("search", "take", "--json")

    lacking = "1 of 2 recordings can't be searched (1 broken transcript)"
    assert (first.code, second.code) == (0, 0)
    assert "one.mp3: It is the transcript of another job." in first.err
    assert f"{lacking}. Once they can be read, deleting " in first.err
    assert lacking in second.err
    assert second.summary["not_searched"] == {"broken transcript": 1}
    with open_index(run.folder / INDEX) as index, read_state(run.folder / STATE) as state:
        assert index.made_of == state.recordings.written_mark()
    assert calls(service) == before


def test_another_account_loses_no_transcript_for_good(run, cloud):
    """It knows no job, and what is lost counts as lost once another one could be read."""
    service = cloud()
    service.add(one="first take", two="second take")
    run("run", "s3://audio/")
    cloud()
    lost = run("search", "take", "--json")
    run.use(**endpoint(service.url))
    found = hits(run, "take")
    (run.folder / INDEX).unlink()
    first = run.tasks()[0]["data"]["job_id"]

    def reply(asked):
        gone = asked.operation == "GetTranscriptionJob" and first.encode() in asked.body
        return refusal(asked, "NotFoundException", "No such job.") if gone else asked.forward()

    with between(service, reply) as url:
        run.use(**endpoint(url))
        some = [run("search", "take", "--json") for _ in range(2)]
        before = calls(service)
        run("search", "take")

    assert (lost.code, lost.summary["not_searched"]) == (1, {"job or transcript lost": 2})
    assert len(found) == 2
    assert [each.summary["not_searched"] for each in some] == [{"job or transcript lost": 1}] * 2
    assert calls(service) == before
    with open_index(run.folder / INDEX) as index:
        assert index.lacking() == {"job or transcript lost": 1}


def test_those_lost_before_and_now_are_counted_together(run, cloud):
    """One is lost for good, and another account, which knows no job, has not the new one either."""
    service = cloud()
    service.add(one="first take")
    run("run", "s3://audio/")
    with open_index(run.folder / INDEX) as index, read_state(run.folder / STATE) as state:
        [[job]] = state.recordings.written()
        index.note_lacking(job, LOST)
    (run.folder / INDEX).rename(run.folder / "aside")
    service.add(two="second take")
    run("run", "s3://audio/")
    (run.folder / "aside").rename(run.folder / INDEX)
    cloud()

    outcome = run("search", "take", "--json")

    assert outcome.summary["not_searched"] == {LOST: 2}


def test_transcripts_that_may_not_be_read_are_no_empty_answer(run, cloud):
    """Refused is not absent: it ends with 2, prints no place, and says what to allow."""
    service = cloud()
    service.add(a="first take")
    run("run", "s3://audio/", *RESULTS)
    denied = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"

    def reply(asked):
        read = asked.method == "GET" and "transcripts" in asked.path
        return Answer(403, denied, {}) if read else asked.forward()

    with between(service, reply) as url:
        run.use(AWS_ENDPOINT_URL=url)
        outcome = run("search", "take", "--json")
    run.use(AWS_ENDPOINT_URL=service.url)

    assert outcome.code == 2
    assert "s3:GetObject" in outcome.err
    assert outcome.summary["advice"].startswith("Allow it")
    assert len(hits(run, "take")) == 1


def test_what_has_no_word_is_refused(run, cloud):
    """Nothing could ever be found by it, which is no answer."""
    cloud().add(a="first")
    run("run", "s3://audio/")

    outcome = run("search", "?!")
    near = run("search", "first", "--near", '"""')

    assert (outcome.code, near.code) == (2, 2)
    assert "There is no word in '?!'" in outcome.err
    assert not (run.folder / INDEX).exists()


def test_no_more_places_are_printed_than_asked_for(run, cloud):
    """And it says that there are more."""
    cloud().add(**dict.fromkeys("abc", "a take"))
    run("run", "s3://audio/", *RESULTS)

    outcome = run("search", "take", "--limit", "2")
    in_json = run("search", "take", "--limit", "3", "--json").summary

    assert outcome.out.count("\n") == 2
    assert "There are more" in outcome.err
    assert "write 1000000000 or less" in run("search", "take", "--limit", "9" * 20).err
    assert (len(in_json["hits"]), in_json["more"]) == (3, False)


def test_two_searches_do_not_read_the_same_at_once(run, cloud):
    """The second one says that the first is at it."""
    service = cloud()
    service.add(a="first take")
    run("run", "s3://audio/", *RESULTS)
    busy: list[Outcome] = []

    def reply(asked):
        if asked.method == "GET" and "transcripts" in asked.path and not busy:
            busy.append(run("search", "take"))
        return asked.forward()

    with between(service, reply) as url:
        run.use(AWS_ENDPOINT_URL=url)
        first = run("search", "take")

    assert first.code == 0
    assert busy[0].code == 2
    assert "Another search brings the index" in busy[0].err
    assert json.loads(run("search", "take", "--json").out)["more"] is False
