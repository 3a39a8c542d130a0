import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.local.bucket import Bucket, bucket_name

NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=6
).filter(lambda name: name not in {".", ".."})
KEYS = st.sets(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=12)


def grow(folder: Path, keys) -> set[str]:
    """Make the files that can be there together; returns their keys."""
    made = set()
    for key in sorted(keys):
        path = folder / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue
        made.add(key)
    return made


def listing(bucket: Bucket, prefix: str = "", after: str = "", limit: int = 3) -> list[str]:
    found: list[str] = []
    while True:
        page = bucket.page(prefix, after, limit)
        found += [entry.key for entry in page.entries]
        if page.more is None:
            return found
        after = page.more


@given(KEYS, st.integers(1, 5))
@example({"a/b", "a!b", "a.b", "a0", "a/!", "b"}, 2)
def test_a_folder_is_listed_in_the_byte_order_of_whole_keys(keys, limit):
    """Page by page, every file once, as S3 orders keys."""
    with tempfile.TemporaryDirectory() as folder:
        made = grow(Path(folder), keys)

        found = listing(Bucket("audio", Path(folder)), limit=limit)

    assert found == sorted(made, key=str.encode)


@given(KEYS, st.data())
def test_a_prefix_and_a_start_select_from_the_order(keys, data):
    """What begins with the prefix and comes after the start, and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        made = sorted(grow(Path(folder), keys), key=str.encode)
        prefix = data.draw(st.sampled_from(["", *(key[:2] for key in made), *made]))
        after = data.draw(st.sampled_from(["", "zz", *made, *(key[:3] for key in made)]))
        found = listing(Bucket("audio", Path(folder)), prefix, after)

    chosen = [key for key in made if key.startswith(prefix) and key.encode() > after.encode()]
    assert found == chosen


def test_a_listing_from_a_key_needs_no_open_listing(tmp_path):
    """A continuation is a place in the order, not a memory."""
    grow(tmp_path, {"a", "b", "c/d", "c/e"})
    after = Bucket("audio", tmp_path).page("", "", 2).more or ""

    assert listing(Bucket("audio", tmp_path), after=after) == ["c/d", "c/e"]


@pytest.fixture
def linked(tmp_path) -> Bucket:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    (folder / "file").write_text("ours")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "inner").symlink_to(folder / "file")
    (folder / "out").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    return Bucket("audio", folder)


def test_only_plain_files_are_listed(linked):
    """Links are neither listed nor followed, and a pipe is no object."""
    assert listing(linked) == ["file"]


@pytest.mark.parametrize(
    "key",
    ["link", "inner", "out/secret", "../secret", "/etc/passwd", "a/../file", "./file", "", "file/",
     "pipe", "a\0b", "file/x", "x" * 300],
)  # fmt: skip
def test_no_key_leads_out_of_the_folder(linked, key):
    """Links, dots, absolute and impossible keys name nothing."""
    assert linked.find(key) is None


@pytest.mark.parametrize("key", ["../new", "out/new", "link", "/tmp/new", "a/../../new", "file/x"])
def test_nothing_is_written_outside_the_folder(linked, tmp_path, key):
    """What can't be a file below the folder is refused, and nothing changes."""
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(OSError):  # noqa: PT011 (each way has its own text)
        linked.write(key, b"x")

    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "secret").read_text() == "secret"


def test_a_write_makes_folders_and_leaves_nothing_else(tmp_path):
    """One object comes into being, no unfinished one stays."""
    bucket = Bucket("audio", tmp_path)

    bucket.write("a/b/c.json", b"{}")

    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["c.json"]
    assert bucket.read("a/b/c.json") == b"{}"


def test_a_name_that_is_not_utf8_is_not_listed(tmp_path):
    """Such a file has no key."""
    (tmp_path / os.fsdecode(b"\xff.wav")).write_text("x")
    (tmp_path / "ok").write_text("x")

    assert listing(Bucket("audio", tmp_path)) == ["ok"]


def test_the_etag_changes_with_size_and_time(tmp_path):
    """It is the size and the time of change in nanoseconds, both in hex."""
    (tmp_path / "a").write_bytes(b"x" * 255)
    os.utime(tmp_path / "a", ns=(0, 256))

    entry = Bucket("audio", tmp_path).find("a")

    assert entry
    assert entry.etag == "ff-100"


@pytest.mark.parametrize(
    ("name", "bucket"), [("my-calls", "my-calls"), ("My Calls", "recordings"), ("a", "recordings")]
)
def test_the_bucket_has_the_folders_name_where_it_can(tmp_path, name, bucket):
    """A folder whose name no bucket can have is called "recordings"."""
    (tmp_path / name).mkdir()

    assert bucket_name(tmp_path / name) == bucket
