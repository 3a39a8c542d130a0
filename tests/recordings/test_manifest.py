"""A file that names recordings: keys, URIs, or the lines of a failures file."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.schema import Input
from pipeline.errors import BadSettings
from pipeline.model import SourceObject
from pipeline.recordings.folder import FolderSource
from pipeline.recordings.manifest import ManifestSource
from pipeline.recordings.selection import Selection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NO_BUCKET: Any = None
"""Manifests on this machine need none."""

ODD = "a//b c/ü+%41?#.mp3"


class Bucket:
    """A source that holds whatever it is asked for, but for what is called missing."""

    uri = "s3://calls/2026/"
    bucket = "calls"
    jobs_last = True
    names_each = False

    def media_uri(self, key: str) -> str:
        """The object's URI."""
        return f"s3://calls/{key}"

    audio_uri = media_uri

    def key_of(self, uri: str) -> str | None:
        """The key in a URI of this bucket."""
        return uri.removeprefix("s3://calls/") if uri.startswith("s3://calls/") else None

    async def pages(self) -> AsyncIterator[list[SourceObject]]:
        """A manifest's source is not listed."""
        raise AssertionError
        yield []

    async def look_up(self, key: str) -> SourceObject | None:
        """Every object has the same content."""
        return None if "missing" in key else SourceObject(key, "1", 7)

    async def tags(self, key: str) -> dict[str, str] | None:
        """Nobody asks."""
        raise AssertionError(key)

    async def read_part(self, key: str, first: int, last: int) -> bytes | None:
        """Nobody reads."""
        raise AssertionError(key, first, last)


@pytest.fixture(name="path")
def manifest_file(tmp_path):
    return tmp_path / "manifest.txt"


def fill(path: Path, content: str | bytes) -> None:
    path.write_bytes(content.encode() if isinstance(content, str) else content)


async def pages_of(path: Path, content: str | bytes) -> list[list[SourceObject]]:
    """What a manifest of this content names."""
    fill(path, content)
    return [page async for page in ManifestSource(path, Bucket(), NO_BUCKET).pages()]


async def keys_of(path: Path, content: str | bytes) -> list[str]:
    return [entry.key for page in await pages_of(path, content) for entry in page]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n\n", "\r\n\r\n"])
async def test_a_line_is_a_key(path, end):
    """Keys stand one a line, in any order, byte for byte; empty lines are passed over."""
    keys = ["b.mp3", "2026/a.mp3", ODD, " spaces "]

    assert keys == await keys_of(path, end.join(keys))


@pytest.mark.parametrize(
    "line",
    [
        ODD,
        f"s3://calls/{ODD}",
        json.dumps({"key": ODD}),
        json.dumps({"uri": f"s3://calls/{ODD}"}),
        json.dumps({"uri": f"s3://calls/{ODD}", "key": None, "more": [1]}),
        json.dumps({"uri": f"s3://calls/{ODD}", "key": ODD, "reason": "too long", "attempts": 2}),
    ],
)
async def test_a_recording_is_named_in_three_ways(path, line):
    """A key, a URI of the source, and a line of the failures file name the same recording."""
    assert await keys_of(path, line) == [ODD]


async def test_a_key_in_a_line_of_json_is_taken_as_it_is(path):
    """A key may hold what a line of text can't: line ends, and what looks like a URI."""
    keys = ["a\nb.mp3", "a\rb.mp3", "s3://calls/c.mp3", "x://y.mp3", "{d}.mp3"]

    lines = "\n".join(json.dumps({"key": key}) for key in keys)

    assert keys == await keys_of(path, lines)


async def test_only_a_newline_ends_a_line(path):
    """Other characters that separate lines elsewhere may be part of a key."""
    keys = ["a\rb.mp3", "a\u2028b.mp3", "a\x0bb.mp3", "a\x85b.mp3"]

    assert keys == await keys_of(path, "\n".join(keys))


@pytest.mark.parametrize(
    "line", ["s3://others/a.mp3", "https://calls/a.mp3", "s3://calls/", '{"uri": "s3://o/a.mp3"}']
)
async def test_what_is_not_of_the_source_is_refused(path, line):
    """A URI of another bucket ends the run with the number of its line."""
    with pytest.raises(BadSettings) as refused:
        await keys_of(path, f"a.mp3\n\n{line}\n")

    assert refused.value.sentence == f"Line 3 of {path} names something outside s3://calls/2026/."


