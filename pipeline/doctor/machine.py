"""This machine: the files that a run writes, and the space for them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from socket import create_server
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from pipeline.doctor.findings import Finding, ok, problem, warning
from pipeline.errors import OutputUnusable, StateOutdated, StateUnusable
from pipeline.files import refuse_foreign_file
from pipeline.monitoring.failures_file import FAILURES_BEGIN
from pipeline.monitoring.heartbeat import HEARTBEAT_BEGINS
from pipeline.stages.output_file import refuse_foreign_output
from pipeline.state.lock import hold, lock_path
from pipeline.state.reader import read_state

if TYPE_CHECKING:
    from pipeline.config.schema import Monitoring

_LEAST = 10 * 2**20
_LITTLE = 2**30
_PLACE = "Name another place for it, or let this user write there."


def output(path: Path, state_path: Path, failures_path: Path) -> Finding:
    """Whether the tasks could be written: the file, its folder, and what failed beside it.

    Raises:
        OutputUnusable: the file is there, and is not this run's.
    """
    if not state_path.exists():
        refuse_foreign_output(path, state_path)
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        return problem(f"{path} can't be written.", "Make it this user's own, or move it away.")
    if found := _writable(path):
        return found
    try:
        refuse_foreign_file(failures_path, FAILURES_BEGIN)
    except OutputUnusable as error:
        return warning(f"The failures would be in no file: {error.sentence}", error.advice)
    return ok(f"{path} can be gone on with." if path.exists() else f"{path} can be written.")


def state(path: Path, source: str | None, name_prefix: str) -> Finding:
    """Whether the state file could be used by a run over `source`, None where it is not named.

    Raises:
        StateUnusable: it is damaged, or another source's.
    """
    if not path.exists():
        return _writable(path) or ok(f"{path} would be new.")
    try:
        with read_state(path) as opened:
            if source is not None:
                opened.facts.check_belongs(source, name_prefix)
            counts = opened.recordings.counts()
    except StateOutdated as error:
        return warning(error.sentence, error.advice)
    if not os.access(path, os.W_OK):
        return problem(f"The state file {path} can't be written.", "Make it this user's own.")
    if lock_path(path).exists():
        try:
            with hold(path):
                pass
        except StateUnusable as busy:
            return warning(busy.sentence, busy.advice)
    left = counts.pending + counts.in_flight
    return _writable(path) or ok(f"{path}: {counts.written:,} written, {left:,} to go on with.")


def disk(path: Path) -> Finding:
    """Whether there is space for tasks and state, which lie beside each other."""
    folder = _existing(path)
    return of_space(shutil.disk_usage(folder).free, folder)


def of_space(free: int, folder: Path) -> Finding:
    """What so many free bytes at a folder mean. Pure."""
    message = f"{free / 1e9:,.1f} GB are free at {folder}."
    advice = "Make space, or name another place with --output."
    if free < _LEAST:
        return problem(message, advice)
    return warning(message, advice) if free < _LITTLE else ok(message)


def monitoring(chosen: Monitoring) -> Finding:
    """Whether those who watch a run could: the files can be written, the port is free.

    Raises:
        OutputUnusable: something else is in a file already.
    """
    from pipeline.monitoring.prometheus import METRICS_BEGIN  # its client loads with it

    files = {chosen.metrics_file: METRICS_BEGIN, chosen.heartbeat_file: HEARTBEAT_BEGINS}
    for name, begins in files.items():
        if not name:
            continue
        refuse_foreign_file(Path(name), begins)
        if found := _writable(Path(name)):
            return found
    if chosen.metrics_port:
        try:
            create_server((chosen.metrics_host, chosen.metrics_port)).close()
        except OSError as error:
            return problem(
                f"{chosen.metrics_host}:{chosen.metrics_port} can't be listened at: "
                f"{os.strerror(error.errno or 0)}.",
                "Name another metrics_port, or end what listens there.",
            )
    return ok("The run can be watched.")


def folder(path: Path) -> Finding:
    """Whether the folder that stands for a bucket can be read."""
    if not os.access(path, os.R_OK | os.X_OK):
        return problem(f"The folder {path} can't be read.", "Let this user read it.")
    return ok(f"The folder {path} can be read.")


def _writable(path: Path) -> Finding | None:
    """The problem of the folder that a file is to be made in; None where there is none."""
    place = _existing(path)
    try:
        with TemporaryFile(dir=place) as trial:  # it has no name, so nothing is left of it
            trial.write(b"\n")
    except OSError as error:
        return problem(f"The folder {place} can't be written to: {error.strerror}.", _PLACE)
    return None


def _existing(path: Path) -> Path:
    """The folder of a file, or the nearest one above it that is there."""
    return next(each for each in path.absolute().parents if each.is_dir())
