"""Tasks in sealed parts: the truth of an output on S3.

Lines are committed to a local file as for any output. Every so often that file becomes the next
part: it is put under the next number where nothing is yet, and that put is the commit. Where
another run of the same shard was first, its part is read, what it holds is taken out of ours, and
the next number is tried. So two runs of one shard, or one that was killed and another that began on
a new disk, share the work, without a lock or a lease, and no recording has two lines.

An answer that was lost needs no care of its own: the part that is there then holds our own lines.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pipeline.aws.account import account_of
from pipeline.aws.s3 import IF_ABSENT
from pipeline.config.shards import lane_of
from pipeline.errors import PipelineError
from pipeline.logs import event
from pipeline.net.retry import never_deferred
from pipeline.s3_output.account_share import AccountShare
from pipeline.s3_output.beats import Beats, heard_of
from pipeline.s3_output.beside import refuse_beside_others
from pipeline.s3_output.checkpoint import Copies, bring
from pipeline.s3_output.lanes import Door, claim_with_lanes
from pipeline.s3_output.layout import Part
from pipeline.s3_output.open_part import OpenPart
from pipeline.s3_output.overview import Beat
from pipeline.s3_output.parts import parts_there, tasks_in, unknown_parts
from pipeline.s3_output.shares import Claim
from pipeline.stages.output_file import OutputFile
from pipeline.state.facts import note_account, note_unknown_account

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from pipeline.aws.s3 import S3
    from pipeline.aws.session import Session
    from pipeline.config.schema import Limits
    from pipeline.config.shards import Cluster
    from pipeline.net.retry import RateLimitedCall
    from pipeline.s3_output.claim import Description
    from pipeline.s3_output.layout import Layout
    from pipeline.stages.job_tracker import JobTracker
    from pipeline.state.lock import StateLock
    from pipeline.state.run_state import RunState

_MEGABYTE = 1_000_000
_SAVE_SECONDS = 1_800.0
_MOST_BYTES = 32 * _MEGABYTE
"""Of a part, unless one line has more: it is read as one answer."""

_AT_THE_END_SECONDS = 30.0
"""How long a run that is being ended may take to seal what it has; else the next one does."""


class SealedOutput(OutputFile):
    """The output of one shard: the local file, and the parts that it becomes.

    `ours` is what it is of, whose lanes have no accounts yet, and `max_in_flight` of the `limits`
    how many jobs this run wishes for.
    """

    def __init__(
        self, path: Path, layout: Layout, ours: Description, cluster: Cluster, limits: Limits
    ) -> None:
        super().__init__(path)
        self.layout = layout
        self.name_prefix = ours.prefix
        self.cluster = cluster
        self._ours = ours
        self._lanes = ours.lanes
        self._limits = limits
        self._lost_copy = ""
        self._copies: Copies | None = None

    async def prepare(
        self, s3: S3, session: Session, lock: StateLock, *, rebuild_state: bool
    ) -> None:
        """Before the state file is opened: whose output it is, and what another machine knows.

        With `rebuild_state` the state file is not made of the copy.

        Raises:
            CannotRun: it is of something else, or the bucket can't be used.
        """
        lane = lane_of(self._lanes.profiles, self.layout.shard.number)
        self._lanes = await claim_with_lanes(Door(s3, session), self.layout, self._ours, lane)
        account = "" if lane else await account_of(session)
        longest = self._limits.job_timeout_hours * 3600
        beside = partial(refuse_beside_others, s3, self.layout, account, longest)
        has_jobs = await beside()
        every, wanted = self.cluster.beat_seconds, Claim(wanted=self._limits.max_in_flight)
        self._beat = Beat(datetime.now(UTC), 0, every, wanted, self._lanes, account or has_jobs)
        # It has no jobs of its own yet, and what is known of earlier ones must not be lost.
        beginning = replace(self._beat, account=has_jobs)
        async with heard_of(s3, self.layout, beginning, every):
            await beside()  # one that began at this moment
            if rebuild_state:
                there = await s3.look_up(self.layout.state)
                self._lost_copy = there.etag if there else ""
            else:
                self._lost_copy = await bring(s3, self.layout.state, lock, self.path)

    def share_limits(self, tracker: JobTracker, calls: Sequence[RateLimitedCall]) -> None:
        """Which limits of a run are the account's, for all shards together."""
        self._tracker = tracker
        self._share = AccountShare(self.layout.shard, tracker.slots, calls, self._lanes)

    def going_on(self, s3: S3) -> AbstractAsyncContextManager[None]:
        """Let the other shards, and who would begin beside this run, hear that it goes on."""
        return Beats(s3, self.layout, self._tracker, self._share, self._beat).going_on()

    async def publish(self, s3: S3, state: RunState, summary: bytes, failures: Path | None) -> None:
        """After a run: how it ended, and the state file's copy, for the other machines.

        Raises:
            CannotRun: they can't be written; the next run does without.
        """
        await s3.write(self.layout.summary, summary)
        await s3.write(self.layout.failures, failures or b"")
        await (self._copies or Copies(s3, self.layout.state, state)).finish()

    @asynccontextmanager
    async def writing(self, state: RunState, s3: S3) -> AsyncIterator[SealingPart]:
        """The open part, after what others have sealed was taken up; it is sealed at the end.

        Raises:
            OutputUnusable: a part is missing or was changed, or the local file was.
            CannotRun: the parts can't be listed, read or written.
        """
        state.parts.check_belongs(f"{self.layout.output} {self.layout.shard.name}")
        if self._lost_copy:
            state.parts.saved_as(self._lost_copy)
        if not self._lanes.profiles:
            note_account(state.facts, self._beat.account)
        self._copies = Copies(s3, self.layout.state, state)
        async with self._sealed_at_last(state, s3, self._copies) as part:
            yield part

    @asynccontextmanager
    async def _sealed_at_last(
        self, state: RunState, s3: S3, copies: Copies
    ) -> AsyncIterator[SealingPart]:
        with closing(SealingPart(self, state, s3, copies)) as part:
            try:
                with never_deferred("the parts were read"):
                    await part.take_up()
                yield part
            except BaseException:
                with suppress(PipelineError, TimeoutError):  # what ended the run is what is told
                    async with asyncio.timeout(_AT_THE_END_SECONDS):
                        await part.seal()
                raise
            await part.seal()


