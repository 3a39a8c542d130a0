"""Transcripts ─► the files of a data set in Parquet; apart, as its library comes with an extra.

Three tables: `recordings`, `segments`, `words`. Types are those that every engine reads: texts,
whole numbers, doubles, and milliseconds in UTC. Names are no words of SQL.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config.metadata import KeyPattern, column_names
from pipeline.text import storable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.config.metadata import Metadata, Value
    from pipeline.transcripts.render import Transcribed

DAY = "day"
"""The partition, which is in no file: the day of `transcribed_at`, in UTC."""

RECORDINGS = {
    "job_id": pa.string(),
    "version": pa.int32(),
    "transcribed_at": pa.timestamp("ms"),
    "audio": pa.string(),
    "key": pa.string(),
    "etag": pa.string(),
    "size": pa.int64(),
    "language": pa.string(),
    "duration": pa.float64(),
    "word_count": pa.int32(),
    "confidence": pa.float64(),
    "speaker_count": pa.int32(),
    "channel_count": pa.int32(),
    "redacted": pa.bool_(),
    "text": pa.string(),
    "metadata": pa.string(),
}
SEGMENTS = {
    "job_id": pa.string(),
    "segment": pa.int32(),
    "start_time": pa.float64(),
    "end_time": pa.float64(),
    "speaker": pa.string(),
    "channel": pa.string(),
    "language": pa.string(),
    "confidence": pa.float64(),
    "text": pa.string(),
}
WORDS = {
    "job_id": pa.string(),
    "segment": pa.int32(),
    "word": pa.int32(),
    "start_time": pa.float64(),
    "end_time": pa.float64(),
    "speaker": pa.string(),
    "channel": pa.string(),
    "confidence": pa.float64(),
    "text": pa.string(),
}

# Its own pool keeps what was freed: 25 MB more.
pa.set_memory_pool(pa.system_memory_pool())

_AT_ONCE = 16_384
"""Rows that are compressed at once: 11 ms; twice as many take 18 MB more."""

_MOST_WORDS, _MOST_RECORDINGS = 500_000, 10_000
_MOST_BYTES = 16 << 20
"""Of a batch: some 6 MB, which are in memory until they are written."""


class Row(NamedTuple):
    """A transcript in the tables.

    `version` counts the rows of its recording, from 1; `moment` is when it was transcribed, in
    seconds since the epoch. With `whole` its segments and words are to be written too.
    """

    of: Transcribed
    version: int
    moment: float
    whole: bool = True


class Part(NamedTuple):
    """A file of a table, below the place of the data set."""

    name: str
    content: memoryview


class TableBatch:
    """Transcripts on their way into files, one for each table and day."""

    def __init__(self, metadata: Metadata) -> None:
        self._columns = column_names(metadata, (*RECORDINGS, DAY))
        forms = KeyPattern(metadata.key_pattern).forms
        types = {
            column: pa.int64() if forms.get(name) == "d" else pa.string()
            for name, column in self._columns.items()
        }
        self._types = {"words": WORDS, "segments": SEGMENTS, "recordings": RECORDINGS | types}
        self._tables: dict[tuple[str, str], _Table] = {}
        self._long: list[_Table] = []
        self._rows: list[tuple[str, int, str]] = []
        self._words = self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether it is as large as files should be."""
        return (
            self._words >= _MOST_WORDS
            or self._bytes >= _MOST_BYTES
            or len(self._rows) >= _MOST_RECORDINGS
        )

    @property
    def is_long(self) -> bool:
        """Whether it has rows to be compressed before more are added."""
        return bool(self._long)

    def compress(self) -> None:
        """Compress the rows of every table that has enough of them."""
        while self._long:
            self._long.pop().compress()

    def add(self, row: Row) -> None:
        """Add the rows of a transcript to all tables."""
        job, transcript = row.of.job, row.of.transcript
        day = datetime.fromtimestamp(row.moment, UTC).date().isoformat()
        self._rows.append((job.recording.key, row.version, job.name))
        self._bytes += 8 * len(transcript.text)
        values = _recording(row, self._columns, self._types)
        self._add("recordings", day, [[value] for value in values])
        if not row.whole:
            return
        for number, each in enumerate(transcript.segments):
            where = each.start, each.end, each.speaker, each.channel
            facts = (job.name, number, *where, each.language, each.confidence, each.text)
            self._add("segments", day, [[value] for value in facts])
            count = len(each.words)
            self._words += count
            self._add(
                "words",
                day,
                [
                    [job.name] * count,
                    [number] * count,
                    list(range(count)),
                    [word.start for word in each.words],
                    [word.end for word in each.words],
                    [word.speaker or each.speaker for word in each.words],
                    [word.channel or each.channel for word in each.words],
                    [word.confidence for word in each.words],
                    [word.text for word in each.words],
                ],
            )

    def _add(self, name: str, day: str, columns: Sequence[list[Any]]) -> None:
        table = self._tables.get((name, day))
        if table is None:
            table = self._tables[name, day] = _Table(pa.schema(list(self._types[name].items())))
        if table.add(columns) and table not in self._long:
            self._long.append(table)

    def parts(self) -> Iterator[Part]:
        """Its files, those of the recordings last: a recording that is there has its words.

        It is empty then.
        """
        said = repr(sorted(self._rows)).encode("utf-8", "replace")
        name = hashlib.blake2b(said, digest_size=12).hexdigest()
        for table in self._types:
            for each, day in sorted(self._tables):
                if each == table:
                    content = self._tables.pop((each, day)).content()
                    yield Part(f"{table}/{DAY}={day}/{name}.parquet", content)


