"""Recordings that lie on this machine, copied to Label Studio so that reviewers hear them.

No browser plays `file://` audio. A task whose recording was copied has the copy as its `audio` and
the recording's own URI as its `recording_uri`, by which it is known from then on. So the tasks at
the server say which recordings are copied; the ledger knows only the last one, whose task may not
say so yet.

Label Studio (1.23) imports a file of sound only where the configuration shows one key of the data.
So each copy begins as a small JSON file, an import of no task, whose content is then changed to the
recording: one after the other, as the server holds each in memory while it comes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import orjson
from yarl import URL

from pipeline.config.metadata import COPIED
from pipeline.errors import BadSettings, TasksRefused
from pipeline.label_studio.content import Upload, decoded
from pipeline.label_studio.rounds import askable, is_of_recording
from pipeline.label_studio.schema import Copy, Imported
from pipeline.recordings.formats import UNPLAYED, extension
from pipeline.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.label_studio.rounds import EarlierTasks
    from pipeline.label_studio.schema import RecordingRow
    from pipeline.label_studio.task_lines import TaskLine

LARGEST = 250 * 2**20
"""Bytes of a request that Label Studio reads (1.23; `DATA_UPLOAD_MAX_MEMORY_SIZE`)."""

_ROOM_FOR_FORM = 2**20
_SCHEME = "file://"
_NO_TASK = Upload("recording.json", b'[{"data":{"audio":""}}]')
_NAME_LENGTH = 40  # the server keeps 100 characters of the whole path


class NotCopied(ValueError):
    """A recording can't be copied; the words say why, in a clause about it."""


class Copies:
    """The copies in one project."""

    def __init__(self, earlier: EarlierTasks) -> None:
        self._earlier = earlier
        self._client = earlier.client
        self._project = earlier.project.id

    async def complete(
        self, batch: Sequence[TaskLine], last: tuple[str, str], remember: Callable[..., None]
    ) -> tuple[int, list[str]]:
        """Have the recordings of a batch heard.

        Args:
            batch: tasks that are there.
            last: the recording that was copied last, and to where.
            remember: gets this as `copied` once there is another one.

        Returns:
            How many have a copy now, and of each other one a sentence that says why not.
        """
        copied, unheard = 0, []
        for line, rows in await self.missing(batch):
            try:
                if last[0] != line.recording:
                    last = line.recording, await self.copy(line)
                    remember(copied=last)
            except NotCopied as why:
                unheard.append(printable(f"Not heard: {line.data['audio']}: {why}."))
            else:
                await self.tell(line, rows, last[1])
                copied += 1
        return copied, unheard

    async def missing(self, batch: Sequence[TaskLine]) -> list[tuple[TaskLine, list[RecordingRow]]]:
        """The tasks that are there without a copy, by recordings, each with a line of its own."""
        local = [line for line in batch if is_local(str(line.data.get("audio")))]
        found = []
        for some in askable(local):
            asked = list(dict.fromkeys(str(line.data["audio"]) for line in some))
            rows = await self._client.retried(self._earlier.tasks_of, asked)
            uncopied = [each for each in rows if each.data["audio"] in asked]
            for line in some:
                if ours := [each for each in uncopied if is_of_recording(each, line)]:
                    found.append((line, ours))
                    uncopied = [each for each in uncopied if each not in ours]
        return found

    async def copy(self, line: TaskLine) -> str:
        """Copy a recording; the address of the copy, as the player is given it.

        Raises:
            NotCopied: it can't be.
        """
        path = checked_file(line)
        name = f"{line.job_id[-_NAME_LENGTH:]}.{extension(path.name)}"
        try:
            number = await self._client.retried(self._begun)
            place = await self._client.retried(self._filled, number, Upload(name, path))
        except OSError as error:
            raise NotCopied(f"it can't be read: {error.strerror}") from error
        except (TasksRefused, BadSettings) as error:
            raise NotCopied(f"the server refuses it: {error.problem}") from error
        return f"{URL(self._client.url).path.rstrip('/')}/data/{quote(place)}"

    async def tell(self, line: TaskLine, rows: Sequence[RecordingRow], address: str) -> None:
        """Have the tasks of a recording play its copy."""
        for row in rows:
            data = row.data | {"audio": address, COPIED: line.data["audio"]}
            body = orjson.dumps({"data": data})
            await self._client.retried(self._client.ask, "PATCH", f"tasks/{row.id}/", None, body)

    async def _begun(self) -> int:
        """A file at the server that is to become a copy; its number."""
        path = f"projects/{self._project}/import"
        body = await self._client.ask("POST", path, {"commit_to_project": "false"}, _NO_TASK)
        numbers = decoded(self._client.url, Imported, body).file_upload_ids
        if not numbers:
            raise TasksRefused("It takes no files")
        return numbers[0]

    async def _filled(self, number: int, upload: Upload) -> str:
        """Change a file's content; where it is then, below the server's `data/`."""
        body = await self._client.ask("PATCH", f"import/file-upload/{number}", None, upload)
        return decoded(self._client.url, Copy, body).file


def is_local(audio: str) -> bool:
    """Whether a recording lies in a folder, and a browser would play it if it had it."""
    return audio.startswith(_SCHEME) and extension(audio) not in UNPLAYED


def checked_file(line: TaskLine) -> Path:
    """The file of a task's recording.

    Raises:
        NotCopied: it is not there, is not what was transcribed, or is too large.
    """
    path = Path(unquote(str(line.data["audio"]).removeprefix(_SCHEME)))
    try:
        size = path.stat().st_size
    except OSError as error:
        raise NotCopied(f"it can't be read: {error.strerror}") from error
    if line.size not in (None, size):
        raise NotCopied("it is not the file any more that was transcribed")
    if size > LARGEST - _ROOM_FOR_FORM:
        raise NotCopied(f"it has {size:,} bytes, and Label Studio takes {LARGEST:,} at most")
    return path
