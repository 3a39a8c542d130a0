"""What was heard in one run, counted by SQLite, so that memory does not grow with the run."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from pipeline.state.history import history_rows
from pipeline.state.recordings import JOB_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.model import Job
    from pipeline.state.database import Database
    from pipeline.state.recordings import Recordings

_LAST_RUNS = 10
_FINE = 2_000
"""Bands for quantiles: each is then right to a two-thousandth of the longest."""


class Totals(NamedTuple):
    """Sums over the recordings that a run has written.

    `seconds` are of audio, `rated` have a confidence and `confidence` is their mean (None without
    any); `timed` are those whose jobs this run started, and `longest` is the longest of these jobs
    in seconds.
    """

    written: int
    seconds: float
    rated: int
    confidence: float | None
    timed: int
    longest: float


class Worst(NamedTuple):
    """A recording of little confidence: its job as it is now, and what was heard."""

    job: Job
    confidence: float
    seconds: float


class JobTimes(NamedTuple):
    """Means over the jobs of the last runs: seconds of audio, seconds that a job took, products.

    `square` is the mean square of the seconds of audio, `both` of audio times what the job took.
    """

    jobs: int = 0
    audio: float = 0.0
    took: float = 0.0
    both: float = 0.0
    square: float = 0.0


class Statistics:
    """The figures of the transcripts that runs have written."""

    def __init__(self, database: Database, recordings: Recordings) -> None:
        self._database = database
        self._recordings = recordings

    def job_times(self) -> JobTimes:
        """How long the jobs of the last ten runs took, of those that these runs started."""
        rows = history_rows(
            self._database,
            "SELECT count(*), avg(seconds), avg(took), avg(seconds * took), avg(seconds * seconds) "
            "FROM transcripts WHERE took IS NOT NULL AND run > (SELECT max(run) FROM runs) - ?",
            _LAST_RUNS,
        )
        return JobTimes(*rows[0]) if rows and rows[0][0] else JobTimes()

    def totals(self, run: int) -> Totals:
        """The sums of a run; all 0 where nothing was written."""
        rows = history_rows(
            self._database,
            "SELECT count(*), total(seconds), count(confidence), avg(confidence), count(took), "
            "coalesce(max(took), 0) FROM transcripts WHERE run = ?",
            run,
        )
        return Totals(*rows[0]) if rows else Totals(0, 0.0, 0, None, 0, 0.0)

    def confidences(self, run: int, bands: int) -> list[int]:
        """How many recordings there are in each of so many equal bands of confidence, 0 to 1."""
        counted = dict(
            history_rows(
                self._database,
                "SELECT min(cast(confidence * ? AS INTEGER), ?), count(*) FROM transcripts "
                "WHERE run = ? AND confidence IS NOT NULL GROUP BY 1",
                *(bands + 1e-6, bands - 1, run),
            )
        )
        return [counted.get(band, 0) for band in range(bands)]

    def job_seconds(self, run: int, width: float, most: int) -> list[int]:
        """How many jobs took how long, in bands of `width` seconds, at most `most` of them.

        The last band also has all that took longer.
        """
        counted = dict(
            history_rows(
                self._database,
                "SELECT min(cast(took / ? AS INTEGER), ?), count(*) FROM transcripts "
                "WHERE run = ? AND took IS NOT NULL GROUP BY 1",
                *(width, most - 1, run),
            )
        )
        return [counted.get(band, 0) for band in range(max(counted, default=-1) + 1)]

    def job_quantiles(self, run: int, longest: float) -> Mapping[float, float]:
        """Within how many seconds half, nine tenths and 99 hundredths of the jobs had ended."""
        width = longest / _FINE or 1.0
        counts = self.job_seconds(run, width, _FINE)
        so_far = list(accumulate(counts))
        return {
            share: min(longest, (bisect_left(so_far, share * so_far[-1]) + 1) * width)
            for share in (0.5, 0.9, 0.99)
            if so_far
        }

    def worst(self, run: int, most: int) -> list[Worst]:
        """The recordings of least confidence, the least first; only such as are still known."""
        rows = history_rows(
            self._database,
            f"SELECT {JOB_COLUMNS}, confidence, seconds "
            "FROM transcripts JOIN recordings USING (row) WHERE run = ? AND confidence IS NOT NULL "
            "ORDER BY confidence, row LIMIT ?",
            *(run, most),
        )
        return [
            Worst(self._recordings.job(row), confidence, seconds)
            for *row, confidence, seconds in rows
        ]
