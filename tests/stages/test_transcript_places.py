"""Files of transcripts in a folder: ours are replaced, others stay."""

from __future__ import annotations

import asyncio
import errno
import os

import pytest

from pipeline.errors import OutputUnusable
from pipeline.stages.transcript_places import File, FolderPlace, Put


@pytest.fixture
def place(tmp_path):
    """An empty folder, which is made."""
    return FolderPlace(tmp_path / "texts" / "here")


async def put(place, *file):
    """What became of one file."""
    [done] = await place.put([File(*file)])
    return done


async def test_a_file_is_written_once(place, tmp_path):
    """What says the same is left as it is, and known by the same tag."""
    first = await put(place, "calls/a.txt", b"hello\n", None)
    written = (tmp_path / "texts/here/calls/a.txt").stat()
    again = await put(place, "calls/a.txt", b"hello\n", None)

    assert (first.is_new, again.is_new, again.tag) == (True, False, first.tag)
    assert (tmp_path / "texts/here/calls/a.txt").stat() == written
    assert written.st_mode & 0o777 == 0o600


async def test_ours_is_replaced_and_another_s_is_not(place, tmp_path):
    """Only what is just as we wrote it is ours; an empty file has nothing to lose."""
    path = tmp_path / "texts/here/a.txt"
    (path.parent / "empty.txt").touch()
    ours = await put(place, "a.txt", b"one\n", None)
    assert (await put(place, "a.txt", b"two\n", ours.tag)).is_new
    assert (await put(place, "empty.txt", b"two\n", None)).is_new
    path.write_bytes(b"mine\n")

    for known in (None, ours.tag):
        refused = await put(place, "a.txt", b"three\n", known)
        assert "a.txt holds something else already" in str(refused)

    assert path.read_bytes() == b"mine\n"


async def test_a_folder_in_its_place_is_told_alone(place, tmp_path):
    """It keeps one file from being written, and no other."""
    (tmp_path / "texts/here/a.txt").mkdir()

    refused, written = await place.put([File("a.txt", b"x"), File("b.txt", b"x")])

    assert "a.txt can't be written: Is a directory" in str(refused)
    assert written.is_new


async def test_a_full_disk_stops_all(place, monkeypatch):
    """Nothing else could be written either."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)

    with pytest.raises(OutputUnusable, match="No space left"):
        await put(place, "a.txt", b"x", None)

    assert not list(place._folder.iterdir())


async def test_what_is_wanted_at_once_is_told_to_each(place, tmp_path):
    """However many files are put together, each caller hears of its own, in their order."""
    (tmp_path / "texts/here/7.srt").mkdir()
    wanted = [[File(f"{n}.txt", b"%d" % n), File(f"{n}.srt", b"s")] for n in range(100)]

    found = await asyncio.gather(*map(place.put, wanted))

    refused = [
        (n, k) for n, two in enumerate(found) for k, each in enumerate(two) if not _is_new(each)
    ]
    assert refused == [(7, 1)]
    assert all((tmp_path / f"texts/here/{n}.txt").read_bytes() == b"%d" % n for n in range(100))


async def test_who_waits_no_longer_keeps_nobody_s_file_back(place):
    """A caller that is stopped leaves the others' files to be written."""
    stopped = asyncio.create_task(place.put([File("a.txt", b"x")]))
    other = asyncio.create_task(place.put([File("b.txt", b"x")]))
    await asyncio.sleep(0)
    stopped.cancel()

    [written] = await other

    assert written.is_new
    assert stopped.cancelled()


def _is_new(put):
    return isinstance(put, Put) and put.is_new