class _Table:
    """Rows by their columns, compressed some thousand at a time."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._sink = pa.BufferOutputStream()
        # Types as Parquet has them: its own schema would tell pyarrow more than other readers see.
        self._file = pq.ParquetWriter(self._sink, schema, compression="snappy", store_schema=False)
        self._columns: list[list[Any]] = [[] for _ in schema]

    def add(self, columns: Sequence[list[Any]]) -> bool:
        """Add rows; whether there are enough to be compressed."""
        for column, more in zip(self._columns, columns, strict=True):
            column.extend(more)
        return len(self._columns[0]) >= _AT_ONCE

    def compress(self) -> None:
        arrays = [
            _array(column, field.type)
            for column, field in zip(self._columns, self._schema, strict=True)
        ]
        self._file.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._columns = [[] for _ in self._schema]

    def content(self) -> memoryview:
        if self._columns[0]:
            self.compress()
        self._file.close()
        return memoryview(self._sink.getvalue())


def written_rows(content: bytes) -> Iterator[tuple[str, int, str, str | None]]:
    """The key, version, job and metadata, in JSON, of every row in a file of recordings.

    Raises:
        ValueError: it is no such file.
    """
    try:
        names = ["key", "version", "job_id", "metadata"]
        read = pq.read_table(pa.BufferReader(content), columns=names)
        columns = [read.column(name).to_pylist() for name in names]
    except (pa.ArrowException, KeyError) as error:
        raise ValueError("it is no file of recordings") from error
    yield from zip(*columns, strict=True)


def _array(values: list[Any], wanted: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, wanted)
    except UnicodeEncodeError:
        return pa.array([None if each is None else storable(each) for each in values], wanted)


def _recording(
    row: Row, columns: dict[str, str], types: dict[str, dict[str, pa.DataType]]
) -> list[Any]:
    job, transcript, said = row.of.job, row.of.transcript, row.of.metadata
    chosen = types["recordings"]
    return [
        job.name,
        row.version,
        round(row.moment * 1000),
        row.of.audio,
        job.recording.key,
        job.recording.etag,
        job.recording.size,
        row.of.language,
        transcript.duration,
        transcript.word_count,
        transcript.confidence,
        len(transcript.speakers),
        len(transcript.channels),
        transcript.redacted,
        transcript.text,
        orjson.dumps(said).decode() if said else None,
        *(_value(said.get(name), chosen[column]) for name, column in columns.items()),
    ]


def _value(value: Value | None, wanted: pa.DataType) -> Value | None:
    """A value of metadata in a column; what is of another type is in `metadata` alone."""
    if wanted == pa.int64():
        is_whole = isinstance(value, int) and abs(value) < 1 << 63
        return value if is_whole else None
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()
