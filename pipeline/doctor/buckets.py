"""The buckets, by trying: where they are, what is listed, one byte read, one object written."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from pipeline.aws.bucket_regions import WrongRegion, look_at_the_other
from pipeline.aws.s3 import IF_ABSENT
from pipeline.aws.s3_listing import if_there
from pipeline.doctor.findings import Finding, finding_of, ok, problem, skipped, warning
from pipeline.doctor.runner import once
from pipeline.errors import Denied, NoSuchSource, PipelineError, RecordingFailed
from pipeline.naming import S3Uri, result_place, trial_place
from pipeline.recordings.formats import UNPLAYED, extension
from pipeline.text import count_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Sequence

    from pipeline.aws.s3 import S3
    from pipeline.model import SourceObject
    from pipeline.recordings.selection import Selection

_TRIAL = b"`transcribe-pipeline check` wrote this to see whether it may. It can be removed.\n"


async def region(s3: S3, bucket: str, ours: str, other: str = "") -> Finding:
    """Whether the bucket is where the jobs would run; the service takes no others.

    Args:
        s3: where it is asked for.
        bucket: its name.
        ours: the region of the jobs.
        other: the run's other bucket, "" where it has none: the advice holds for both.
    """
    found = await s3.bucket_region(bucket)
    if not found:
        return skipped(f"The endpoint does not say in which region s3://{bucket} is.")
    if found != ours:
        error = WrongRegion(bucket, found, ours)
        await look_at_the_other(s3.bucket_region, error, other)
        return finding_of(error)
    return ok(f"s3://{bucket} is in {found}, where the jobs run.")


class Recordings:
    """What the source's first page holds, which is listed once for all lines."""

    def __init__(self, place: S3Uri, selection: Selection, s3: S3) -> None:
        self._place = place
        self._selection = selection
        self._s3 = s3
        self._listed = once(partial(s3.list_page, place, {}))

    @property
    def bucket(self) -> str:
        """That of the source."""
        return self._place.bucket

    async def listing(self) -> Finding:
        """Whether the source may be listed, and has recordings in its first page."""
        entries, following = await self._listed()
        if not entries:
            return warning(
                f"There is nothing below {self._place}.",
                "Check the prefix: it is taken as it is written, with or without a slash at its "
                "end.",
            )
        which = ("the first " if following else "") + count_of(len(entries), "object")
        keys = [entry.key for entry in entries if self._selection.why_skipped(entry) is None]
        taken = len(keys)
        message = count_of(
            taken,
            f"of {which} below {self._place} is a recording.",
            f"of {which} below {self._place} are recordings.",
        )
        if mute := sum(extension(key) in UNPLAYED for key in keys):
            return warning(
                f"{message} {count_of(mute, 'is', 'are')} AMR, which browsers do not play.",
                "Reviewers in Label Studio will hear nothing of them: for a review, put copies in "
                "MP3 or FLAC there.",
            )
        return (
            ok(message)
            if taken
            else warning(message, f"They are skipped: {self._reasons(entries)}.")
        )

    async def reading(self, s3: S3) -> Finding:
        """Whether an object of the source may be read: the service does, with the same rights."""
        return await self._tried(lambda place: s3.read_part(place, (0, 0)), "One byte of {} was")

    async def tags(self, s3: S3) -> Finding:
        """Whether the tags of an object of the source may be read."""
        return await self._tried(s3.tags, "The tags of {} were")

    async def playing(self) -> str | None:
        """A presigned URL of some recording, None where there is none."""
        entry = self._readable((await self._listed())[0])
        return entry and await self._s3.url("GET", self._place._replace(key=entry.key))

    async def _tried(self, read: Callable[[S3Uri], Awaitable[object | None]], what: str) -> Finding:
        try:
            entries, _ = await self._listed()
        except PipelineError:
            return skipped("There is no object to try, as the source could not be listed.")
        entry = self._readable(entries)
        if entry is None:
            return skipped("There is no object to try.")
        place = self._place._replace(key=entry.key)
        if await read(place) is None:
            return warning(f"{place} was listed, and gone when it was read.", "Check once more.")
        return ok(f"{what.format(place)} read.")

    def _readable(self, entries: Sequence[SourceObject]) -> SourceObject | None:
        """A recording, or else anything that is not archived: what is can't be read by anyone."""
        taken = (each for each in entries if self._selection.why_skipped(each) is None)
        at_hand = (each for each in entries if each.storage in ("", "STANDARD"))
        return next(taken, None) or next(at_hand, None)

    def _reasons(self, entries: Sequence[SourceObject]) -> str:
        counts: dict[str, int] = {}
        for entry in entries:
            why = self._selection.why_skipped(entry) or ""
            counts[why] = counts.get(why, 0) + 1
        return ", ".join(f"{count:,} {why}" for why, count in counts.items())


