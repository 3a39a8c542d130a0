"""Transcripts as tables, read by those who will read them: DuckDB and pyarrow."""

from __future__ import annotations

import json
import random
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import SMALL_DISK
from tests.support.between import Answer, between, refusal
from tests.support.documents import is_what_is_shown, typed
from tools.docs import DOCS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli, Outcome

RESULTS = ("--results", "s3://audio/transcripts/")
PLACES = ("tables/", "s3://audio/tables/")


def tables(run: Cli, *more: str, to: str = "tables/") -> Outcome:
    """The command with its answer in JSON."""
    return run("transcripts", "--to", to, "--format", "parquet", "--json", *more)


def ask(folder: Path, query: str) -> list[Any]:
    """What DuckDB answers; the tables are views by their names."""
    import duckdb

    with duckdb.connect() as db:
        for table in ("recordings", "segments", "words"):
            files = f"{folder}/{table}/*/*.parquet"
            db.sql(
                f"CREATE VIEW {table} AS FROM read_parquet('{files}', "
                "hive_partitioning = true, union_by_name = true)"
            )
        found: list[Any] = db.sql(query).fetchall()
        return found


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def where(run: Cli, service, place: str) -> Path:
    """The folder that a place is."""
    return (run.folder if place == "tables/" else service.folder) / "tables"


ROWS = "SELECT * EXCLUDE (day) FROM {} ORDER BY ALL"


@pytest.mark.parametrize("place", PLACES)
def test_the_tables_grow_by_what_is_new(run, cloud, place):
    """A second call writes nothing; a third adds files, and leaves those that are there."""
    service = cloud()
    service.add(one="first words", two="second")
    run("run", "s3://audio/", *RESULTS)

    first = tables(run, to=place)
    folder = where(run, service, place)
    before = contents(folder)
    nothing = tables(run, to=place)
    service.add(three="third")
    run("run", "s3://audio/", *RESULTS)
    third = tables(run, to=place)

    after = contents(folder)
    assert (first.code, first.summary["recordings"], first.summary["written"]) == (0, 2, 3)
    assert (nothing.code, nothing.summary["recordings"], nothing.summary["written"]) == (0, 0, 0)
    assert nothing.summary["known"] == 3
    assert third.summary["written"] == 3
    assert before.items() <= after.items()
    assert len(after) == 6
    assert ask(folder, "SELECT key, version, text FROM recordings ORDER BY key") == [
        ("one.mp3", 1, "first words"),
        ("three.mp3", 1, "third"),
        ("two.mp3", 1, "second"),
    ]
    [(day, moment)] = ask(folder, "SELECT DISTINCT day, transcribed_at::DATE FROM recordings")
    assert day == moment


@pytest.mark.parametrize("more", [0, 2_000])
def test_words_and_times_are_those_of_the_json(run, cloud, more):
    """Each word and segment of the stored transcript is in the tables once, under its job."""
    recordings = {f"rec{n}": f"number {n} ünd so on" for n in range(more)}
    cloud().add(one="the quick brown fox", two="jumps over", silent="", **recordings)
    rates = dict.fromkeys(("START", "GET", "LIST"), "1000")
    run.use(**{f"TRANSCRIBE_PIPELINE_{name}_RATE": rate for name, rate in rates.items()})
    run("run", "s3://audio/", *RESULTS)
    run("transcripts", "--to", "texts/", "--format", "json", *RESULTS)

    tables(run)
    again = tables(run)

    assert (again.code, again.summary["recordings"], again.summary["written"]) == (0, 0, 0)
    documents = [json.loads(each) for each in contents(run.folder / "texts").values()]
    assert sorted(
        (each["job_id"], number, word["start"], word["end"], word["text"])
        for each in documents
        for number, segment in enumerate(each["segments"])
        for word in segment["words"]
    ) == ask(
        run.folder / "tables",
        "SELECT job_id, segment, start_time, end_time, text FROM words ORDER BY ALL",
    )
    assert sorted((each["job_id"], each["text"], each["word_count"]) for each in documents) == ask(
        run.folder / "tables", "SELECT job_id, text, word_count FROM recordings ORDER BY ALL"
    )