class SealingPart(OpenPart):
    """The open part of a run, which becomes the next part after some time or at some size."""

    def __init__(self, output: SealedOutput, state: RunState, s3: S3, copies: Copies) -> None:
        super().__init__(output, state, output.name_prefix)
        self._layout = output.layout
        self._s3 = s3
        self._copies = copies
        self._most_bytes = output.cluster.seal_megabytes * _MEGABYTE
        self._most_seconds = output.cluster.seal_seconds
        self._next = 0
        self._sealed_at = self._saved_at = time.monotonic()

    async def take_up(self) -> None:
        """Read the parts that the state file does not know: their recordings are written."""
        there = await parts_there(self._s3, self._layout, of_shard=True)
        if unknown := unknown_parts(self._layout, self._state.parts.known(), there):
            note_unknown_account(self._state.facts)  # it has the jobs of what others have written
        self._next = sum(part.shard == self._layout.shard for part in there)
        await self._take(unknown)

    async def settle(self) -> None:
        """Seal the open part where it is large or old enough."""
        due = time.monotonic() >= self._sealed_at + self._most_seconds
        if due or self.size >= self._most_bytes:
            await self.seal()

    async def seal(self) -> None:
        """Make a part of every line that is in none yet.

        Raises:
            CannotRun: it can't be written; the lines stay here, for the next run.
        """
        with never_deferred("tasks were written to S3"):
            while content := self.content(_MOST_BYTES):
                await self._seal(Part(self._layout.shard, self._next), content)
                self._next += 1
        self._sealed_at = time.monotonic()
        if self._sealed_at >= self._saved_at + _SAVE_SECONDS:
            self._saved_at = self._sealed_at
            await self._copies.begin()

    async def _seal(self, part: Part, content: bytes) -> None:
        etag = await self._s3.write(self._layout.part(part), content, IF_ABSENT)
        if etag is None:
            await self._take([part])
        else:
            self.sealed(part, etag, len(content))
            event("part.sealed", part=part.name, bytes=len(content))

    async def _take(self, parts: Sequence[Part]) -> None:
        """What others have written of this shard's recordings is written."""
        async for etags, found in tasks_in(self._s3, self._layout, parts, self._name_prefix):
            identities = set(filter(self._layout.shard.has, found))
            self.written_by(etags, identities)
            event("part.taken_up", parts=[each.name for each in etags], recordings=len(identities))
