"""S3 Inventory as the source: what S3 writes of a bucket is taken without a call per key."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import tracemalloc
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import PipelineError
from pipeline.model import SourceObject
from pipeline.naming import S3Uri
from pipeline.recordings.bucket import S3Source
from pipeline.recordings.inventory import InventorySource, columns_of, entries_of
from pipeline.recordings.manifest_file import UNREADABLE
from tests.support.inventories import DAY, SCHEMA, part, put_inventory, row
from tests.support.transcripts import json_values

if TYPE_CHECKING:
    from pipeline.aws.s3 import S3
    from tests.conftest import ScriptedCloud

PLACE = S3Uri("audio", "")
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


def read(content: bytes, schema: str = SCHEMA, below: str = "") -> list[SourceObject]:
    columns = columns_of(schema, PLACE)
    return list(entries_of(io.BytesIO(content), columns, S3Uri("audio", below)))


@pytest.fixture
def daily(run, cloud):
    """A bucket of three recordings, and the folder in it where its inventories are written."""
    service: ScriptedCloud = cloud()
    for key in ("calls/a.mp3", "calls/b c+%41.mp3", "other/d.mp3"):
        service.put(key, f"the text of {key}")
    return service, service.folder / "inv/daily"


LISTED = [row("calls/a.mp3"), row("calls/b c+%41.mp3", "e2", "9"), row("other/d.mp3")]


# What a part says


@given(KEYS, st.integers(0, 5 * 2**40), st.sampled_from(["STANDARD", "GLACIER", "DEEP_ARCHIVE"]))
def test_an_entry_is_what_a_listing_would_say(key, size, storage):
    """Key byte for byte, ETag without quotes, size and storage class."""
    content = part([row(key, "9f86-2", str(size), StorageClass=storage)])

    assert read(content) == [SourceObject(key, "9f86-2", size, storage)]


def test_a_key_encoded_in_either_way_is_read():
    """A space is "+" as S3 Inventory has it, or %20; a plus sign is never left as it is."""
    rows = [row("", Key=key) for key in ("a+b%2B.mp3", "a%20b%2B.mp3")]

    assert [entry.key for entry in read(part(rows))] == ["a b+.mp3"] * 2


def test_only_current_objects_are_taken():
    """Of an inventory of all versions, older ones and deleted objects are left out."""
    rows = [
        row("new.mp3"),
        row("new.mp3", "old", IsLatest="false"),
        row("gone.mp3", size="", etag="", IsDeleteMarker="true", StorageClass=""),
    ]

    assert [(entry.key, entry.etag) for entry in read(part(rows))] == [("new.mp3", "e1")]


def test_only_what_lies_below_the_prefix_is_taken():
    """An inventory of the whole bucket serves for each of its prefixes."""
    rows = [row("calls/a.mp3"), row("calls-old/b.mp3"), row("a.mp3")]

    assert [entry.key for entry in read(part(rows), below="calls/")] == ["calls/a.mp3"]


def test_columns_may_stand_in_any_order():
    """What a field means is in the manifest alone; optional fields may be missing."""
    schema = "Bucket, ETag, Size, Key"

    assert read(part([row("a.mp3", "e", "7")], schema), schema) == [SourceObject("a.mp3", "e", 7)]


# A run


@pytest.mark.parametrize(
    "place", [f"inv/daily/{DAY}/manifest.json", "inv/daily/", f"inv/daily/{DAY}/"]
)
def test_a_run_takes_the_inventory_for_the_listing(run, daily, place):
    """No listing of the bucket and no look-up of a recording; the newest one below a folder."""
    service, folder = daily
    put_inventory(folder, part([]), day="2025-12-31T01-00Z")
    put_inventory(folder, part(LISTED[:1]), part(LISTED[1:]))

    outcome = run("run", "s3://audio/calls/", "--manifest", f"s3://audio/{place}", "--json")

    assert outcome.code == 0, outcome.err
    assert sorted(run.texts()) == ["s3://audio/calls/a.mp3", "s3://audio/calls/b c+%41.mp3"]
    calls = service.counts()["calls"]
    assert calls.get("ListObjectsV2", 0) <= 1  # of the inventories
    assert calls.get("HeadObject", 0) <= 2  # of their manifests


@pytest.mark.parametrize("place", ["day/manifest.json", "day", "."])
def test_a_downloaded_inventory_serves_as_well(run, daily, place):
    """`aws s3 sync` of an inventory's folder, named by folder or manifest."""
    put_inventory(run.folder / "down", part(LISTED), day="day")
    put_inventory(run.folder / "down", part([]), day="a-day-before")

    outcome = run("run", "s3://audio/calls/", "--manifest", run.folder / "down" / place, "--json")

    assert outcome.code == 0, outcome.err
    assert outcome.counts["written"] == 2


