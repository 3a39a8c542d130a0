"""What was pushed already: a small file beside the output, which may be lost without harm.

`tasks.jsonl.pushed` holds a place in the output for each project. Whoever loses it looks every
task up again; so it is a file of its own and no part of the state file, which a run that is under
way has locked.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from pipeline.files import locked, replacing
from pipeline.label_studio.selection import Selection
from pipeline.model import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_END = 4096


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a project has the tasks of an output.

    `size` is in bytes of the output, `digest` that of what stands before; `review_below` and
    `audit` are what tasks were chosen by, `tasks` how many of them the project has (0 in a ledger
    of an earlier version), `buckets` those of their recordings. `made` is a project whose storages
    are this program's to add, `label_config` the digest of the configuration that it gave the
    project, "" where it gave none, and `layout` that one's. `sent_at` is when a batch was sent
    whose answer has not come (seconds since the epoch), 0 when there is none, and `sent` the job
    and the number of the part of its first task. `sound` says that its recordings were copied too,
    `copied` which one last, and to which address. `title` is that by which it is filled, also where
    it was renamed; "" where it is filled by its number.
    """

    size: int = 0
    digest: str = ""
    review_below: float = 0.0
    audit: float = 0.0
    tasks: int = 0
    buckets: tuple[str, ...] = ()
    made: bool = False
    label_config: str = ""
    layout: Layout = Layout.LIST
    sent_at: float = 0.0
    sent: tuple[str, int] = ("", 0)
    sound: bool = False
    copied: tuple[str, str] = ("", "")
    title: str = ""

    @property
    def selection(self) -> Selection:
        """What its tasks were chosen by."""
        return Selection(self.review_below, self.audit)


def project_key(address: str, created_at: str) -> str:
    """What a project is remembered by: a server that is set up again starts its numbers at 1."""
    return f"{address} of {created_at}"


def projects_pushed(output: Path) -> list[str]:
    """The addresses of the projects that have tasks of an output, the one with most first."""
    places = _read(_path_of(output))
    ordered = sorted(places, key=lambda key: -places[key].size)
    return [key.rpartition(" of ")[0] for key in ordered]


class PushLedger:
    """The places by the projects' keys; for one push at a time."""

    def __init__(self, path: Path, output: Path) -> None:
        self._path = path
        self._output = output
        self._places = _read(path)

    def place(self, project: str, selection: Selection) -> Place:
        """Where to go on; the beginning when the output is another than it was, or the choice."""
        place = self._places.get(project, Place())
        as_left = place.digest == self._digest(place.size) and place.selection == selection
        if as_left:
            return place
        begun = {"size": 0, "digest": "", "tasks": 0, "buckets": ()}
        return msgspec.structs.replace(place, **begun, **selection._asdict())

    def keep(self, project: str, place: Place) -> None:
        """Remember a place, durably.

        Raises:
            OutputUnusable: the file can't be written.
        """
        fresh = msgspec.structs.replace(place, digest=self._digest(place.size))
        self._places[project] = fresh
        with replacing(self._path, b"") as file:
            file.write(msgspec.json.format(msgspec.json.encode(self._places), indent=1) + b"\n")

    def _digest(self, size: int) -> str:
        """A digest of the output's bytes just before `size`; "" when it is shorter."""
        if not size:
            return ""
        try:
            with self._output.open("rb") as file:
                file.seek(max(0, size - _END))
                end = file.read(min(size, _END))
        except OSError:
            return "unreadable"
        whole = len(end) == min(size, _END)
        return hashlib.blake2b(end, digest_size=16).hexdigest() if whole else "short"


@contextmanager
def opened_ledger(output: Path) -> Iterator[PushLedger]:
    """The ledger of an output, held by this push alone.

    Raises:
        OutputUnusable: another push holds it, or the folder can't be written.
    """
    path = _path_of(output)
    busy = f"Another push sends the tasks of {output}"
    with locked(path.with_name(f"{path.name}.lock"), busy, "Wait for it, or stop it."):
        yield PushLedger(path, output)


def _path_of(output: Path) -> Path:
    return output.with_name(f"{output.name}.pushed")


def _read(path: Path) -> dict[str, Place]:
    """The places; none when the file is lost or damaged, as every task is looked up then."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Place])
    except Exception:  # noqa: BLE001 # whatever foreign text does to its reader
        return {}
