"""Which tasks are reviewed: the uncertain ones, and of the others a sample for the audit; pure.

The sample is drawn by the recording's name alone, so it is the same on every machine, at every push
and however the output grows; a larger share holds the smaller ones. What is of the audit says so in
the task's `meta.audit`, from where `pull` writes it into the ground truth.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import orjson

if TYPE_CHECKING:
    from pipeline.label_studio.task_lines import TaskLine

_BYTES = 8
_DRAWS = 2.0 ** (8 * _BYTES)


class Selection(NamedTuple):
    """What `push` was asked to choose by.

    Tasks with a score below `review_below` are reviewed (0: all tasks), and of the others the
    share `audit`, 0 to 1.
    """

    review_below: float = 0.0
    audit: float = 0.0

    def is_uncertain(self, line: TaskLine) -> bool:
        """Whether the score alone asks for a review."""
        return not self.review_below or line.score < self.review_below

    def is_audited(self, line: TaskLine) -> bool:
        """Whether it is reviewed only to see how good those are which need no review."""
        return not self.is_uncertain(line) and _drawn(line) < self.audit

    def is_for_review(self, line: TaskLine) -> bool:
        """Whether someone is to review it."""
        return self.is_uncertain(line) or self.is_audited(line)

    def content(self, line: TaskLine) -> bytes:
        """The task as JSON, with the audit's mark where it is of it."""
        if not self.is_audited(line):
            return line.content
        task = orjson.loads(line.content)
        return orjson.dumps(task | {"meta": task.get("meta", {}) | {"audit": True}})


def _drawn(line: TaskLine) -> float:
    """A number from 0 to below 1 that depends on the recording's name alone."""
    name = str(line.data.get("audio") or line.job_id)
    digest = blake2b(name.encode("utf-8", "replace"), digest_size=_BYTES, person=b"audit").digest()
    return int.from_bytes(digest, "big") / _DRAWS