def test_listing_and_inventory_lead_to_the_same_jobs(run, daily):
    """A run from the inventory after one from the listing starts nothing."""
    service, folder = daily
    stats = {key: (service.folder / key).stat() for key in ("calls/a.mp3", "calls/b c+%41.mp3")}
    etags = {key: f"{s.st_size:x}-{s.st_mtime_ns:x}" for key, s in stats.items()}
    put_inventory(folder, part(row(key, etag) for key, etag in etags.items()))
    run("run", "s3://audio/calls/")
    before = service.counts()["calls"]["StartTranscriptionJob"]

    outcome = run("run", "s3://audio/calls/", "--manifest", "s3://audio/inv/daily/", "--json")

    assert (outcome.code, outcome.counts["tasks"]) == (0, 2)
    assert service.counts()["calls"]["StartTranscriptionJob"] == before


def test_a_large_part_comes_in_pieces(run, daily):
    """A part larger than what is held in memory at once is put together and checked whole."""
    service, folder = daily
    letters = random.Random(7)
    noise = [row(f"{letters.randbytes(500).hex()}.txt") for _ in range(17_000)]
    content = part([*noise, LISTED[0]])
    put_inventory(folder, content)

    outcome = run("run", "s3://audio/", "--manifest", "s3://audio/inv/daily/", "--json")

    assert len(content) > 8 * 2**20
    assert (outcome.code, outcome.counts["listed"]) == (0, 17_001)
    assert service.counts()["calls"]["GetObject"] == 1 + 2 + 1  # manifest, part, transcript


# What is wrong with it


def refused(outcome, *words):
    """Assert exit 2 with one line that holds all words."""
    assert outcome.code == 2, outcome.err
    assert outcome.err.count("\n") == 1
    assert "Traceback" not in outcome.err
    for word in words:
        assert word in outcome.err


WRONG = {
    "of another bucket": ({"sourceBucket": "b"}, "is of s3://b, not of s3://audio/calls/"),
    "Parquet": ({"fileFormat": "Parquet"}, "is written as Parquet. Choose CSV"),
    "ORC": ({"fileFormat": "ORC"}, "is written as ORC. Choose CSV"),
    "without ETag": ({"fileSchema": "Bucket, Key, Size"}, "has no column ETag. Add ETag to"),
    "without both": ({"fileSchema": "Bucket, Key"}, "has no column ETag and no column Size. Add"),
    "other columns": ({"fileSchema": "Key, ETag, Size, IsLatest"}, "its line 1 has other columns"),
    "no files": ({"files": None}, "is not the manifest.json of an inventory: Expected `array`"),
}


@pytest.mark.parametrize(("change", "words"), WRONG.values(), ids=WRONG.keys())
def test_an_inventory_that_can_not_serve_is_refused(run, daily, change, words):
    """One sentence says what is wrong and what to configure; nothing is started."""
    service, folder = daily
    put_inventory(folder, part(LISTED), **change)

    outcome = run("run", "s3://audio/calls/", "--manifest", "s3://audio/inv/daily/")

    refused(outcome, words)
    assert "StartTranscriptionJob" not in service.counts()["calls"]


DAMAGES = {
    "missing": (lambda path: path.unlink(), "There is no object s3://audio/inv/daily/data/"),
    "cut short": (lambda path: path.write_bytes(path.read_bytes()[:-9]), "its MD5 checksum is"),
    "replaced": (lambda path: path.write_bytes(b"hello"), "its MD5 checksum is"),
    "emptied": (lambda path: path.write_bytes(b""), "its MD5 checksum is"),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGES.values(), ids=DAMAGES.keys())