@pytest.mark.parametrize("place", PLACES)
def test_a_call_killed_at_any_moment_loses_no_row_and_doubles_none(run, cloud, place):
    """However often it is killed, the rows are those of a call that nobody disturbed."""
    service = cloud()
    service.add(**{f"rec{n}": f"number {n}" for n in range(60)})
    run("run", "s3://audio/", *RESULTS)
    tables(run, to="whole/")
    when = random.Random(3)
    for _ in range(4):
        with run.start("transcripts", "--to", place, "--format", "parquet") as process:
            time.sleep(when.uniform(0.2, 0.9))
            process.kill()

    outcome = tables(run, to=place)

    assert outcome.code == 0
    for table in ("recordings", "segments", "words"):
        whole = ask(run.folder / "whole", ROWS.format(table))
        assert whole
        assert ask(where(run, service, place), ROWS.format(table)) == whole


def test_a_recording_transcribed_again_has_another_row_and_the_newest_one_counts(run, cloud):
    """What was written stays; the page's query takes the newest of each recording."""
    service = cloud()
    service.add(one="first", two="second")
    run("run", "s3://audio/", *RESULTS)
    tables(run)
    service.add(one="first take two")
    run("run", "s3://audio/", *RESULTS)

    outcome = tables(run)

    folder = run.folder / "tables"
    assert outcome.summary["recordings"] == 1
    assert ask(folder, "SELECT key, version, text FROM recordings ORDER BY ALL") == [
        ("one.mp3", 1, "first"),
        ("one.mp3", 2, "first take two"),
        ("two.mp3", 1, "second"),
    ]
    latest = query("sql")
    assert ask(folder, f"SELECT key, text FROM ({latest}) ORDER BY key") == [
        ("one.mp3", "first take two"),
        ("two.mp3", "second"),
    ]


def test_metadata_has_columns_and_its_change_alone_another_row(run, cloud):
    """Types are kept, the words are not written twice, and no job is started."""
    service = cloud()
    service.put("7/one.mp3", "first")
    (run.folder / "night.toml").write_text(
        '[metadata]\nsource = "manifest"\ncolumns = ["Version", "sure"]\nkey_pattern = "{n:d}/"'
    )
    for text in ("a", "b"):
        row = {"key": "7/one.mp3", "Version": f"{text}'\n=1", "sure": True}
        (run.folder / "calls.jsonl").write_text(json.dumps(row), encoding="utf-8")
        named = ("--manifest", "calls.jsonl", "--config", "night.toml")
        last = run("run", "s3://audio/", *named, "--json", *RESULTS)
        outcome = tables(run, "--config", "night.toml")

    folder = run.folder / "tables"
    rows = ask(
        folder, "SELECT version, n, metadata_Version, sure, metadata FROM recordings ORDER BY 1"
    )
    assert last.counts["started"] == 0
    assert outcome.summary["written"] == 1
    assert [(version, n, text, sure) for version, n, text, sure, _ in rows] == [
        (1, 7, "a'\n=1", "true"),
        (2, 7, "b'\n=1", "true"),
    ]
    assert json.loads(rows[1][-1]) == {"n": 7, "Version": "b'\n=1", "sure": True}
    assert ask(folder, "SELECT count(*), min(segment), min(word) FROM words") == [(1, 0, 0)]
    assert tables(run, "--config", "night.toml").summary["recordings"] == 0


@pytest.mark.parametrize("place", PLACES)
def test_a_lost_ledger_costs_reading_and_no_row(run, cloud, place):
    """Another machine reads which recordings are there, and adds only what is new."""
    service = cloud()
    service.add(one="first", two="second")
    run("run", "s3://audio/", *RESULTS)
    tables(run, to=place)
    before = contents(where(run, service, place))
    (run.folder / LEDGER).unlink()

    outcome = tables(run, to=place)

    assert (outcome.code, outcome.summary["recordings"]) == (0, 0)
    assert contents(where(run, service, place)) == before


