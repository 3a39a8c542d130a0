"""What was said in each written recording, to be searched: an index beside the state file.

That of a bucket is made from the stored transcripts, so it can be deleted at any time, and is made
again; a folder's transcripts are kept nowhere else. `recordings` has of which job each text is; one
that has no text has the reason. `texts` is the full-text index (SQLite's FTS5): words without their
case and accents, and marks of Indian and other scripts belong to their words.
"""

from __future__ import annotations

import os
import re
from contextlib import closing, contextmanager
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import NoFullTextSearch, StateUnusable
from pipeline.files import open_lock
from pipeline.state.database import connect, translated
from pipeline.state.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pipeline.model import Job
    from pipeline.state.database import Database
    from pipeline.state.recordings import Recordings

_FORMAT = 1
_APPLICATION_ID = 0x74727378  # "trsx"
_INDEX = Schema(
    _APPLICATION_ID,
    _FORMAT,
    f"""
    CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE recordings (
        row INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        identity BLOB NOT NULL,
        attempt INTEGER NOT NULL,
        times BLOB,
        reason TEXT
    );
    CREATE INDEX lacking ON recordings (reason) WHERE reason IS NOT NULL;
    CREATE VIRTUAL TABLE texts USING fts5(
        text, tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
    );
    PRAGMA application_id = {_APPLICATION_ID};
    PRAGMA user_version = {_FORMAT};
    """,
    "",
    "search index",
    "Delete it: the next search reads the transcripts of a bucket again. Those of a folder are "
    "kept nowhere else: run the folder again with another --output.",
)
_PAGE = 1000
_TEXTS = 20
"""How many texts are held at once: one of four hours has 200 kB."""

_BEGINS, _ENDS = "\x02", "\x03"
"""What FTS5 puts around each place that was found; no text has them of its own."""

_MARK = re.compile(f"[{_BEGINS}{_ENDS}]")
_FOUND = f"""
SELECT row, key, times, highlight(texts, 0, '{_BEGINS}', '{_ENDS}')
FROM texts JOIN recordings ON row = texts.rowid
WHERE texts MATCH ? AND texts.rowid > ? ORDER BY texts.rowid LIMIT {_TEXTS}
"""
_NO_FTS5 = NoFullTextSearch(
    "The SQLite of this Python has no FTS5, with which transcripts are searched",
    "Use another Python: those of python.org, Debian and uv have it.",
)


class Found(NamedTuple):
    """A recording in which the words were found: its text, from where to where, and its times."""

    key: str
    text: str
    places: list[tuple[int, int]]
    times: bytes


