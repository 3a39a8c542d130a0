"""How long a job takes, as those of the last runs did, or as is presumed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pipeline.state.statistics import JobTimes

_ENOUGH = 50
_ALIKE = 1e-6  # of the mean square: what lengths differ by less is the rounding of sums


class JobDuration(msgspec.Struct, frozen=True):
    """A job takes `fixed` seconds, and `per_second` more for each second of audio.

    `jobs` are those that it was measured on; 0 is an assumption. The service promises nothing:
    short recordings were seen to take one to two minutes, and the quarter is a guess.
    """

    fixed: float = 60.0
    per_second: float = 0.25
    jobs: int = 0

    def seconds(self, audio: float) -> float:
        """How long a job takes over so many seconds of audio."""
        return self.fixed + self.per_second * audio


def fitted(times: JobTimes) -> JobDuration:
    """The line of least squares through what jobs took; the assumption where they are few."""
    if times.jobs < _ENOUGH:
        return JobDuration()
    spread = times.square - times.audio**2
    alike = spread <= _ALIKE * times.square
    slope = 0.0 if alike else max(0.0, (times.both - times.audio * times.took) / spread)
    fixed = times.took - slope * times.audio
    if fixed < 0:  # no job takes less than its part of a job that has no fixed part
        return JobDuration(0.0, times.took / times.audio, times.jobs)
    return JobDuration(fixed, slope, times.jobs)