@pytest.mark.parametrize(
    "line", ["{", '{"key": ""}', '{"key": 7}', '{"kye": "a.mp3"}', '{"uri": null}', "{}", "{a}.mp3"]
)
async def test_a_broken_line_is_refused(path, line):
    """A line of JSON that names nothing, or is cut short, is never taken for a key."""
    with pytest.raises(BadSettings, match=r"Line 2 of .* names no uri and no key"):
        await keys_of(path, f"a.mp3\n{line}")


async def test_what_is_not_utf_8_is_refused(path):
    """A manifest in another encoding is named as such."""
    with pytest.raises(BadSettings, match=r"manifest .* can't be read: it is not UTF-8\."):
        await keys_of(path, "ü.mp3".encode("latin-1"))


@pytest.mark.parametrize(("make", "reason"), [(False, "No such file"), (True, "Is a directory")])
async def test_a_file_that_can_not_be_read_is_refused(path, make, reason):
    """A manifest that is missing, or a folder, is named with the reason."""
    if make:
        path.mkdir()

    with pytest.raises(BadSettings, match=f"can't be read: {reason}"):
        [page async for page in ManifestSource(path, Bucket(), NO_BUCKET).pages()]


async def test_what_is_not_there_is_skipped_with_its_reason(path):
    """A key without an object is an entry that is counted, not one that is left out."""
    (page,) = await pages_of(path, "a.mp3\nmissing.mp3\n")

    reasons = [Selection("", Input()).why_skipped(entry) for entry in page]

    assert reasons == [None, "not there"]


async def test_a_long_manifest_is_looked_up_page_by_page(path):
    """However many keys it names, 200 are looked up at a time, and none is left out."""
    keys = [f"{n}.mp3" for n in range(450)]

    pages = await pages_of(path, "\n".join(keys))

    assert [len(page) for page in pages] == [200, 200, 50]
    assert keys == [entry.key for page in pages for entry in page]


async def test_an_empty_manifest_names_nothing(path):
    """A file without lines is a source without recordings."""
    assert await pages_of(path, "\n\n") == []


def test_it_stands_for_the_source_it_names_recordings_of(path):
    """State file, job names and tasks are the same as without a manifest."""
    source = Bucket()

    manifest = ManifestSource(path, source, NO_BUCKET)

    assert (manifest.uri, manifest.bucket) == (source.uri, source.bucket)
    assert manifest.jobs_last is source.jobs_last
    assert manifest.media_uri("a") == manifest.audio_uri("a") == "s3://calls/a"


# As a table


@pytest.fixture(name="table")
def csv_file(tmp_path):
    return tmp_path / "manifest.csv"


async def test_a_table_of_batch_operations_is_read(table):
    """Bucket and URL-encoded key without a first line of names, as S3 Batch Operations has it."""
    lines = "calls,a+b%2B%2541.mp3\n\ncalls,c%20d%2Cx.mp3,3sL4kqtJlcpXrof3v\n"

    assert await keys_of(table, lines) == ["a b+%41.mp3", "c d,x.mp3"]


@pytest.mark.parametrize(
    "lines",
    [
        f"key\n{ODD}\n",
        f"Bucket,Key,Size\ncalls,{ODD},9\n",
        f"URI\r\ns3://calls/{ODD}\r\n",
        f'\ufeff"note","key"\n"one, two","{ODD}"\n',
    ],
)
async def test_a_table_with_names_is_read_as_it_is(table, lines):
    """Columns in any order, and keys byte for byte, as a spreadsheet or a query writes them."""
    assert await keys_of(table, lines) == [ODD]


FACTS = {
    "CSV": ("m.csv", 'key,ETag,size,StorageClass\nmissing.mp3,"""e""",9,GLACIER\n'),
    "list-objects": (
        "m.jsonl",
        '{"Key": "missing.mp3", "ETag": "\\"e\\"", "Size": 9, "StorageClass": "GLACIER"}',
    ),
    "Athena": ("m.csv", "bucket,key,e_tag,size,storage_class\ncalls,missing.mp3,e,9,GLACIER\n"),
}


@pytest.mark.parametrize(("name", "content"), FACTS.values(), ids=FACTS.keys())
async def test_what_a_line_knows_is_not_looked_up(tmp_path, name, content):
    """ETag and size in a line are believed, so that it costs no call."""
    (page,) = await pages_of(tmp_path / name, content)

    assert page == [SourceObject("missing.mp3", "e", 9, "GLACIER")]


