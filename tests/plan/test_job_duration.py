"""How long a job takes, as the last runs tell."""

from __future__ import annotations

import pytest

from pipeline.plan.job_duration import fitted
from pipeline.state.statistics import JobTimes


def test_longer_recordings_take_no_less_time():
    """Where chance has it the other way every job is taken to last as long as they did."""
    lengths, took = [10.0, 20.0] * 50, [40.0, 30.0] * 50
    count = len(lengths)
    times = JobTimes(
        count,
        sum(lengths) / count,
        sum(took) / count,
        sum(a * b for a, b in zip(lengths, took, strict=True)) / count,
        sum(a * a for a in lengths) / count,
    )

    duration = fitted(times)

    assert (duration.per_second, duration.jobs) == (0, 100)
    assert duration.seconds(10) == duration.seconds(3_600) == pytest.approx(35)
