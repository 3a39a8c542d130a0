"""The pages' statements for Athena: read in its dialect, and asked of DuckDB over what is written.

Athena reads CREATE TABLE as Hive does and queries as Trino does; sqlglot knows both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tools.docs import DOCS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.tables

PAGE = DOCS / "how-to" / "tables.md"
METADATA = DOCS / "how-to" / "metadata.md"
RESULTS = ("--results", "s3://audio/transcripts/")
SETTINGS = """
[metadata]
source = "manifest"
columns = ["queue"]
key_pattern = "{agent}/"
"""
MORE = ("agent string", "queue string")  # as the page says of names in [metadata]
PARQUET = {
    "string": "string",
    "int": "int32",
    "bigint": "int64",
    "double": "double",
    "boolean": "bool",
    "timestamp": "timestamp[ms]",
}
"""The type of a file's column for each that a statement names."""


def block(name: str, page: Path = PAGE) -> str:
    """A block of a page."""
    found = re.search(rf"```{name}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


def statements(text: str) -> list[Any]:
    """The statements of a text, as Athena reads them; an error where it would not."""
    import sqlglot

    return [each for each in sqlglot.parse(text, dialect="athena") if each]


def in_duckdb(text: str) -> str:
    """One statement in DuckDB's words; an error where it has none for them."""
    import sqlglot

    [statement] = statements(text)
    said: str = statement.sql("duckdb", unsupported_level=sqlglot.ErrorLevel.RAISE)
    return said


def declared() -> Iterator[tuple[str, list[tuple[str, str]], Any]]:
    """Each table that the page creates: its name, its columns with their types, the statement."""
    for each in statements(block("sql athena")):
        columns = [
            (column.name, column.kind.sql("hive").lower()) for column in each.this.expressions
        ]
        yield each.this.this.name, columns, each


@pytest.fixture
def folder(run, cloud):
    """Tables of two agents' recordings with metadata; one was transcribed a second time."""
    service = cloud()
    service.put("meier/a.mp3", "the quick brown fox")
    service.put("sato/b.mp3", "jumps over")
    (run.folder / "night.toml").write_text(SETTINGS, encoding="utf-8")
    (run.folder / "calls.csv").write_text("key,queue\nmeier/a.mp3,returns\nsato/b.mp3,orders\n")
    config = ("--config", "night.toml")
    for text in ("jumps over", "jumps over it"):
        service.put("sato/b.mp3", text)
        run("run", "s3://audio/", "--manifest", "calls.csv", *config, *RESULTS)
        run("transcripts", "--to", "tables/", "--format", "parquet", *config)
    return run.folder / "tables"


def test_every_table_that_is_created_has_the_columns_of_its_files(folder):
    """Names, order and types are those in the files, and the days are where their folders are."""
    import pyarrow.parquet as pq

    for name, columns, statement in declared():
        assert (statement.key, statement.kind) == ("create", "TABLE")
        assert properties(statement) == {
            "EXTERNAL",
            "PARTITIONED BY (day STRING)",
            "STORED AS PARQUET",
            f"LOCATION 's3://my-bucket/tables/{name}/'",
            "'projection.enabled'='true'",
            "'projection.day.type'='date'",
            "'projection.day.format'='yyyy-MM-dd'",
            "'projection.day.range'='2020-01-01,NOW'",
        }
        own = ["agent", "queue"] if name == "recordings" else []
        files = list(folder.glob(f"{name}/day=????-??-??/*.parquet"))
        assert len(files) == 2
        for path in files:
            schema = pq.ParquetFile(path).schema_arrow
            written = [(each.name, str(each.type)) for each in schema]
            assert written[: len(columns)] == [(column, PARQUET[of]) for column, of in columns]
            assert [each for each, _ in written[len(columns) :]] == own

    assert [name for name, *_ in declared()] == ["recordings", "segments", "words"]


def properties(statement: Any) -> set[str]:
    """What a statement says of its table beside the columns, each as Hive has it."""
    each = statement.args["properties"].expressions
    return {one.sql("hive").replace("`", "") for one in each}


def test_every_query_answers_with_the_right_rows(folder):
    """Over tables that have the columns which the statements create, and no others."""
    import duckdb

    with duckdb.connect() as db:
        for name, columns, _ in declared():
            names = [column for column, _ in columns]
            names += [each.split()[0] for each in MORE] if name == "recordings" else []
            listed = ", ".join(f'"{each}"' for each in [*names, "day"])
            files = f"read_parquet('{folder}/{name}/*/*.parquet', union_by_name = true)"
            db.sql(f"CREATE VIEW {name} AS SELECT {listed} FROM {files}")
        db.sql(in_duckdb(f"CREATE VIEW latest AS {block('sql')}"))
        words, silence, agent = (
            db.sql(in_duckdb(block(f"sql {name}"))).fetchall()
            for name in ("words", "silence", "agent")
        )
        groups = db.sql(in_duckdb(block("sql group", METADATA))).fetchall()
        every = db.sql("SELECT count(*) FROM recordings").fetchall()

    assert every == [(3,)]
    assert words == [("meier/a.mp3", None, 4), ("sato/b.mp3", None, 3)]
    assert sorted(key for key, _ in silence) == ["meier/a.mp3", "sato/b.mp3"]
    assert all(0 <= share < 1 for _, share in silence)
    assert [(key, text) for key, _, text in agent] == [("meier/a.mp3", "the quick brown fox")]
    assert groups == [("meier", "returns", 1, 0.0), ("sato", "orders", 1, 0.0)]


def test_every_statement_of_the_pages_is_one_that_athena_reads():
    """What is not DuckDB's own creates a table or selects, and nothing is a statement unknown."""
    kinds = {
        (page.stem, name): [each.key for each in statements(text)]
        for page in sorted(DOCS.rglob("*.md"))
        for name, text in re.findall(
            r"```sql ?(.*?)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL
        )
        if name != "duckdb"
    }

    assert kinds == {
        ("metadata", "group"): ["select"],
        ("tables", ""): ["select"],
        ("tables", "agent"): ["select"],
        ("tables", "athena"): ["create"] * 3,
        ("tables", "silence"): ["select"],
        ("tables", "words"): ["select"],
    }
