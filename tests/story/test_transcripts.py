"""Transcripts as files, from the results that a run has written."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from tests.conftest import SILENT, SMALL_DISK, endpoint
from tests.support.between import Answer, between, refusal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli, Outcome, ScriptedCloud

pytestmark = pytest.mark.usefixtures("in_this_process")

RESULTS = ("--results", "s3://audio/transcripts/")
ALL = "txt,srt,vtt,csv,json,rttm,ctm,textgrid"
SUFFIXES = ("txt", "srt", "vtt", "csv", "json", "rttm", "ctm", "TextGrid")
LEDGER = "tasks.jsonl.state.transcripts"


def transcripts(run: Cli, *more: str, to: str = "texts/", formats: str = "txt,srt") -> Outcome:
    """The command with its answer in JSON."""
    return run("transcripts", "--to", to, "--format", formats, "--json", *more)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def moments(folder: Path) -> dict[str, int]:
    """When every file below a folder was written."""
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def count(folder: Path) -> int:
    """How many files are below a folder, which may change at the same time."""
    return sum(len(names) for *_, names in os.walk(folder))


def starts(service: ScriptedCloud) -> int:
    """How many jobs were started, or tried to be."""
    found: int = service.counts()["calls"].get("StartTranscriptionJob", 0)
    return found


@pytest.mark.parametrize("results", [RESULTS, ()], ids=["own bucket", "service bucket"])
def test_every_recording_has_its_file_in_each_format(run, cloud, results):
    """Files of the owner alone at the place of each key, from what is stored, without a job."""
    service = cloud()
    service.put("calls/2026/a.mp3", "hello there")
    service.add(b="second", silent="")
    run("run", "s3://audio/", *results)
    before = starts(service)

    outcome = transcripts(run, formats=ALL)
    at = moments(run.folder / "texts")
    again = transcripts(run, formats=ALL)

    written = contents(run.folder / "texts")
    stems = ("calls/2026/a", "b", "silent")
    assert (outcome.code, outcome.summary["written"]) == (0, 24)
    assert (again.code, again.summary["recordings"], again.summary["known"]) == (0, 0, 24)
    assert not any(again.summary["calls"].values())
    assert moments(run.folder / "texts") == at
    assert set(written) == {f"{stem}.{suffix}" for stem in stems for suffix in SUFFIXES}
    assert written["calls/2026/a.txt"] == b"hello there\n"
    assert json.loads(written["calls/2026/a.json"])["audio"] == "s3://audio/calls/2026/a.mp3"
    assert {
        path.stat().st_mode & 0o777 for path in (run.folder / "texts").rglob("*") if path.is_file()
    } == {0o600}
    assert starts(service) == before


def test_a_second_call_writes_what_is_new_and_nothing_else(run, cloud):
    """A new recording and a changed one get their files; whatever is written costs no call."""
    service = cloud()
    service.add(one="first", two="second")
    run("run", "s3://audio/", *RESULTS)
    transcripts(run)
    before = moments(run.folder / "texts")

    nothing = transcripts(run)
    service.add(two="changed", three="third")
    run("run", "s3://audio/", *RESULTS)
    outcome = transcripts(run)

    after = moments(run.folder / "texts")
    assert (nothing.code, nothing.summary["recordings"], nothing.summary["known"]) == (0, 0, 4)
    assert not any(nothing.summary["calls"].values())
    assert (outcome.code, outcome.summary["recordings"], outcome.summary["written"]) == (0, 2, 4)
    one = str(run.folder / "texts/one.txt")
    assert after[one] == before[one]
    assert (run.folder / "texts/two.txt").read_text() == "changed\n"


@pytest.mark.parametrize("place", ["texts/", "s3://audio/texts"])
@pytest.mark.parametrize("kills", [3, pytest.param(12, marks=pytest.mark.long)])
def test_a_call_killed_at_any_moment_is_completed_by_the_next(run, cloud, place, kills):
    """However often it is killed, the files are those of a call that nobody disturbed."""
    service, recordings = cloud(), 14 * kills
    service.add(**{f"rec{n}": f"number {n}" for n in range(recordings)})
    run("run", "s3://audio/", *RESULTS)
    transcripts(run, to="whole/", formats=ALL)
    folder = (run.folder if place == "texts/" else service.folder) / "texts"
    files, how_many = len(SUFFIXES) * recordings, random.Random(1)
    for _ in range(kills):
        enough = count(folder) + how_many.randint(1, files // kills // 2)
        with run.start("transcripts", "--to", place, "--format", ALL) as process:
            while process.poll() is None and count(folder) < enough:
                time.sleep(0.002)
            process.kill()

    outcome = transcripts(run, to=place, formats=ALL)

    assert (outcome.code, outcome.summary["known"]) == (0, files)
    assert outcome.summary["written"] > 0
    assert contents(folder) == contents(run.folder / "whole")


@pytest.mark.parametrize("place", ["texts/", "s3://audio/texts/"])
def test_a_lost_ledger_costs_reading_and_no_file(run, cloud, tmp_path, place):
    """What is there says the same, so it stays as it is and is known again."""
    cloud().add(one="first", two="second")
    run("run", "s3://audio/", *RESULTS)
    transcripts(run, to=place)
    folder = (run.folder if place == "texts/" else tmp_path / "audio") / "texts"
    before = moments(folder)
    (run.folder / LEDGER).unlink()

    outcome = transcripts(run, to=place)

    assert (outcome.code, outcome.summary["written"], outcome.summary["known"]) == (0, 0, 4)
    assert moments(folder) == before


@pytest.mark.parametrize("place", ["texts/", "s3://audio/texts/"])
def test_what_is_not_ours_is_told_and_stays(run, cloud, tmp_path, place):
    """Somebody's file is in nobody's place; the others are written, and it once it is moved."""
    cloud().add(one="first", two="second")
    run("run", "s3://audio/", *RESULTS)
    folder = (run.folder if place == "texts/" else tmp_path / "audio") / "texts"
    folder.mkdir()
    (folder / "one.txt").write_text("mine")

    refused = transcripts(run, to=place)
    stayed = contents(folder)
    (folder / "one.txt").unlink()
    outcome = transcripts(run, to=place)

    assert (refused.code, refused.summary["failed"]) == (1, {"file not written": 1})
    assert "one.mp3:" in refused.err
    assert "holds something else already" in refused.err
    assert stayed["one.txt"] == b"mine"
    assert set(stayed) == {"one.txt", "one.srt", "two.txt", "two.srt"}
    assert (outcome.code, outcome.summary["written"]) == (0, 1)
    assert contents(folder)["one.txt"] == b"first\n"


def test_what_was_edited_since_is_not_overwritten(run, cloud):
    """A file of ours that somebody corrected is theirs."""
    service = cloud()
    service.add(one="first")
    run("run", "s3://audio/", *RESULTS)
    transcripts(run)
    (run.folder / "texts/one.txt").write_text("corrected\n")
    service.add(one="second take")
    run("run", "s3://audio/", *RESULTS)

    outcome = transcripts(run)

    assert outcome.code == 1
    assert (run.folder / "texts/one.txt").read_text() == "corrected\n"
    assert "second take" in (run.folder / "texts/one.srt").read_text()


def test_two_recordings_of_one_name_have_two_files(run, cloud):
    """The second ends in a hash, today and whenever it is written again."""
    service = cloud()
    service.put("a.mp3", "first")
    service.put("a.wav", "second")
    run("run", "s3://audio/", *RESULTS)

    transcripts(run, formats="txt")
    written = contents(run.folder / "texts")
    shutil.rmtree(run.folder / "texts")
    transcripts(run, "--again", formats="txt")

    assert sorted(written.values()) == [b"first\n", b"second\n"]
    assert {name.partition("%~")[0].removesuffix(".txt") for name in written} == {"a"}
    assert contents(run.folder / "texts") == written


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("changed", "broken transcript: It is the transcript of another job."),
        ("half", "broken transcript: The transcript file is not readable JSON."),
        ("gone", "job or transcript lost: Its transcript is no longer below --results."),
        ("denied", "transcript not readable: AccessDenied: no"),
    ],
)
def test_a_result_that_can_not_be_taken_is_told_and_the_others_are_written(
    run, cloud, wrong, reason
):
    """One recording lacks its files, with the reason; it gets them once the result is back."""
    kind, _, says = reason.partition(": ")
    service = cloud()
    service.add(one="first", two="second")
    run("run", "s3://audio/", *RESULTS)
    job = next(each["data"]["job_id"] for each in run.tasks() if "one" in each["data"]["audio"])
    result = service.folder / "transcripts" / f"{job}.json"
    content = result.read_bytes()
    if wrong == "gone":
        result.unlink()
    elif wrong == "changed":
        result.write_bytes(content.replace(job.encode(), b"another"))
    elif wrong == "half":
        result.write_bytes(content[: len(content) // 2])

    def reply(asked):
        if wrong == "denied" and job in asked.path:
            return refusal(asked, "AccessDenied", "no", 403)
        return asked.forward()

    with between(service, reply) as url:
        run.use(**endpoint(url))
        refused = transcripts(run)
    run.use(**endpoint(service.url))
    result.write_bytes(content)
    outcome = transcripts(run)

    assert (refused.code, refused.summary["failed"]) == (1, {kind: 1})
    assert f"one.mp3: {says}" in refused.err
    assert (outcome.code, outcome.summary["written"]) == (0, 2)
    assert len(contents(run.folder / "texts")) == 4


def test_a_full_disk_stops_the_files_and_the_next_call_has_all(run, cloud):
    """One sentence; with space again every file is as if there had always been some."""
    cloud().add(**{f"rec{n}": f"number {n}" for n in range(40)})
    run("run", "s3://audio/", *RESULTS)
    transcripts(run, to="whole/", formats=ALL)
    (run.folder / LEDGER).unlink()
    command = ("transcripts", "--to", "texts/", "--format", ALL)

    stopped = run(*command, through=SMALL_DISK, before=("60000",))
    completed = run(*command)

    assert (stopped.code, completed.code) == (2, 0)
    assert f"The disk that holds {LEDGER} is full" in stopped.err
    assert "Make space and run the same command again" in stopped.err
    assert "Traceback" not in stopped.err
    assert contents(run.folder / "texts") == contents(run.folder / "whole")


def test_a_service_that_knows_no_job_is_told(run, cloud):
    """After 90 days the service forgets; that costs no job."""
    cloud().add(one="first", two="second")
    run("run", "s3://audio/")
    another = cloud()

    outcome = run("transcripts", "--to", "texts/")

    assert outcome.code == 1
    assert "Left without a file: 2 of them (2 job or transcript lost)." in outcome.err
    assert starts(another) == 0


def test_files_are_written_from_every_shard_of_an_output_on_s3(run, cloud):
    """Where tasks are sealed on S3 one call on any machine finds the transcripts of all shards."""
    cloud().add(**{f"rec{n}": f"number {n}" for n in range(8)})
    on_s3 = ("--output", "s3://audio/tasks/", *RESULTS)
    for shard in ("0", "1"):
        run("run", "s3://audio/", *on_s3, "--shards", "2", "--shard", shard)
    for path in run.folder.iterdir():
        path.unlink()  # as on another machine

    outcome = transcripts(run, "--output", "s3://audio/tasks/", formats="txt")
    again = transcripts(run, "--output", "s3://audio/tasks/", formats="txt")

    assert (outcome.code, again.summary["recordings"]) == (0, 0)
    assert contents(run.folder / "texts") == {
        f"rec{n}.txt": f"number {n}\n".encode() for n in range(8)
    }


def test_subtitles_are_laid_out_as_asked_for_and_anew_when_that_changes(run, cloud):
    """Another layout is another file, and the text is left alone."""
    cloud().add(one="the quick brown fox jumps over the lazy dog and runs away into the wood")
    run("run", "s3://audio/", *RESULTS)
    transcripts(run)

    outcome = transcripts(run, "--line-length", "20", "--lines", "1")

    lines = (run.folder / "texts/one.srt").read_text().split("\n")[2::4]
    assert (outcome.code, outcome.summary["written"]) == (0, 1)
    assert len(lines) > 3
    assert max(map(len, lines)) <= 20


def test_what_can_not_be_meant_is_refused(run, cloud):
    """A wrong place, format or state is told before anything is read."""
    cloud().add(one="first")
    run("run", "s3://audio/")
    (run.folder / "rubbish").write_bytes(b"no database" * 200)

    for arguments, says in (
        (("--to", "out/", "--format", "txt,docx"), "There is no format 'docx' of transcripts"),
        (("--to", "https://x/y"), "is no folder and no place on S3"),
        (("--to", "s3:texts"), "is no folder and no place on S3"),
        (
            (),
            "No place for the transcripts is named. Name a folder or s3://bucket/prefix/ with --to",
        ),
        (("--to", ""), "No place for the transcripts is named"),
        (("--to", "tasks.jsonl"), "can't be written"),
        (("--to", "out/", "--state", "rubbish"), "rubbish is not a state file"),
    ):
        outcome = run("transcripts", *arguments)

        assert outcome.code == 2
        assert says in outcome.err
        assert not (run.folder / "out").exists()


def test_a_folders_transcripts_are_not_kept(run, recordings):
    """It is said once, instead of recording by recording."""
    run("run", recordings, "--include", SILENT)

    outcome = transcripts(run)

    assert outcome.code == 2
    assert "only a bucket's transcripts are kept" in outcome.err


def test_the_next_run_is_not_disturbed(run, cloud):
    """Where the files lie among the recordings the next run takes none of them for one."""
    service = cloud()
    service.add(one="first")
    run("run", "s3://audio/")
    run.use(**endpoint(service.url))
    transcripts(run, to="s3://audio/", formats=ALL)

    outcome = run("run", "s3://audio/", "--json")

    assert (outcome.code, outcome.counts["started"]) == (0, 0)


@pytest.mark.parametrize("command", ["transcripts", "run"])
def test_a_file_that_s3_does_not_take_for_too_long_is_left_for_the_next_call(run, cloud, command):
    """The others are written; nothing is lost, and the same command writes it later."""
    service = cloud()
    service.add(**{f"rec{n}": f"number {n}" for n in range(8)})
    to = {"transcripts": "--to", "run": "--transcripts"}[command]
    source = ("s3://audio/",) if command == "run" else ()
    whole = (command, *source, to, "s3://audio/texts/", "--json")
    if command == "transcripts":
        run("run", "s3://audio/", *RESULTS)

    def reply(asked):
        busy = asked.method == "PUT" and "rec3.txt" in asked.path
        return Answer(503, b"", {}) if busy else asked.forward()

    with between(service, reply) as url:
        run.use(AWS_ENDPOINT_URL=url, TRANSCRIBE_PIPELINE_RETRY_SECONDS="0.5")
        first = run(*whole)
        run.use(AWS_ENDPOINT_URL=service.url)
        second = run(*whole)

    assert (first.code, second.code) == (1, 0), first.err
    assert "should not happen" not in first.err
    assert len(contents(service.folder / "texts")) == 8
    assert len(run.tasks()) == 8
    assert set(service.counts()["created"].values()) == {1}


AS_IT_GOES = ("--transcripts", "texts/", "--transcript-format", "txt,srt")


def test_a_run_writes_them_as_it_goes_on(run, cloud):
    """Each recording has its files with its task, and neither the next run nor the command more."""
    service = cloud()
    service.add(one="first", two="second")

    outcome = run("run", "s3://audio/", *AS_IT_GOES)
    before = moments(run.folder / "texts")
    command = transcripts(run)
    service.add(three="third")
    run("run", "s3://audio/", *AS_IT_GOES)

    assert outcome.code == 0
    assert {name.rpartition("/")[2] for name in before} == {
        "one.txt", "one.srt", "two.txt", "two.srt"
    }  # fmt: skip
    assert (command.summary["recordings"], command.summary["known"]) == (0, 4)
    after = moments(run.folder / "texts")
    assert {name: after[name] for name in before} == before
    assert (run.folder / "texts/three.txt").read_text() == "third\n"


def test_a_run_over_a_folder_writes_them(run, recordings):
    """A folder's transcripts are kept nowhere else; words and times are in them."""
    one = ("--include", "calls/invoice.wav")
    outcome = run("run", recordings, *one, "--transcripts", "texts/", "--transcript-format", "json")

    document = json.loads((run.folder / "texts/calls/invoice.json").read_bytes())
    assert outcome.code == 0
    assert document["text"] == run.texts().popitem()[1]
    assert document["segments"][0]["words"]


