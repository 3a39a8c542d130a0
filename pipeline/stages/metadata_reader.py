"""The metadata of a recording when its line is built: of its key, of the state file or of S3.

What a manifest says stands in the state file, as a manifest can only be read from its beginning;
what lies beside a recording, or what S3 knows of it, is read for its line. A kill loses neither.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.config.metadata import MOST_BYTES, KeyPattern, Unusable, decoded, packed, shown
from pipeline.errors import Denied
from pipeline.recordings.formats import extension
from pipeline.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.config.metadata import Metadata, Values
    from pipeline.jobs.rules import JobRules
    from pipeline.model import Job
    from pipeline.state.metadata import MetadataState

SIDECAR = ".json"
"""How the name of a file ends that says more of the recording beside it."""

_GONE = "the recording is no longer there"
READ_ANEW = ("sidecar", "object", "tags")


class MetadataReader:
    """Reads what the settings name; what is wrong with it is noted, and fails no recording."""

    def __init__(
        self,
        chosen: Metadata,
        state: MetadataState,
        job_rules: JobRules,
        note: Callable[[str], None],
    ) -> None:
        self.job_rules = job_rules
        self._chosen = chosen
        self._pattern = KeyPattern(self._chosen.key_pattern)
        self._state = state
        self._note = note
        self._told: set[str] = set()

    def known(self, jobs: Sequence[Job]) -> list[Values]:
        """What the keys of recordings and the state file say of each, without any call."""
        path, values = self.job_rules.path, self._pattern.values
        found = [values(path(job.recording.key)) for job in jobs]
        if self._chosen.source == "manifest":
            facts = dict(self._state.of_rows(job.row for job in jobs))
            for job, each in zip(jobs, found, strict=True):
                each.update(_of_a_manifest(facts.get(job.row, b"")))
        return found

    async def whole(self, job: Job, known: Values) -> Values:
        """All metadata of the recording, of which this much is known.

        Raises:
            Deferred: the service gave no usable answer for too long.
            CannotRun: no call can succeed.
        """
        if self._chosen.source not in READ_ANEW:
            return known
        return known | await self._read_anew(job.recording.key)

    def shown(self, job: Job, values: Values) -> Values:
        """What a task shows of the recording's metadata."""
        key = job.recording.key
        found = shown(values)
        if left := values.keys() - found.keys():
            self._tell(
                "address",
                f"{min(left)} of {printable(key)} is the address of a storage, which Label Studio "
                "would open for reviewers: such metadata is left out of the tasks.",
            )
        return found

    async def _read_anew(self, key: str) -> Values:
        where, read = {
            "sidecar": (sidecar_of(key), self._in_file),
            "object": (key, self._of_object),
            "tags": (key, self._tags),
        }[self._chosen.source]
        try:
            return packed(await read(where), self._chosen.columns)
        except Unusable as error:
            kind, why = str(error).partition(",")[0], str(error)
        except Denied as error:
            kind, why = "denied", error.problem
        self._tell(
            kind,
            f"The metadata in {printable(where)} is left out: {why}. Others may be as well; once "
            "that is mended, --rebuild-output rewrites the tasks with it, without new jobs; for "
            "tasks on S3 name another --output.",
        )
        return {}

    async def _of_object(self, key: str) -> dict[str, Any]:
        found = await self.job_rules.source.look_up(key)
        if found is None:
            raise Unusable(_GONE)
        facts: dict[str, Any] = orjson.loads(found.metadata or b"{}")
        return facts

    async def _tags(self, key: str) -> dict[str, str]:
        found = await self.job_rules.source.tags(key)
        if found is None:
            raise Unusable(_GONE)
        return found

    async def _in_file(self, name: str) -> dict[str, Any]:
        return _parsed(await self.job_rules.source.read_part(name, 0, MOST_BYTES))

    def _tell(self, kind: str, sentence: str) -> None:
        """Say it of the first one of its kind: there may be a million."""
        if kind not in self._told:
            self._told.add(kind)
            self._note(sentence)


def digest(metadata: Metadata, known: Values) -> str:
    """The same for the same settings and what is known by them; "" where there are neither."""
    if not metadata.source and not metadata.key_pattern:
        return ""
    content = repr((metadata.source, metadata.columns, sorted(known.items())))
    return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()


def digest_of_whole(metadata: Metadata, whole: Values) -> str:
    """As `digest`, of all metadata of a recording: what is read anew for each line does not count.

    Where that has a name of the key too, it may be another one.
    """
    if metadata.source in READ_ANEW:
        names = KeyPattern(metadata.key_pattern).forms
        whole = {name: value for name, value in whole.items() if name in names}
    return digest(metadata, whole)


def _of_a_manifest(facts: bytes) -> Values:
    """What a manifest says; a version of a sidecar, of other settings, is no object."""
    values: Values = orjson.loads(facts) if facts.startswith(b"{") else {}
    return values


def sidecar_of(key: str) -> str:
    """The file beside a recording that says more of it: `a.json` of `a.mp3`."""
    found = extension(key)
    return (key[: -len(found) - 1] if found else key) + SIDECAR


def _parsed(content: bytes | None) -> dict[str, Any]:
    """What a sidecar says.

    Raises:
        Unusable: there is none that can be taken.
    """
    if content is None:
        raise Unusable("there is no such file")
    if len(content) > MOST_BYTES:
        raise Unusable(f"it is larger than the {MOST_BYTES:,} bytes that are taken at most")
    try:
        found = decoded(content.decode())
    except Exception as error:  # whatever foreign text does to its reader
        raise Unusable("it is not JSON") from error
    if not isinstance(found, dict):
        raise Unusable("it is no JSON object")
    return found
