"""What has happened in a run so far, counted."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from pipeline.config.pricing import Item, billed_seconds
from pipeline.recordings.selection import Skipped
from pipeline.stages.stage_times import StageTimes

if TYPE_CHECKING:
    from collections.abc import Iterable


class Counters:
    """What has happened in this run; all counts are of recordings or objects.

    `billed` are the billed seconds of the jobs whose transcripts this run has collected, by item.
    The service tells nobody how long a recording is: it is taken to end with its last segment.
    """

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.listed = 0
        self.unchanged = 0
        self.duplicates = 0
        self.listing_done = False
        self.no_recordings = Skipped()
        self.started = 0
        self.adopted = 0
        self.resumed = 0
        self.written = 0
        self.silent = 0
        self.failures: Counter[str] = Counter()
        self.deferred = 0
        self.notes: list[str] = []
        self.billed: Counter[Item] = Counter()
        self.stage_times = StageTimes()

    def bill(self, seconds: float, items: Iterable[Item]) -> None:
        """A job over so many seconds of audio is complete, and billed for these items."""
        for item in items:
            self.billed[item] += billed_seconds(seconds)

    @property
    def skipped(self) -> Counter[str]:
        """Objects that are no recordings, by reason."""
        return self.no_recordings.by_reason

    @property
    def not_audio(self) -> Counter[str]:
        """Those of them that are not audio, by extension."""
        return self.no_recordings.not_audio

    @property
    def billed_seconds(self) -> int:
        """Seconds of audio that are billed."""
        return self.billed[Item.TRANSCRIPTION]

    @property
    def failed(self) -> int:
        """How many recordings failed in this run."""
        return self.failures.total()

    @property
    def seconds(self) -> float:
        """How long the run has been going on."""
        return time.monotonic() - self.begun
