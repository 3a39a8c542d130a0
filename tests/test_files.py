"""Files that take another's place whole, and nobody else's."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

import pytest

from pipeline.errors import OutputUnusable
from pipeline.files import locked, remove, replace_all, replacing, same_file

OURS = b'{"uri":"'


@pytest.fixture(name="path")
def file_of_ours(tmp_path):
    return tmp_path / "failures.jsonl"


def test_a_file_is_replaced_whole_or_not_at_all(path):
    """Until the last byte is written the old file stands; an error leaves it and nothing else."""
    path.write_text("old")

    with suppress(ZeroDivisionError), replacing(path, b"old") as file:
        file.write(b"new")
        file.flush()
        during = path.read_text()
        raise ZeroDivisionError

    assert (during, path.read_text()) == ("old", "old")
    assert list(path.parent.iterdir()) == [path]


def test_what_a_killed_run_left_is_in_nobody_s_way(path):
    """A part of a file that was never finished gives way to the next one."""
    path.with_name(f".{path.name}.part").write_text("a longer part that was left behind")

    with replacing(path, OURS) as file:
        file.write(b"new")

    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(path):
    """What can't be written is told with the file's name; the old one stands, no part is left."""
    path.write_bytes(OURS)

    message = r"failures\.jsonl can't be written: No space .*\. Make space and run the same command"
    refused = pytest.raises(OutputUnusable, match=message)

    with refused, replacing(path, OURS):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert path.read_bytes() == OURS
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_in_its_place_is_named(path):
    """Where the file's name is a folder's, the run says so, and what helps."""
    path.mkdir()
    message = (
        r"can't be written: Is a directory\. Let this user write there, or name another place\."
    )
    refused = pytest.raises(OutputUnusable, match=message)

    with refused, replacing(path, OURS):
        pass


@pytest.mark.parametrize("content", [b'{"data":{}}\n', b"{", b"\n"])
def test_what_is_somebody_else_s_is_not_replaced(path, content):
    """A file that begins otherwise than ours stays, byte for byte; nor is it taken away."""
    path.write_bytes(content)

    remove(path, OURS)
    with (
        pytest.raises(OutputUnusable, match="holds something else already"),
        replacing(path, OURS),
    ):
        pass

    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("content", [OURS + b'a"}\n', b""])
def test_what_is_ours_or_empty_is_replaced(path, content):
    """A file of the same kind, and one that holds nothing, give way."""
    path.write_bytes(content)

    with replacing(path, OURS) as file:
        file.write(OURS)

    assert path.read_bytes() == OURS


def test_what_is_no_ordinary_file_stays(path):
    """A pipe or a device, /dev/null say, is refused without being opened."""
    os.mkfifo(path)

    with pytest.raises(OutputUnusable, match="is no ordinary file"), replacing(path, OURS):
        pass

    assert path.is_fifo()


def test_a_link_that_was_laid_for_the_unfinished_file_is_not_followed(path):
    """Whoever plants a link where the part is made has nothing of theirs written to."""
    target = path.with_name("target")
    target.write_bytes(b"precious")
    path.with_name(f".{path.name}.part").symlink_to(target)

    with replacing(path, OURS) as file:
        file.write(OURS)

    assert target.read_bytes() == b"precious"
    assert path.read_bytes() == OURS
    assert not path.is_symlink()


def test_a_link_is_replaced_and_not_what_it_leads_to(path):
    """A link in the file's place gives way where it leads to a file of ours, which stays."""
    target = path.with_name("target")
    target.write_bytes(OURS + b"old")
    path.symlink_to(target)

    with replacing(path, OURS) as file:
        file.write(OURS + b"new")

    assert (target.read_bytes(), path.read_bytes()) == (OURS + b"old", OURS + b"new")


def test_of_two_that_write_at_once_none_is_half_there(path):
    """The one whose unfinished file another took the name of says so, and leaves it alone."""
    refused = pytest.raises(OutputUnusable, match="Another command writes")
    with refused, replacing(path, OURS) as first, replacing(path, OURS) as second:
        first.write(OURS + b"first")
        second.write(OURS + b"second")

    assert path.read_bytes() == OURS + b"second"
    assert list(path.parent.iterdir()) == [path]


def test_a_lock_is_no_link(path):
    """A link in a lock's place is not followed: what it leads to is neither made nor changed."""
    path.symlink_to(path.with_name("elsewhere"))

    with pytest.raises(OutputUnusable, match="symbolic link"), locked(path, "busy", ""):
        pass

    assert not path.with_name("elsewhere").exists()


def test_a_file_is_known_however_it_is_spelt(path):
    """Ways around, links and second names are of one file; whether it is there does not matter."""
    folder = path.parent
    around = folder / "missing" / ".." / path.name
    assert same_file(path, around)
    path.write_bytes(b"x")
    (folder / "link").symlink_to(path)
    (folder / "name").hardlink_to(path)

    assert all(same_file(path, folder / each) for each in ("link", "name"))
    assert not same_file(path, folder / "other")


def test_a_file_is_on_the_disk_before_it_takes_another_s_place(path, monkeypatch):
    """After a power cut a name leads to the old file or to the whole new one, never to a hole."""
    path.write_bytes(OURS)
    on_disk = []

    def fsync(handle):
        on_disk.append((os.fstat(handle).st_size, path.read_bytes()))

    monkeypatch.setattr(os, "fsync", fsync)
    with replacing(path, OURS) as file:
        file.write(OURS + b"new")

    assert on_disk == [(len(OURS) + 3, OURS)]


def test_files_are_replaced_together_and_one_keeps_no_other(path, monkeypatch):
    """All are whole on the disk before the first takes its place; why one can't is told of it."""
    folder = path.with_name("folder")
    folder.mkdir()
    path.write_bytes(b"old")
    other = path.parent / "below" / "other"
    on_disk = []

    def fsync(handle):
        on_disk.append((os.fstat(handle).st_size, path.read_bytes(), other.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    errors = replace_all([(path, b"new"), (folder, b"x"), (other, b"other")])

    assert on_disk == [(3, b"old", False), (1, b"old", False), (5, b"old", False)]
    assert list(errors) == [folder]
    assert "folder can't be written: Is a directory" in str(errors[folder])
    assert (path.read_bytes(), other.read_bytes()) == (b"new", b"other")
    assert {each.name for each in path.parent.iterdir()} == {path.name, "folder", "below"}
    assert other.stat().st_mode & 0o777 == 0o600
