"""Where a run writes: the section `[output]` of the settings."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class Output(msgspec.Struct, frozen=True):
    """Where things are written."""

    output: Annotated[
        str,
        Meta(description="The Label Studio tasks, JSON Lines: a file, or s3://bucket/prefix/."),
    ] = "tasks.jsonl"
    state: Annotated[
        str,
        Meta(description="State, from which an interrupted run continues. [default: OUTPUT.state]"),
    ] = ""
    results: Annotated[
        str,
        Meta(description="s3://bucket/prefix/ for the service's transcripts; else it keeps them."),
    ] = ""
    transcripts: Annotated[
        str,
        Meta(description="Folder or s3://bucket/prefix/ for transcripts as files."),
    ] = ""
    transcript_format: Annotated[
        str,
        Meta(description="Their formats: some of txt, srt, vtt, csv, json, rttm, ctm, textgrid."),
    ] = "txt"
