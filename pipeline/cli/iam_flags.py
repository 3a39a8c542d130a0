"""The flags that say what rights are for, which `iam policy` and `iam apply` share."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pipeline.cli.flags import FlagGroup
from pipeline.iam.rights import Rights


def flag(metavar: str, text: str) -> Any:
    """A flag that is called as its parameter is, whose help names no default."""
    return typer.Option(metavar=metavar, help=text, show_default=False)


class RightsFlags(Rights, FlagGroup):
    """What rights are for; each field of `Rights` as a flag."""

    bucket: Annotated[
        list[str],
        flag("S3URI", "Bucket of recordings, or s3://bucket/prefix/ of it; repeatable."),
    ]
    user: Annotated[str, flag("NAME", "The user who runs the program.")]
    role: Annotated[
        str | None,
        flag("NAME", "Role with which the service queues jobs. [default: data_access_role]"),
    ]
    recordings_key: Annotated[str, flag("KEY", "KMS key of the recordings, its id or ARN.")]
    results_key: Annotated[str, flag("KEY", "KMS key of the transcripts, its id or ARN.")]
    manifest: Annotated[
        list[str] | None,
        flag("S3URI", "Also read manifests or an S3 Inventory there; repeatable."),
    ]
    events_queue: Annotated[str, flag("URL", "Also take events from this queue. [default: events]")]
    vocabularies: Annotated[
        list[str] | None,
        flag(
            "NAME",
            "Also `vocabulary apply` of this name (* for any part of it); repeatable.",
        ),
    ]
    clean: Annotated[
        bool, typer.Option("--clean", help="Also delete job records, as `clean` does.")
    ]
    clean_results: Annotated[
        bool,
        typer.Option("--clean-results", help="Also transcripts, as `clean --results-too` does."),
    ]
    check: Annotated[
        bool, typer.Option("--check", help="Also ask for quotas and own rights, as `check` does.")
    ]
    cors: Annotated[
        str, flag("URL", "Label Studio's address, for browsers that play presigned URLs.")
    ]
