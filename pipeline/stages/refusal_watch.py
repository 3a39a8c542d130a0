"""Whether the service refuses every recording alike, which is no fault of the recordings."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.model import Job

ALL_ALIKE = 20
"""So many equal refusals in a row, and nothing that ever ran, are of the account."""


class RefusalWatch:
    """The refusals in a row, as long as the service has taken nothing."""

    def __init__(self) -> None:
        self._anything_ran = False
        self._refused: deque[tuple[Job, str]] = deque(maxlen=ALL_ALIKE)

    def on_running(self) -> None:
        """A job runs at the service."""
        self._anything_ran = True
        self._refused.clear()

    def on_refused(self, job: Job, reason: str) -> list[Job]:
        """The service refused the job; return the last ones when all were refused alike."""
        if self._anything_ran:
            return []
        self._refused.append((job, reason))
        alike = {why for _, why in self._refused} == {reason}
        return [each for each, _ in self._refused] if alike and self._is_full else []

    @property
    def _is_full(self) -> bool:
        return len(self._refused) == ALL_ALIKE
