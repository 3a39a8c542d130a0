"""Custom vocabularies at the service: created or updated from a table, waited for, compared."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from pipeline.aws.answer import not_of_the_service
from pipeline.aws.service import Service
from pipeline.errors import (
    BadSettings,
    RecordingFailed,
    ServiceUnreachable,
    VocabularyMissing,
    VocabularyTaken,
)
from pipeline.naming import as_folder, parse_s3_uri
from pipeline.vocabulary.table import as_table, complaints, parse_table
from pipeline.vocabulary.table_file import read_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pipeline.aws.answer import Answer
    from pipeline.aws.s3 import S3
    from pipeline.aws.session import Session
    from pipeline.config.transcription import Transcribe
    from pipeline.naming import S3Uri
    from pipeline.net.wait_times import WaitTimes
    from pipeline.vocabulary.table import Row

_RATE = 5.0  # calls a second; the documented quotas of these operations are 5 to 20
_FIRST_LOOK, _LONGEST_BETWEEN = 0.5, 10.0  # seconds between two looks at a PENDING vocabulary


class VocabularyState(StrEnum):
    """The service's own three words for where a vocabulary stands."""

    PENDING = "PENDING"
    READY = "READY"
    FAILED = "FAILED"


class Description(msgspec.Struct, frozen=True):
    """What GetVocabulary says; `table` is a presigned URL of the content, "" where it has none.

    `changed` is when it was last modified.
    """

    state: VocabularyState
    language: str
    failure: str
    table: str
    changed: str


class Version(NamedTuple):
    """A vocabulary that can be used, as it is now; `changed` is another after every update."""

    name: str
    changed: str


class Wanted(NamedTuple):
    """A vocabulary as it should be; `place` is where the service reads its table."""

    name: str
    language: str
    rows: Sequence[Row]
    place: S3Uri


Outcome = Literal["created", "updated", "unchanged"]


class Vocabularies:
    """The calls about vocabularies, each at its own pace."""

    def __init__(self, session: Session, s3: S3, waiting: WaitTimes) -> None:
        self._service = Service(session, "transcribe", waiting, _RATE)
        self._s3 = s3

    async def apply(self, wanted: Wanted, minutes: float, tell: Callable[[str], None]) -> Outcome:
        """Make the vocabulary at the service what it should be; done already, it changes nothing.

        Args:
            wanted: the vocabulary.
            minutes: how long the service may take to work on it.
            tell: is told what is waited for, once each time.

        Raises:
            BadSettings: the service does not take it, in its own words, or somebody changed it.
            ServiceUnreachable: it is still PENDING; the same call goes on waiting.
        """
        try:
            async with asyncio.timeout(60 * minutes):
                return await self._apply(wanted, tell)
        except TimeoutError:
            raise ServiceUnreachable(
                f"The service still works on the vocabulary {wanted.name} after {minutes:g} "
                "minutes",
                "Run the same command again later; it goes on waiting.",
            ) from None

    async def version(self, name: str, language: str) -> Version:
        """The vocabulary as it is now.

        Raises:
            BadSettings: there is none of this name, it can't be used, or is of another language.
        """
        try:
            found = await self._get(name)
        except VocabularyMissing as missing:
            raise BadSettings(
                f"There is no vocabulary {name} in this account and region",
                "`transcribe-pipeline vocabulary apply` makes one.",
            ) from missing
        if found.state is not VocabularyState.READY:
            raise _unusable(name, found)
        if found.language != language:
            raise BadSettings(
                f"The vocabulary {name} is of {found.language}, not of {language}",
                "Name one of the recordings' language, or the language that it is of.",
            )
        return Version(name, found.changed)

    async def _apply(self, wanted: Wanted, tell: Callable[[str], None]) -> Outcome:
        known = await self._settled(wanted.name, tell)
        if known and await self._is(known, wanted):
            return "unchanged"
        await self._s3.write(wanted.place, as_table(wanted.rows))
        taken = await self._make("Update" if known else "Create", wanted)
        found = await self._settled(wanted.name, tell)
        if found and found.state is VocabularyState.FAILED:
            raise BadSettings(
                f"The service could not make the vocabulary {wanted.name}: {found.failure}",
                f"Its table is at {wanted.place}.",
                message=found.failure,
            )
        if found is None or (not taken and not await self._is(found, wanted)):
            raise BadSettings(
                f"Somebody else changed the vocabulary {wanted.name} at the same time",
                "Run the same command again.",
            )
        return "updated" if known else "created"

    async def _make(self, operation: str, wanted: Wanted) -> bool:
        """Create or update it; False where it is being made already, if by a call of ours."""
        request = {
            "VocabularyName": wanted.name,
            "LanguageCode": wanted.language,
            "VocabularyFileUri": str(wanted.place),
        }
        try:
            await self._service.call(f"{operation}Vocabulary", **request)
        except VocabularyTaken:
            return False  # an answer of ours may have been lost: what came of it is seen
        return True

    async def _settled(self, name: str, tell: Callable[[str], None]) -> Description | None:
        """The vocabulary when the service has done its work; None where there is none."""
        pause = _FIRST_LOOK
        while True:
            try:
                found = await self._get(name)
            except VocabularyMissing:
                return None
            if found.state is not VocabularyState.PENDING:
                return found
            if pause == _FIRST_LOOK:
                tell(f"Waiting for the service to work on {name} (PENDING).")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_BETWEEN)

    async def _get(self, name: str) -> Description:
        request = {"VocabularyName": name}
        return await self._service.parsed("GetVocabulary", request, _described)

    async def _is(self, found: Description, wanted: Wanted) -> bool:
        """Whether the vocabulary is the one that is wanted; the order of rows has no meaning."""
        if found.state is not VocabularyState.READY or found.language != wanted.language:
            return False
        try:
            content = await self._s3.fetch(found.table) if found.table else None
            return content is not None and set(parse_table(content)) == set(wanted.rows)
        except (BadSettings, RecordingFailed):  # made of a list, or handed out in another way
            return False


