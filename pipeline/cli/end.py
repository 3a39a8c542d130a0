"""The end of a command as facts, for `--json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pipeline.terminal import CANNOT_RUN

if TYPE_CHECKING:
    from pipeline.errors import PipelineError


class End(msgspec.Struct, frozen=True, omit_defaults=True):
    """The exit code, what is wrong and what helps; IAM action and the service's own words.

    `problem` is "" where nothing is wrong.
    """

    exit_code: int
    problem: str = ""
    advice: str = ""
    action: str = ""
    message: str = ""


def end_by(error: PipelineError) -> End:
    """The end of what can't run, or can't go on."""
    return End(CANNOT_RUN, error.problem, error.advice, error.action, error.message)