class SearchIndex:
    """The index, open."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.path = database.path

    @property
    def made_of(self) -> str:
        """What the written recordings were when all of them were in the index, "" for never."""
        return self._database.fact("made of") or ""

    def complete(self, made_of: str) -> None:
        """Remember that all recordings are in it that are written now."""
        self._database.set_fact("made of", made_of)

    def due(self, jobs: Sequence[Job]) -> list[Job]:
        """Those of a page of which it has neither the text nor why there is none."""
        marks = ", ".join("?" * len(jobs))
        known = self._database.rows(
            f"SELECT key, identity, attempt FROM recordings WHERE key IN ({marks})",
            *(job.recording.key for job in jobs),
        )
        there = {key: of for key, *of in known}
        return [job for job in jobs if there.get(job.recording.key) != [job.identity, job.attempt]]

    def put(self, texts: Iterable[tuple[Job, str, bytes]]) -> None:
        """Have the texts of recordings, and none of their earlier ones, in one commit.

        Args:
            texts: of each a job that was written, what was said, without control characters, and
                when, kept for who reads the text.
        """
        with self._database.transaction():
            for job, text, times in texts:
                row = self._noted(job, times, None)
                self._database.change("INSERT INTO texts (rowid, text) VALUES (?, ?)", row, text)

    def note_lacking(self, job: Job, reason: str) -> None:
        """The recording has no text, and will have none."""
        with self._database.transaction():
            self._noted(job, None, reason)

    def note_again(self, before: str, reason: str) -> None:
        """What has no text for the one reason has none for the other."""
        self._database.change("UPDATE recordings SET reason = ? WHERE reason = ?", reason, before)

    def forget_lacking(self, reason: str) -> None:
        """What has no text for this reason is due again."""
        self._database.change("DELETE FROM recordings WHERE reason = ?", reason)

    def lacking(self) -> dict[str, int]:
        """How many recordings have no text, by the reason."""
        return dict(
            self._database.rows(
                "SELECT reason, count(*) FROM recordings WHERE reason IS NOT NULL GROUP BY reason"
            )
        )

    def forget_others(self, recordings: Recordings) -> None:
        """Drop what is of no recording any more, or of another content of one."""
        after = 0
        while rows := self._database.rows(
            "SELECT row, key, identity, attempt FROM recordings "
            f"WHERE row > ? ORDER BY row LIMIT {_PAGE}",
            after,
        ):
            after = rows[-1][0]
            now = recordings.contents([key for _, key, *_ in rows])
            gone = [(row,) for row, key, *of in rows if now.get(key) != tuple(of)]
            with self._database.transaction():
                self._database.change_each("DELETE FROM texts WHERE rowid = ?", gone)
                self._database.change_each("DELETE FROM recordings WHERE row = ?", gone)

    def find(self, phrases: Sequence[str], within: int) -> Iterator[Found]:
        """The recordings in which something was said.

        Args:
            phrases: with words in them, laid out as the texts are.
            within: how many words may be between several of them.
        """
        after, query = 0, _query(phrases, within)
        while rows := self._database.rows(_FOUND, query, after):
            for _, key, times, marked in rows:
                yield Found(key, *_unmarked(marked), times)
            after = rows[-1][0]

    def count(self, phrases: Sequence[str], within: int) -> int:
        """In how many recordings it was said; as of `find`."""
        query = "SELECT count(*) FROM texts WHERE texts MATCH ?"
        return int(self._database.rows(query, _query(phrases, within))[0][0])

    def _noted(self, job: Job, times: bytes | None, reason: str | None) -> int:
        key = job.recording.key
        [(row,)] = self._database.change_returning(
            "INSERT INTO recordings (key, identity, attempt, times, reason) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (key) DO UPDATE SET identity = excluded.identity, "
            "attempt = excluded.attempt, times = excluded.times, reason = excluded.reason "
            "RETURNING row",
            *(key, job.identity, job.attempt, times, reason),
        )
        self._database.change("DELETE FROM texts WHERE rowid = ?", row)
        return int(row)


def _query(phrases: Sequence[str], within: int) -> str:
    """What FTS5 takes for these phrases; whatever stands in them is text to it."""
    quoted = ['"{}"'.format(each.replace('"', '""')) for each in phrases]
    return quoted[0] if len(quoted) == 1 else f"NEAR({' '.join(quoted)}, {within})"


def _unmarked(marked: str) -> tuple[str, list[tuple[int, int]]]:
    """A text without its marks, and what stands between them."""
    parts = _MARK.split(marked)
    edges = list(accumulate(map(len, parts)))
    return "".join(parts), list(zip(edges[::2], edges[1::2], strict=False))


def index_path(state: Path) -> Path:
    """The index that belongs to a state file."""
    return state.with_name(f"{state.name}.search")


@contextmanager
def open_index(path: Path) -> Iterator[SearchIndex]:
    """Open or make the index, for its owner alone.

    Raises:
        StateUnusable: it is no index, or can't be used.
        NoFullTextSearch: this SQLite makes and reads none.
    """
    with translated(path, _INDEX):
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(open_lock(path))  # for its owner alone, before SQLite makes it for others
    try:
        database = connect(path, may_create=True, schema=_INDEX)
    except StateUnusable as error:
        raise (_NO_FTS5 if "no such module" in str(error) else error) from error
    with closing(database):
        yield SearchIndex(database)