def test_what_a_lost_machine_left_halfway_is_named(run, cloud):
    """Its words would be there twice: the file to take away is named, and then all is well."""
    cloud().add(one="first")
    run("run", "s3://audio/", *RESULTS)
    tables(run)
    folder = run.folder / "tables"
    [recordings] = folder.glob("recordings/*/*")
    recordings.unlink()
    (run.folder / LEDGER).unlink()

    refused = tables(run)
    for path in folder.rglob("*.parquet"):
        path.unlink()
    outcome = tables(run)

    assert refused.code == 2
    assert "has no recordings" in refused.err
    assert "take that file away" in refused.err
    assert (outcome.code, ask(folder, "SELECT count(*) FROM words")) == (0, [(1,)])


def test_what_is_not_ours_is_told_and_stays(run, cloud):
    """A file of recordings that is none is named, and no table grows beside it."""
    cloud().add(one="first")
    run("run", "s3://audio/", *RESULTS)
    mine = run.folder / "tables/recordings/mine.parquet"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")

    outcome = tables(run)

    assert outcome.code == 2
    assert "recordings/mine.parquet below" in outcome.err
    assert "it is no file of recordings" in outcome.err
    assert contents(run.folder / "tables") == {"recordings/mine.parquet": b"mine"}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("changed", "broken transcript"),
        ("gone", "job or transcript lost"),
        ("denied", "transcript not readable"),
    ],
)
def test_a_result_that_can_not_be_taken_is_told_and_the_others_have_their_rows(
    run, cloud, wrong, reason
):
    """One recording has no row, with the reason; it gets one once the result is back."""
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

    def reply(asked):
        is_denied = wrong == "denied" and job in asked.path
        return refusal(asked, "AccessDenied", "no", 403) if is_denied else asked.forward()

    with between(service, reply) as url:
        run.use(AWS_ENDPOINT_URL=url)
        refused = tables(run)
    rows = ask(run.folder / "tables", "SELECT key FROM recordings")
    run.use(AWS_ENDPOINT_URL=service.url)
    result.write_bytes(content)
    outcome = tables(run)

    assert (refused.code, refused.summary["failed"], rows) == (1, {reason: 1}, [("two.mp3",)])
    assert "one.mp3: " in refused.err
    assert (outcome.code, outcome.summary["recordings"]) == (0, 1)
    assert ask(run.folder / "tables", "SELECT key, text FROM recordings ORDER BY ALL") == [
        ("one.mp3", "first"),
        ("two.mp3", "second"),
    ]


def test_a_full_disk_loses_no_row_and_doubles_none(run, cloud):
    """One sentence; with space again the rows are those of a call that always had some."""
    cloud().add(**{f"rec{n}": f"number {n}" for n in range(60)})
    run("run", "s3://audio/", *RESULTS)
    tables(run, to="whole/")
    (run.folder / LEDGER).unlink()
    command = ("transcripts", "--to", "tables/", "--format", "parquet")

    stopped = run(*command, through=SMALL_DISK, before=("60000",))
    completed = run(*command)

    assert (stopped.code, completed.code) == (2, 0)
    assert f"The disk that holds {LEDGER} is full" in stopped.err
    assert "Make space and run the same command again" in stopped.err
    assert "Traceback" not in stopped.err
    for table in ("recordings", "segments", "words"):
        query = ROWS.format(table)
        assert ask(run.folder / "tables", query) == ask(run.folder / "whole", query) != []