@pytest.mark.parametrize(
    "facts",
    [{"etag": "e"}, {"size": 9}, {"etag": "e", "size": "9 kB"}, {"etag": "", "size": 9}],
)
async def test_what_a_line_does_not_know_is_looked_up(path, facts):
    """Half of the facts is none."""
    assert await pages_of(path, json.dumps({"key": "a.mp3"} | facts)) == [
        [SourceObject("a.mp3", "1", 7)]
    ]


async def test_what_failed_is_looked_up(path):
    """A line of the failures file is older than the file that was repaired since."""
    line = json.dumps({"key": "a.mp3", "reason": "not audio", "etag": "old", "size": 1})

    assert await pages_of(path, line) == [[SourceObject("a.mp3", "1", 7)]]


async def test_facts_of_a_file_are_not_believed(path):
    """A key that leads out of the folder is not there, whatever its line says."""
    folder = path.parent / "audio"
    folder.mkdir()
    fill(path, json.dumps({"key": "../manifest.txt", "etag": "e", "size": 9}))
    source = ManifestSource(path, FolderSource(folder, "served"), NO_BUCKET)

    assert [p async for p in source.pages()] == [
        [SourceObject("../manifest.txt", "", 0, "NOT_THERE")]
    ]


@pytest.mark.parametrize("name", ["keys.txt.gz", "keys.jsonl.gz", "KEYS.CSV.GZ"])
async def test_a_manifest_may_be_compressed(tmp_path, name):
    """With .gz at its end a manifest of each kind is gzip."""
    content = f"key\n{ODD}\n" if "CSV" in name else json.dumps({"key": ODD})

    assert await keys_of(tmp_path / name, gzip.compress(content.encode())) == [ODD]


BROKEN = {
    "gzip": ("k.txt.gz", b"a.mp3", r"it is damaged, or not gzip"),
    "cut short": (
        "k.txt.gz",
        gzip.compress(b"a.mp3\n" * 99, mtime=0)[:-9],
        r"it is damaged, or not gzip",
    ),
    "CSV": ("k.csv", b'key\n"a.mp3', r"it is not CSV \(unexpected end of data\)"),
    "no key": ("k.csv", b"calls\n", r"^Line 1 of .*k.csv names no uri and no key\. Correct"),
    "no cell": (
        "k.csv",
        b"size,key\n9,a.mp3\n9\n",
        r"^Line 3 of .* names no uri and no key\. Correct",
    ),
    "bucket": ("k.csv", b"calls,a.mp3\nothers,b.mp3\n", r"^Line 2 of .* outside s3://calls/2026/"),
}


