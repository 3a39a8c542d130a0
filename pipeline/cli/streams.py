"""stdin, stdout and stderr as a command needs them: open, and on a disk that may be full."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from pipeline.errors import OutputUnusable

if TYPE_CHECKING:
    from typing_extensions import Buffer


class _Answers(io.FileIO):
    """What stdout is written to: whoever asked for an answer must not take half of it for all."""

    def write(self, content: Buffer) -> int | None:  # type: ignore[override] # as io's own
        try:
            return super().write(content)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputUnusable(
                f"stdout can't be written: {error.strerror}", "Write it to another place."
            ) from error


class _Messages(io.FileIO):
    """What stderr is written to: a log that has no room ends no work, and is cut short."""

    def write(self, content: Buffer) -> int | None:  # type: ignore[override] # as io's own
        try:
            return super().write(content)
        except BrokenPipeError:
            raise
        except OSError:
            return len(memoryview(content))


def ready_streams() -> None:
    """Print whatever the terminal can't show escaped, and nothing where a stream is closed.

    Cron and `2>&-` close streams; the next file opened would take their number, and be written to.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name, kind in (("stdout", _Answers), ("stderr", _Messages)):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 # until the end
        elif stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _over(kind(stream.fileno(), "w", closefd=False), stream))
        else:
            stream.reconfigure(errors="backslashreplace")


def _over(file: io.FileIO, stream: io.TextIOWrapper) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering or stream.write_through,  # PYTHONUNBUFFERED
    )


def leave_unwritable() -> None:
    """Turn a stream that takes nothing more to nowhere, or the interpreter complains at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (BrokenPipeError, OutputUnusable):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
