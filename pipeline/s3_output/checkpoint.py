"""A copy of the state file beside the parts: what makes the next run on another machine quick.

It may be lost or old: the parts say what is written, and jobs are found by their names. It is taken
while no line is open, so that all it calls written is in a part.
"""

from __future__ import annotations

import asyncio
import filecmp
import gzip
import os
import shutil
import zlib
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipeline.aws.s3 import IF_ABSENT, if_still
from pipeline.errors import NoSuchSource, OutputUnusable, PipelineError, StateUnusable
from pipeline.files import writing
from pipeline.logs import WARNING, event
from pipeline.state.copies import adopt_copy, checkpoint_of, copy_state, has_open_lines, is_begun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.aws.s3 import S3
    from pipeline.naming import S3Uri
    from pipeline.state.lock import StateLock
    from pipeline.state.run_state import RunState

_SPAN = 8 * 2**20
_LEVEL = 1  # of gzip: a third of the size for a tenth of the time


async def bring(s3: S3, place: S3Uri, lock: StateLock, output: Path) -> str:
    """Have the state file be as new as the copy, where that is another machine's.

    A state file whose lines are not all in a part is left alone, as is one that the copy was made
    from. A copy that can't be read counts as lost: its ETag is returned, else "".

    Raises:
        CannotRun: it may not be read, or the disk is full.
    """
    there = await s3.look_up(place)
    if there is None or not _is_wanted(lock.path, there.etag):
        return ""
    with _folder_beside(lock.path) as folder:
        copy = folder / "state"
        try:
            await fetch(s3, place, copy, there.etag)
            await asyncio.to_thread(adopt_copy, copy, there.etag, _beside(lock.path, output))
        except StateUnusable as error:
            event("checkpoint.unusable", WARNING, place=str(place), message=str(error))
            return there.etag
        lock.create()
        await asyncio.to_thread(copy_state, copy, lock.path)
    return ""


def _beside(state: Path, output: Path) -> str:
    return os.path.relpath(output, state.parent)


def _is_wanted(path: Path, etag: str) -> bool:
    return not is_begun(path) or (checkpoint_of(path) != etag and not has_open_lines(path))


class Copies:
    """The copies that a run makes of its state file, each only where none is under way.

    It is copied, packed and sent while the run goes on, as of the moment at which that began: a
    million recordings take a second to copy and four to pack.
    """

    def __init__(self, s3: S3, place: S3Uri, state: RunState) -> None:
        self._s3 = s3
        self._place = place
        self._state = state
        self._sending: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Copy the state file as it is now, and send the copy while the run goes on.

        What can't be written is told; another run reads the parts instead.
        """
        if (self._sending and not self._sending.done()) or self._has_open_lines():
            return
        held = ExitStack()
        folder = held.enter_context(_folder_beside(self._state.path))
        begun = asyncio.Event()
        self._sending = asyncio.create_task(self._behind(folder, held, begun))
        await begun.wait()

    async def finish(self) -> None:
        """Have S3 hold the state file as it is at the end, once no other copy is under way.

        Raises:
            CannotRun: it can't be written.
        """
        if self._sending:
            await self._sending
        if not self._has_open_lines():
            only = self._state.parts.checkpoint
            self._note(await save(self._s3, self._place, self._state.path, only))

    def _has_open_lines(self) -> bool:
        return self._state.facts.output_size > self._state.parts.open_from

    async def _behind(self, folder: Path, held: ExitStack, begun: asyncio.Event) -> None:
        on_begun = partial(asyncio.get_running_loop().call_soon_threadsafe, begun.set)
        with held:
            try:
                await asyncio.to_thread(copy_state, self._state.path, folder / "copy", on_begun)
                only = self._state.parts.checkpoint
                self._note(await _send(self._s3, self._place, folder, only))
            except PipelineError as error:
                event("checkpoint.failed", WARNING, message=str(error))
            finally:
                begun.set()

    def _note(self, etag: str | None) -> None:
        if etag is None:
            event("checkpoint.kept", place=str(self._place))  # another run's, or `retry`'s
        else:
            self._state.parts.saved_as(etag)


async def save(s3: S3, place: S3Uri, path: Path, only: str) -> str | None:
    """Put a copy of the state file there; its ETag, None where `only` is not what is there.

    That is the ETag of the copy that may be replaced, "" where there is to be none yet.

    Raises:
        CannotRun: it can't be written.
    """
    with _folder_beside(path) as folder:
        await asyncio.to_thread(copy_state, path, folder / "copy")
        return await _send(s3, place, folder, only)


async def _send(s3: S3, place: S3Uri, folder: Path, only: str) -> str | None:
    packed = folder / "packed"
    await asyncio.to_thread(_pack, folder / "copy", packed)
    etag = await s3.write(place, packed, if_still(only) if only else IF_ABSENT)
    return etag or await _own_etag(s3, place, packed)


async def _own_etag(s3: S3, place: S3Uri, packed: Path) -> str | None:
    """The ETag of what is there where that is this very copy: the answer to its PUT was lost."""
    there = await s3.look_up(place)
    if there is None or there.size != _size(packed):
        return None
    read = packed.with_name("there")
    await download(s3, place, read, there.etag)
    same = await asyncio.to_thread(filecmp.cmp, packed, read, shallow=False)
    return there.etag if same else None


async def fetch(s3: S3, place: S3Uri, to: Path, etag: str) -> None:
    """Write the state file that the copy of this ETag is of.

    Raises:
        StateUnusable: the copy is damaged.
        OutputUnusable: it was replaced meanwhile, or the disk is full.
    """
    packed = to.with_name(f"{to.name}.gz")
    await download(s3, place, packed, etag)
    await asyncio.to_thread(_unpack, packed, to)
    packed.unlink()


async def download(s3: S3, place: S3Uri, to: Path, etag: str) -> None:
    """Write the object of this ETag to a file, a part at a time.

    Raises:
        OutputUnusable: it was replaced meanwhile, or the disk is full.
    """
    start, size = 0, 1
    with writing(to), to.open("xb") as file:
        while start < size:
            content, size = await _span(s3, place, start, etag)
            file.write(content)
            start += len(content)


async def _span(s3: S3, place: S3Uri, start: int, etag: str) -> tuple[bytes, int]:
    try:
        part = await s3.read_part(place, (start, start + _SPAN - 1), f'"{etag}"')
    except NoSuchSource as error:
        if not error.message.startswith("PreconditionFailed"):
            raise
        part = None
    if part is None:
        raise OutputUnusable(f"{place} was replaced just now", "Run the same command again.")
    return part.content, part.size


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    place, name = path.absolute().parent, f".{path.name}-"
    # Who is interrupted leaves while a thread may still write there.
    with writing(path):
        folder = TemporaryDirectory(dir=place, prefix=name, ignore_cleanup_errors=True)
    with folder:
        yield Path(folder.name)


def _size(path: Path) -> int:
    return path.stat().st_size


def _pack(copy: Path, to: Path) -> None:
    with writing(to), copy.open("rb") as source, gzip.open(to, "wb", _LEVEL) as target:
        shutil.copyfileobj(source, target)
    copy.unlink()


def _unpack(packed: Path, to: Path) -> None:
    with writing(to), gzip.open(packed, "rb") as source, to.open("xb") as target:
        try:
            shutil.copyfileobj(source, target)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise StateUnusable(f"The copy of the state file is damaged: {error}") from error