async def earlier_results(s3: S3, results: S3Uri, name_prefix: str) -> Finding:
    """Whether results of earlier runs could be found, as a new state file needs it."""
    names = S3Uri(results.bucket, result_place(results, name_prefix).key.removesuffix(".json"))
    entries, following = await s3.list_page(names, {})
    known = count_of(
        len(entries), "transcript of earlier runs is", "transcripts of earlier runs are"
    )
    return ok(f"{'at least ' if following else ''}{known} below {results}.")


async def _is_free(s3: S3, place: S3Uri) -> bool:
    """Whether nothing is at the place of a trial, or what an earlier check wrote there."""
    try:
        return await if_there(s3, place, s3.read(place)) in (None, _TRIAL)
    except RecordingFailed:
        return False  # it is larger than any transcript


async def conditional_writing(s3: S3, below: S3Uri) -> Finding:
    """Whether the bucket keeps what is there from a second writer, as what we write needs it."""
    place = trial_place(below)
    if not await _is_free(s3, place):
        return skipped(f"{place} is not what an earlier check wrote, so it is left as it is.")
    with suppress(Denied):
        await s3.delete(place)
    await s3.write(place, _TRIAL, IF_ABSENT)
    second = await s3.write(place, _TRIAL, IF_ABSENT)
    with suppress(Denied):
        await s3.delete(place)
    if second is not None:
        return problem(
            f"s3://{below.bucket} ignores If-None-Match: two runs could overwrite what the "
            "other one wrote.",
            "Name a bucket that respects it, as S3 does, or a place on this machine.",
        )
    return ok(f"What is below {below} is never overwritten by a second run.")


async def writing(s3: S3, results: S3Uri, reader: S3, alone: asyncio.Lock) -> Finding:
    """Whether the transcripts could be written and read: the service writes with the same rights.

    They are read with the credentials of `reader`, which may be others. It is tried `alone`, as
    other accounts do the same at the same place.

    What is written has a name that no result has, and is removed again. Without that permission,
    which a run does not need, it stays, and the next check takes the same name. An object of
    somebody else under this name is left as it is.
    """
    async with alone:
        return await _writing(s3, results, reader)


async def _writing(s3: S3, results: S3Uri, reader: S3) -> Finding:
    place = trial_place(results)
    if not await _is_free(reader, place):
        return skipped(f"{place} is not what an earlier check wrote, so it is left as it is.")
    await s3.write(place, _TRIAL)
    try:
        found = await reader.read(place)
    except Denied as error:
        if reader is s3:
            raise
        return problem(
            f"{place} was written, and the run's own credentials may not read it: {error.sentence}",
            "Have the bucket own what is written to it (Object Ownership: Bucket owner enforced).",
        )
    if found is None:
        return problem(
            f"{place} was written, and is not there.",
            "See what removes objects from the bucket so soon.",
        )
    message = f"{len(_TRIAL)} bytes were written below {results} and read"
    try:
        await reader.delete(place)
    except (Denied, NoSuchSource):
        return ok(f"{message}; {place} stays: it may not be removed, which no run needs.")
    return ok(f"{message}, and removed again.")
