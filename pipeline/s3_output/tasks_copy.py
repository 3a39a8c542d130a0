"""The tasks of all parts in one local file, for the commands that read tasks; it grows with them.

A part is appended once, in one commit with its name, so that what a command remembers of the file
by its size stays right.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from pipeline.errors import OutputUnusable
from pipeline.s3_output.parts import check_unchanged, parts_there, read_part
from pipeline.stages.output_file import Output, OutputFile
from pipeline.state.run_state import open_state

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.aws.s3 import S3
    from pipeline.s3_output.layout import Layout, Part


class TasksCopy(Output):
    """The local file: the content of parts, one after the other."""

    def add(self, part: Part, etag: str, content: bytes) -> None:
        """Append a part."""
        with self.checkpoint():
            self._state.parts.note(part.name, etag)
            self.extend([content], content.count(b"\n"))


async def bring_tasks(s3: S3, layout: Layout, path: Path, state_path: Path) -> None:
    """Append what the file does not have yet; beside another such command it waits for none.

    Raises:
        OutputUnusable: a part is missing or was changed, there is none at all, or the file is not
            what was written there.
        StateUnusable: another command brings tasks into the file.
    """
    there = await parts_there(s3, layout)
    if not there:
        raise OutputUnusable(
            f"There are no tasks below {layout.parts}", "Name the --output of a run that has ended."
        )
    with ExitStack() as held:
        state = held.enter_context(open_state(state_path, ""))
        state.parts.check_belongs(f"{layout.output} (all shards)")
        copy = held.enter_context(closing(TasksCopy(OutputFile(path), state)))
        known = state.parts.known()
        check_unchanged(layout, known, there)
        for part in sorted(there):
            if part.name not in known:
                content, etag = await read_part(s3, layout.part(part))
                copy.add(part, etag, content)