def _described(answer: Answer) -> Description:
    if answer.get("VocabularyState") not in set(VocabularyState):
        raise not_of_the_service(answer.action, "it lacks the vocabulary's state")
    return Description(
        VocabularyState(answer["VocabularyState"]),
        answer.get("LanguageCode", ""),
        answer.get("FailureReason", ""),
        answer.get("DownloadUri", ""),
        str(answer.get("LastModifiedTime", "")),
    )


def _unusable(name: str, found: Description) -> BadSettings:
    """What is wrong with a vocabulary that is not READY, and what helps."""
    problem = f"The vocabulary {name} is {found.state}"
    if found.state is VocabularyState.PENDING:
        return BadSettings(problem, "Wait until it is READY.")
    return BadSettings(
        f"{problem}: {found.failure}" if found.failure else problem,
        "Correct its table, and apply it with `transcribe-pipeline vocabulary apply`.",
        message=found.failure,
    )


def wanted_vocabulary(wanted: Transcribe, table: Path, upload: str) -> Wanted:
    """The vocabulary of a table's file, whose copy for the service lies below `upload`.

    Raises:
        BadSettings: no name, place or single language; or the table, with every complaint.
    """
    name, language = wanted.vocabulary, one_language(wanted)
    if not name:
        raise BadSettings(
            "The vocabulary has no name", "Name it with --name, or as vocabulary in [transcribe]."
        )
    place = parse_s3_uri(upload)
    if place is None:
        raise BadSettings(
            "The service reads the table from a bucket, and none is named",
            "Name s3://bucket/prefix/ with --upload.",
        )
    rows = read_table(table)
    if found := complaints(rows, language):
        raise BadSettings("\n".join(f"{table}: {each}" for each in found))
    folder = as_folder(place)
    return Wanted(name, language, rows, folder._replace(key=f"{folder.key}{name}.txt"))


def one_language(wanted: Transcribe) -> str:
    """The language of a vocabulary.

    Raises:
        BadSettings: it is to be identified.
    """
    if wanted.identifies:
        raise BadSettings("A vocabulary is of one language", "Name it with --language.")
    return wanted.language
