"""The flags that say what rights are for, and what they come to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.flags import FlagGroup
from pipeline.errors import BadSettings
from pipeline.naming import S3Uri, parse_s3_uri

if TYPE_CHECKING:
    from pipeline.config.schema import Config
    from pipeline.iam.policies import Owner, Scope


def flag(metavar: str, text: str, *names: str) -> Any:
    """A flag whose help names no default."""
    return typer.Option(*names, metavar=metavar, help=text, show_default=False)


Buckets = Annotated[
    list[str],
    flag("S3URI", "Bucket of recordings, or s3://bucket/prefix/ of it; repeatable.", "--bucket"),
]
Manifests = Annotated[
    list[str] | None,
    flag("S3URI", "Also read manifests or an S3 Inventory there; repeatable.", "--manifest"),
]
Role = Annotated[
    str | None,
    flag("NAME", "Role with which the service queues jobs. [default: data_access_role]", "--role"),
]
RecordingsKey = Annotated[
    str, flag("KEY", "KMS key of the recordings, its id or ARN.", "--recordings-key")
]
ResultsKey = Annotated[
    str, flag("KEY", "KMS key of the transcripts, its id or ARN.", "--results-key")
]
Queue = Annotated[
    str, flag("URL", "Also take events from this queue. [default: events]", "--events-queue")
]
Vocabularies = Annotated[
    list[str] | None,
    flag(
        "NAME",
        "Also `vocabulary apply` of this name (* for any part of it); repeatable.",
        "--vocabularies",
    ),
]
User = Annotated[str, flag("NAME", "The user who runs the program.", "--user")]
Clean = Annotated[bool, typer.Option("--clean", help="Also delete job records, as `clean` does.")]
CleanResults = Annotated[
    bool, typer.Option("--clean-results", help="Also transcripts, as `clean --results-too` does.")
]
Check = Annotated[
    bool, typer.Option("--check", help="Also ask for quotas and own rights, as `check` does.")
]
Cors = Annotated[
    str, flag("URL", "Label Studio's address, for browsers that play presigned URLs.", "--cors")
]


@dataclass(frozen=True)
class Rights(FlagGroup):
    """What rights are for, as the flags that both commands share say it."""

    bucket: Buckets
    user: User = ""
    role: Role = None
    recordings_key: RecordingsKey = ""
    results_key: ResultsKey = ""
    manifest: Manifests = None
    events_queue: Queue = ""
    vocabularies: Vocabularies = None
    clean: Clean = False
    clean_results: CleanResults = False
    check: Check = False
    cors: Cors = ""

    def scope(self, config: Config, owner: Owner) -> Scope:
        """What the rights of a user are for.

        Raises:
            BadSettings: a place, key, queue or name is none.
        """
        from pipeline.iam.policies import Scope

        role = config.transcribe.data_access_role if self.role is None else self.role
        results = config.output.results
        # Of the rules too: a key or a tag that one recording needs is needed.
        wanted = config.options
        keys = {self.results_key} if self.results_key else {each.kms_key for each in wanted}
        return Scope(
            owner,
            tuple(map(_place, self.bucket)),
            _place(results) if results else None,
            config.transcribe.job_prefix,
            role=owner.role(role),
            recordings_key=owner.key(self.recordings_key),
            results_keys=tuple(owner.key(key) for key in sorted(keys - {""})),
            manifests=tuple(map(_place, self.manifest or [])),
            queue=owner.queue(self.events_queue or config.aws.events),
            vocabularies=tuple(map(_vocabulary, self.vocabularies or [])),
            tags=any(each.tags for each in wanted),
            cleaning=self.clean or self.clean_results,
            cleaning_results=self.clean_results,
            checking=self.check,
            user=self.user,
        )


def _place(named: str) -> S3Uri:
    place = parse_s3_uri(named) or S3Uri(*named.partition("/")[::2])
    if not re.fullmatch(r"[A-Za-z0-9._-]{3,63}", place.bucket):
        raise BadSettings(f"{named!r} is no place in S3: name a bucket, or s3://bucket/prefix/.")
    return place


def _vocabulary(named: str) -> str:
    if not re.fullmatch(r"[0-9a-zA-Z._*-]{1,200}", named):
        raise BadSettings(f"{named!r} is no name of a vocabulary.")
    return named