@pytest.mark.parametrize(("name", "content", "words"), BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_file_is_refused(tmp_path, name, content, words):
    """The place and what is wrong are in one sentence."""
    with pytest.raises(BadSettings, match=words):
        await keys_of(tmp_path / name, content)


def test_a_manifest_may_lie_in_a_bucket(run, cloud):
    """`--manifest s3://...` reads an object as it would a file, and says when there is none."""
    service = cloud()
    service.add(one="the first text", two="the second text")
    service.put("lists/keys.csv", "audio,one.mp3")

    taken = run("run", "s3://audio/", "--manifest", "s3://audio/lists/keys.csv")
    missing = run("run", "s3://audio/", "--manifest", "s3://audio/lists/none.csv")

    assert (taken.code, list(run.texts())) == (0, ["s3://audio/one.mp3"])
    assert missing.code == 2
    assert missing.err == (
        "transcribe-pipeline: There is no object s3://audio/lists/none.csv. Check its name.\n"
    )


# Of a folder


@pytest.mark.parametrize("key", ["a.mp3", "b c/ü+%41?#.mp3", "..a/.b.mp3", "n\nl.mp3"])
async def test_a_file_of_a_folder_is_named_by_key_and_by_uri(path, key):
    """What the failures file and the tasks say of a file leads back to it."""
    folder = path.parent / "audio"
    (folder / key).parent.mkdir(parents=True, exist_ok=True)
    (folder / key).write_bytes(b"RIFF")
    source = FolderSource(folder, "served")
    path.write_text(json.dumps({"key": key}) + "\n" + source.audio_uri(key))

    [by_key, by_uri] = [
        e async for page in ManifestSource(path, source, NO_BUCKET).pages() for e in page
    ]
    [[listed]] = [page async for page in source.pages()]

    assert by_key == by_uri == listed


@pytest.mark.parametrize(
    "key",
    ["../secret.mp3", "x/../../secret.mp3", "/etc/passwd", "./a.mp3", "x//a.mp3", "\x00", "z"],
)
async def test_nothing_but_what_a_listing_shows_is_found(path, key):
    """A key that leads out of the folder, or is another spelling of a file, is not there."""
    folder = path.parent / "audio"
    (folder / "x").mkdir(parents=True)
    for file in (folder / "a.mp3", folder / "x" / "a.mp3", path.parent / "secret.mp3"):
        file.write_bytes(b"RIFF")

    assert await FolderSource(folder, "served").look_up(key) is None


async def test_a_folder_may_be_named_by_a_way_round(path):
    """A folder that is named with dots in its path has its files all the same."""
    folder = path.parent / "audio"
    folder.mkdir()
    (folder / "a.mp3").write_bytes(b"RIFF")

    source = FolderSource(folder / ".." / "audio", "served")

    assert await source.look_up("a.mp3") is not None


PIECES = (
    *(
        b"a.mp3",
        b"s3://calls/b.mp3",
        b"s3://other/c.mp3",
        b"\n",
        b"\r",
        b"\r\n",
        b",",
        b'"',
        b"\x00",
    ),
    *(
        b'{"key":',
        b'{"uri":"s3://calls/d.mp3"}',
        b'"size":',
        b"9" * 5000,
        b"[" * 5000,
        b"}",
        b"\xff",
    ),
    *(b"key,etag,size\n", b"Bucket,Key\n", b"%ZZ", b"\xef\xbb\xbf", b"\xed\xa0\x80", b'"\\ud800"'),
)


@given(
    st.lists(st.sampled_from(PIECES), max_size=10).map(b"".join) | st.binary(max_size=40),
    st.sampled_from(["m.txt", "m.csv", "m.jsonl", "m.txt.gz", "m.csv.gz"]),
    st.booleans(),
)
def test_no_manifest_breaks_its_reader(tmp_path_factory, content, name, whole):
    """It names recordings, or is refused in a sentence that names it."""
    path = tmp_path_factory.getbasetemp() / name
    packed = gzip.compress(content) if whole and name.endswith("gz") else content
    refused = ""
    try:
        asyncio.run(pages_of(path, packed))
    except BadSettings as error:
        refused = str(error)
    assert not refused or name in refused


async def refused_in_little_memory(path: Path, content: bytes) -> str:
    """The sentence that refuses a manifest, which takes no more than 30 MB meanwhile."""
    fill(path, content)
    tracemalloc.start()
    try:
        with pytest.raises(BadSettings) as refused:
            async for _ in ManifestSource(path, Bucket(), NO_BUCKET).pages():
                pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30 * 10**6
    return str(refused.value)


@pytest.mark.parametrize("name", ["m.txt.gz", "m.csv.gz"])
async def test_a_line_without_end_is_refused_before_it_is_held(tmp_path, name):
    """A few kilobytes of gzip can be a line of any length; a megabyte of it is enough to know."""
    line = b"key\nfirst.mp3\n" + b"a" * 10**6
    content = gzip.compress(line) + gzip.compress(b"a" * 10**6) * 200

    words = await refused_in_little_memory(tmp_path / name, content)

    assert "line" in words
    assert "longer than a megabyte" in words or "field larger" in words


async def test_a_row_without_end_is_refused_before_it_is_held(tmp_path):
    """A quoted field may hold the end of a line; a row of such fields has a bound as well."""
    rows = b'key,etag\na.mp3,"\n' + b'","\n' * 400_000

    words = await refused_in_little_memory(tmp_path / "m.csv", rows)

    assert "longer than a megabyte" in words


@pytest.mark.parametrize(
    "line",
    ["a" * 5000, json.dumps({"key": "a.mp3", "etag": "e" * 5000, "size": 1})],
)
async def test_what_no_key_and_no_etag_can_be_is_refused(path, line):
    """Pages hold 200 lines, so that what is kept of each has a bound."""
    with pytest.raises(BadSettings, match="more than 4,096 characters"):
        await pages_of(path, line)


async def test_a_size_that_is_no_size_is_looked_up(path):
    """A number with more digits than any object has bytes is not believed."""
    line = json.dumps({"key": "a.mp3", "etag": "e", "size": "9" * 5000})

    assert await pages_of(path, line) == [[SourceObject("a.mp3", "1", 7)]]
