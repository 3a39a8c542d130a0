"""The tables of the state file, and how a file of an earlier format gets them."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

APPLICATION_ID = 0x74727370  # "trsp"
FORMAT = 2


class Schema(NamedTuple):
    """What a file of ours holds: its marks, what makes a new one, what each one gets when opened.

    `called` is what people know it as, `mending` what helps where it is damaged.
    """

    application_id: int
    format: int
    new: str
    later: str
    called: str
    mending: str


class Status(IntEnum):
    """Where a recording stands. SQL takes the numbers from here, as partial indexes need them."""

    PENDING = 0
    STARTING = 1
    STARTED = 2
    WRITTEN = 3
    FAILED = 4


# A recording's `last_run` is the newest run whose selection took it; `existing_attempt` is the
# attempt whose result was found before anything was started, 0 where there was none. `reason` and
# `message` are those of a failure; of a recording that has not failed `reason` says that its
# language could not be identified, and `message` is the language that its job is given instead.
_RECORDINGS = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE recordings (
    row INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    etag TEXT NOT NULL,
    size INTEGER NOT NULL,
    identity BLOB NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 1,
    existing_attempt INTEGER NOT NULL DEFAULT 0,
    status INTEGER NOT NULL DEFAULT 0,
    last_run INTEGER NOT NULL,
    changed REAL NOT NULL,
    reason TEXT,
    message TEXT
);
CREATE TABLE results (identity BLOB PRIMARY KEY, attempt INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE previous_identities (identity BLOB PRIMARY KEY) WITHOUT ROWID;
"""
_RULES = f"""
CREATE TRIGGER keep_previous_identity AFTER UPDATE OF identity ON recordings
WHEN old.status = {Status.WRITTEN:d} AND old.identity != new.identity
    AND NOT EXISTS (SELECT 1 FROM previous_identities WHERE identity = old.identity)
BEGIN  -- an OR IGNORE in here would be overruled by the statement that fires it
    INSERT INTO previous_identities VALUES (old.identity);
END;
CREATE INDEX pending ON recordings (last_run, row) WHERE status = {Status.PENDING:d};
CREATE INDEX existing ON recordings (row)
    WHERE status = {Status.PENDING:d} AND existing_attempt > 0;
CREATE INDEX in_flight ON recordings (row) WHERE status = {Status.STARTED:d};
CREATE INDEX failed ON recordings (row) WHERE status = {Status.FAILED:d};
PRAGMA user_version = {FORMAT};
"""
NEW = f"{_RECORDINGS}{_RULES}PRAGMA application_id = {APPLICATION_ID};"

# What came later than the recordings: a file without it is as good, and gets it from the next run.
HISTORY = """
CREATE TABLE IF NOT EXISTS runs (
    run INTEGER PRIMARY KEY,
    begun REAL NOT NULL,
    ended REAL,
    settings TEXT NOT NULL,
    summary TEXT
);
CREATE TABLE IF NOT EXISTS samples (
    run INTEGER NOT NULL,
    number INTEGER NOT NULL,
    facts TEXT NOT NULL,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS transcripts (
    run INTEGER NOT NULL,
    row INTEGER NOT NULL,
    confidence REAL,
    seconds REAL NOT NULL,
    took REAL,
    PRIMARY KEY (run, row)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parts (
    name TEXT PRIMARY KEY,
    etag TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS metadata (row INTEGER PRIMARY KEY, facts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cleaned (
    identity BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    results INTEGER NOT NULL,
    PRIMARY KEY (identity, attempt)
) WITHOUT ROWID;
"""

STATE = Schema(
    APPLICATION_ID,
    FORMAT,
    NEW,
    HISTORY,
    "state file",
    "Name another one with --state, or set it aside and begin again with --rebuild-state: "
    "jobs that were started are found again by their names.",
)

# A file whose runs kept no history yet gets its tables first. Samples counted by other names.
MIGRATION = f"""
CREATE TABLE IF NOT EXISTS heard (
    run INTEGER NOT NULL,
    row INTEGER NOT NULL,
    confidence REAL,
    seconds REAL NOT NULL,
    took REAL,
    PRIMARY KEY (run, row)
) WITHOUT ROWID;
ALTER TABLE heard RENAME TO transcripts;
DROP TRIGGER supersede;
DROP INDEX pending;
DROP INDEX found;
DROP INDEX in_flight;
DROP INDEX failed;
ALTER TABLE recordings RENAME COLUMN found TO existing_attempt;
ALTER TABLE recordings RENAME COLUMN seen TO last_run;
ALTER TABLE recordings RENAME COLUMN words TO message;
ALTER TABLE superseded RENAME TO previous_identities;
UPDATE meta SET name = 'run' WHERE name = 'generation';
UPDATE meta SET name = 'name prefix' WHERE name = 'names';
UPDATE meta SET name = 'fingerprint: ' || substr(name, 8) WHERE name LIKE 'asked: %';
{_RULES}
{HISTORY}
UPDATE samples SET facts = json_set(
    json_remove(facts, '$.started', '$.slots', '$.refused', '$.brakes', '$.cost'),
    '$.jobs', coalesce(json_extract(facts, '$.started'), 0),
    '$.slots_found', coalesce(json_extract(facts, '$.slots'), 0),
    '$.refused_calls', coalesce(json_extract(facts, '$.refused'), 0),
    '$.waits', json(coalesce(json_extract(facts, '$.brakes'), '{{}}')));
"""
"""From format 1, which had other names for the same things."""