def test_a_run_killed_at_any_moment_has_every_file_and_task_in_the_end(run, cloud):
    """Each task once, and each file of every format as if nobody had disturbed it."""
    service = cloud("--seconds", "0.1")
    service.add(**{f"rec{n}": f"number {n}" for n in range(40)})
    command = ("run", "s3://audio/", "--transcripts", "texts/", "--transcript-format", ALL)
    when = random.Random(2)
    for _ in range(3):
        with run.start(*command) as process:
            time.sleep(when.uniform(0.4, 0.8))
            process.kill()

    outcome = run(*command)
    transcripts(run, to="whole/", formats=ALL)

    written = contents(run.folder / "texts")
    assert outcome.code == 0
    assert len(run.tasks()) == len(run.texts()) == 40
    assert len(written) == 40 * len(SUFFIXES)
    assert written == contents(run.folder / "whole")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("one/1.txt", "texts/one/1.txt holds something else already, and only what this program"),
        ("one", "texts/one/1.txt can't be written: Not a directory. `transcripts` writes those"),
    ],
)
def test_a_run_goes_on_where_a_file_can_not_be_written(run, cloud, file, said):
    """The tasks are written, somebody's file stays, and one note says why and what helps."""
    service = cloud()
    for name in ("one/1", "one/2", "two/1"):
        service.put(f"{name}.mp3", name)
    somebodys = run.folder / "texts" / file
    somebodys.parent.mkdir(parents=True)
    somebodys.write_text("mine")

    outcome = run("run", "s3://audio/", *AS_IT_GOES, "--json")

    assert outcome.code == 0
    [note] = outcome.summary["notes"]
    assert f"Some transcripts are in no file. Of the first: {said}" in note
    assert len(run.tasks()) == 3
    assert somebodys.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--transcripts", "texts/", "--transcript-format", "doc"), "no format 'doc'"),
        (("--transcripts", "https://x/"), "is no folder and no place on S3"),
        (("--transcripts", "tasks.jsonl.state"), "can't be written"),
    ],
)
def test_a_run_with_a_wrong_place_or_format_starts_nothing(run, cloud, arguments, says):
    """It is told before a job is paid for."""
    service = cloud()
    service.add(one="first")

    outcome = run("run", "s3://audio/", *arguments)

    assert outcome.code == 2
    assert says in outcome.err
    assert starts(service) == 0


def test_a_folder_s_run_needs_no_account_for_its_transcripts(run, recordings):
    """They can't be put on S3, as the run talks to this machine alone."""
    outcome = run("run", recordings, "--transcripts", "s3://audio/texts/")

    assert outcome.code == 2
    assert "is on S3, and SOURCE is a folder" in outcome.err