def test_what_s3_does_not_take_for_too_long_is_there_after_the_next_call(run, cloud):
    """The call ends with a sentence; the next one has each row, once."""
    service = cloud()
    service.add(**{f"rec{n}": f"number {n}" for n in range(3)})
    run("run", "s3://audio/", *RESULTS)

    def reply(asked):
        busy = asked.method == "PUT" and "/recordings/" in asked.path
        return Answer(503, b"", {}) if busy else asked.forward()

    with between(service, reply) as url:
        run.use(AWS_ENDPOINT_URL=url, TRANSCRIBE_PIPELINE_RETRY_SECONDS="0.5")
        refused = tables(run, to="s3://audio/tables/")
        run.use(AWS_ENDPOINT_URL=service.url)
        outcome = tables(run, to="s3://audio/tables/")

    assert (refused.code, outcome.code) == (2, 0)
    assert "Traceback" not in refused.err
    assert ask(service.folder / "tables", "SELECT count(*) FROM words") == [(6,)]
    assert ask(service.folder / "tables", "SELECT count(*) FROM recordings") == [(3,)]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("transcripts", "--to", "out/", "--format", "parquet,txt"), "with other formats"),
        (("transcripts", "--to", "out/", "--format", "parquet", "--again"), "never change"),
        (
            ("run", "s3://audio/", "--transcripts", "out/", "--transcript-format", "parquet"),
            "A run writes no parquet",
        ),
    ],
)
def test_what_tables_can_not_be_is_refused(run, cloud, words, says):
    """One sentence, before anything is read or paid for."""
    service = cloud()

    outcome = run(*words)

    assert outcome.code == 2
    assert says in outcome.err
    assert not (run.folder / "out").exists()
    assert service.counts()["created"] == {}


PAGE = DOCS / "how-to" / "tables.md"
LEDGER = "tasks.jsonl.state.transcripts"


def query(name: str, page: Path = PAGE) -> str:
    """A query of a page, or what else it shows."""
    found = re.search(rf"```{name}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


def test_the_page_does_what_it_says(run, cloud):
    """Its commands are typed, its views made, and each of its queries answers."""
    import duckdb

    service = cloud()
    service.put("meier/a.mp3", "the quick brown fox")
    service.put("sato/b.mp3", "jumps over")
    (run.folder / "night.toml").write_text('[metadata]\nkey_pattern = "{agent}/"')

    for command in typed(PAGE):
        if command.is_run:
            _, *words = command.line.replace("s3://my-bucket/calls/", "s3://audio/").split()
            ended = run(*(word.replace("my-bucket", "audio") for word in words),
                        "--config", "night.toml")  # fmt: skip
            shown = command.shown.replace("my-bucket", "audio")
            assert is_what_is_shown(shown, ended.err + ended.out), ended.err

    with duckdb.connect() as db:
        for each in query("sql duckdb").split(";"):
            db.sql(each.replace("'tables/", f"'{service.folder}/tables/"))
        words, silence, agent = (
            db.sql(query(f"sql {name}")).fetchall() for name in ("words", "silence", "agent")
        )
    assert words == [("meier/a.mp3", None, 4), ("sato/b.mp3", None, 2)]
    assert {key for key, _ in silence} == {"meier/a.mp3", "sato/b.mp3"}
    assert all(0 <= share < 1 for _, share in silence)
    assert [(key, text) for key, _, text in agent] == [("meier/a.mp3", "the quick brown fox")]


def test_metadata_groups_the_tables_as_its_page_says(run, cloud):
    """Parts of the key and columns of the table are columns, under the page's own settings."""
    page = DOCS / "how-to" / "metadata.md"
    service = cloud()
    service.put("meier/2026-11-28/0001.mp3", "first")
    service.put("sato/2026-11-28/0002.mp3", "second")
    (run.folder / "night.toml").write_text(query("toml tables", page), encoding="utf-8")
    (run.folder / "calls.csv").write_text(query("csv", page).replace("calls/", ""))
    config = ("--config", "night.toml")
    run("run", "s3://audio/", "--manifest", "calls.csv", *config, *RESULTS)

    tables(run, *config)

    latest = f"({query('sql')})"
    assert ask(run.folder / "tables", query("sql group", page).replace("latest", latest)) == [
        ("meier", "returns", 1, 0.0),
        ("sato", "orders", 1, 0.0),
    ]


def test_the_page_of_the_formats_names_every_column():
    """Who reads the tables finds in the reference what is in them."""
    from pipeline.transcripts.tables import RECORDINGS, SEGMENTS, WORDS

    page = (DOCS / "reference/output-formats.md").read_text(encoding="utf-8")
    about = page.split("### parquet\n")[1].split("\n###")[0]
    first = re.findall(r"^\| (`.*?) \|", about, re.MULTILINE)

    assert set(re.findall(r"`(\w+)`", " ".join(first))) == {*RECORDINGS, *SEGMENTS, *WORDS}