def test_nothing_of_a_damaged_part_is_taken(run, daily, damage, words):
    """A part is checked against the manifest's MD5 before its first row is believed."""
    service, folder = daily
    put_inventory(folder, part(LISTED))
    damage(next((folder / "data").iterdir()))

    outcome = run("run", "s3://audio/calls/", "--manifest", "s3://audio/inv/daily/")

    refused(outcome, words)
    assert "StartTranscriptionJob" not in service.counts()["calls"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no gzip", "it is damaged, or not gzip"),
        (part(LISTED)[:-12], "it is damaged, or not gzip"),
        (gzip.compress(b'"audio","a', mtime=0), "it is not CSV"),
        (gzip.compress(b'"\xff"\n', mtime=0), "it is not UTF-8"),
        (gzip.compress(b'"audio","a.mp3"\n', mtime=0), "its line 1 has other columns"),
    ],
    ids=["no gzip", "cut short", "no CSV", "no UTF-8", "few columns"],
)
def test_a_part_that_can_not_be_read_is_refused(run, daily, content, words):
    """What S3 would never write ends the run with the part's name and no traceback."""
    _, folder = daily
    put_inventory(folder, content)

    refused(run("run", "s3://audio/", "--manifest", "s3://audio/inv/daily/"), "-0.csv.gz", words)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (
            "s3://audio/nothing/",
            "There is no manifest.json of an inventory below s3://audio/nothing/",
        ),
        ("s3://audio/nothing.json", "There is no object s3://audio/nothing.json"),
        ("s3://elsewhere/inv/", "There is no bucket s3://elsewhere"),
        ("nothing.json", "nothing.json can't be read: No such file"),
    ],
)
def test_an_inventory_that_is_not_there_is_named(run, daily, place, words):
    """A wrong name ends the run before anything is started."""
    refused(run("run", "s3://audio/calls/", "--manifest", place), words)


def test_an_inventory_goes_with_a_bucket(run, recordings):
    """A folder has no inventory."""
    outcome = run("run", recordings, "--manifest", "inventory.json")

    refused(outcome, "The inventory inventory.json goes with a bucket, not with a folder.")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            gzip.compress(b"a" * 10**6, mtime=0) * 200,
            "larger than field limit|longer than a megabyte",
        ),
        (gzip.compress(b'"a",' * 250_000, mtime=0) * 200, "longer than a megabyte"),
        (part([row("a" * 20_000)]), "other columns"),
        (part([row("a.mp3", size="9" * 30)]), "other columns"),
    ],
    ids=["line", "row", "key", "size"],
)
def test_a_part_without_end_is_refused_before_it_is_held(content, words):
    """No line, key or size is longer than an object's can be, whatever the part unpacks to."""
    tracemalloc.start()
    try:
        with pytest.raises((ValueError, csv.Error), match=words):
            read(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 30 * 10**6


ROWS = st.lists(st.lists(st.text(max_size=4), max_size=10).map(",".join), max_size=3).map(
    lambda rows: gzip.compress("\n".join(rows).encode("utf-8", "surrogatepass"))
)
NAMED = st.fixed_dictionaries(
    {},
    optional={
        "sourceBucket": st.just("audio") | json_values,
        "fileFormat": st.just("CSV") | json_values,
        "fileSchema": st.just(SCHEMA) | json_values,
        "files": st.lists(
            st.fixed_dictionaries({"key": json_values}, optional={"MD5checksum": json_values})
            | st.fixed_dictionaries({"key": st.just("data/p.csv.gz"), "MD5checksum": json_values})
            | json_values,
            max_size=2,
        )
        | json_values,
    },
)


@given(NAMED.map(json.dumps).map(str.encode) | st.binary(max_size=20), st.binary(max_size=40))
async def test_what_others_wrote_as_an_inventory_ends_in_a_sentence(tmp_path_factory, said, packed):
    """Any JSON for a manifest, any bytes for a part: it is read, or one sentence says why not."""
    folder = tmp_path_factory.mktemp("inventory")
    (folder / "data").mkdir()
    (folder / "manifest.json").write_bytes(said)
    (folder / "data" / "p.csv.gz").write_bytes(packed)
    nowhere = cast("S3", None)
    source = InventorySource(folder / "manifest.json", S3Source(PLACE, nowhere), nowhere)

    with suppress(PipelineError):
        async for page in source.pages():
            assert all(isinstance(each, SourceObject) for each in page)


@given(st.text(max_size=80) | st.just(SCHEMA), st.binary(max_size=120) | ROWS)
def test_any_part_is_read_or_refused(schema, content):
    """Columns in any order and number, rows of any shape, gzip or not."""
    with suppress(PipelineError, ValueError, *UNREADABLE):
        read(content, schema)
