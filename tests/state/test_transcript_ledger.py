"""What is known of the files of transcripts that are written."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager

import pytest

from pipeline.errors import OutputUnusable, StateUnusable
from pipeline.model import Job, Recording
from pipeline.state.database import connect
from pipeline.state.transcript_ledger import TranscriptLedger, open_ledger
from pipeline.transcripts.file_names import Stems

FORMATS = {"txt": "", "srt": "42x2"}


def job(key: str, name: str = "job-1") -> Job:
    """A job that is written."""
    return Job(1, b"", name, Recording(key, "1", 7))


def with_formats(*jobs: Job):
    """Each job with both formats."""
    return [(each, FORMATS) for each in jobs]


@contextmanager
def ledger(path, place="texts", *, folds=False):
    """The ledger of a place, closed afterwards."""
    with open_ledger(path / "ledger") as database:
        yield TranscriptLedger(database, place, Stems(("mp3", "wav"), (), folds=folds))


def note_all(found, due):
    """Have every file noted that is due."""
    for each in due:
        for wanted in each.formats:
            found.note(each, wanted, f"tag of {wanted}")


def test_what_is_noted_is_due_no_more(tmp_path):
    """A file is due until it is noted: of this job, this layout and this place."""
    with ledger(tmp_path) as found:
        due = found.due(with_formats(job("a.mp3"), job("b.mp3")))
        assert [(each.name, each.formats) for each in due] == [
            ("a", {"txt": None, "srt": None}),
            ("b", {"txt": None, "srt": None}),
        ]
        note_all(found, due)
    with ledger(tmp_path) as found:
        assert found.written() == 4
        assert found.due(with_formats(job("a.mp3"))) == []
        [another_job] = found.due(with_formats(job("a.mp3", "job-2")))
        [another_layout] = found.due([(job("a.mp3"), FORMATS | {"srt": "20x1"})])
    with ledger(tmp_path, "elsewhere") as found:
        [another_place] = found.due([(job("a.mp3"), {"txt": ""})])

    assert another_job.formats == {"txt": "tag of txt", "srt": "tag of srt"}
    assert another_layout.formats == {"srt": "tag of srt"}
    assert another_place.formats == {"txt": None}


def test_what_is_forgotten_is_due_and_still_ours(tmp_path):
    """The tag stays, by which the file is known there."""
    with ledger(tmp_path) as found:
        note_all(found, found.due(with_formats(job("a.mp3"))))
        found.forget()

        [due] = found.due([(job("a.mp3"), {"txt": ""})])

    assert due.formats == {"txt": "tag of txt"}


def test_a_recording_keeps_its_name(tmp_path):
    """Of two that fall together the first stays the first, in whatever order they come later."""
    pages = [["a.mp3", "a.wav"], ["a.wav"], ["a.wav", "a.mp3"]]
    names = []
    for page in pages:
        with ledger(tmp_path) as found:
            names.append(
                {e.job.recording.key: e.name for e in found.due(with_formats(*map(job, page)))}
            )

    assert names[0]["a.mp3"] == "a"
    assert names[0]["a.wav"].startswith("a%~")
    assert names[2] == names[0]
    assert names[1] == {"a.wav": names[0]["a.wav"]}


def test_names_are_apart_where_the_folder_folds_them(tmp_path):
    """`a` and `A` would be one file."""
    with ledger(tmp_path, folds=True) as found:
        one, other = found.due(with_formats(job("a.mp3"), job("A.mp3")))

    assert (one.name, other.name.partition("%~")[0]) == ("a", "A")
    assert "%~" in other.name


def test_one_command_writes_at_a_time(tmp_path):
    """Two would tell each other's files from somebody's by luck."""
    with ledger(tmp_path), pytest.raises(OutputUnusable, match="Another command writes"):
        open_ledger(tmp_path / "ledger").__enter__()


def test_the_ledger_is_its_owner_s_alone(tmp_path):
    """Keys may tell who called."""
    with ledger(tmp_path):
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}

    assert set(modes.values()) == {0o600}


def test_what_is_no_ledger_is_told(tmp_path):
    """A damaged file, another program's and one of a later version are named, and left."""
    path = tmp_path / "ledger"
    path.write_bytes(b"rubbish" * 1000)
    with pytest.raises(StateUnusable, match=r"is not a ledger, or it is damaged.*Move it away"):
        open_ledger(path).__enter__()
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.executescript("CREATE TABLE t (x); PRAGMA user_version = 1;")
    with pytest.raises(StateUnusable, match="SQLite file of another program"):
        open_ledger(path).__enter__()
    path.unlink()
    with ledger(tmp_path):
        pass
    with pytest.raises(StateUnusable, match="another program"):
        connect(path)
