"""Settings of the review: which tasks people get, and whose word counts."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from pipeline.model import Layout

FEWEST_SEGMENTS = 20
"""Of a task of a long recording: the server lists a thousand tasks at a time."""


class LabelStudio(msgspec.Struct, frozen=True):
    """Where the tasks are reviewed."""

    url: Annotated[
        str, Meta(description="Address of Label Studio. [default: LABEL_STUDIO_URL]")
    ] = ""
    project: Annotated[
        int, Meta(ge=0, description="Number of the project, as its address shows it.")
    ] = 0
    layout: Annotated[
        Layout, Meta(description="Tasks of segments: list, a line each; focus, one after another.")
    ] = Layout.LIST
    segments_per_task: Annotated[
        int,
        Meta(
            ge=0,
            description="Recordings with more segments are cut into several tasks, where nobody"
            " speaks; 0 cuts none.",
        ),
    ] = 200
    token_file: Annotated[
        str,
        Meta(description="File with the access token. [default: LABEL_STUDIO_API_KEY's value]"),
    ] = ""
    review_below: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Push only tasks with a lower score, the others become ground truth;"
            " 0 pushes all.",
        ),
    ] = 0.0
    audit: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Share of the tasks that need no review to push all the same, as a sample"
            " for `quality`; 0.05 is 5 %.",
        ),
    ] = 0.0
    overlap: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Share of the tasks that two people review, in whole percent; 0 leaves"
            " the project as it is.",
        ),
    ] = 0.0
    project_size: Annotated[
        int,
        Meta(
            ge=0,
            description="Tasks that a project of --create has at most; what is more goes into"
            " projects with a number behind the title. 0 is no bound.",
        ),
    ] = 0
    upload_audio: Annotated[
        bool,
        Meta(
            description="Copy the recordings of a folder to Label Studio, so that reviewers hear"
            " them; it plays no file of this machine."
        ),
    ] = False
    prefer: Annotated[
        list[str],
        Meta(
            description="Reviewers, by address: of several reviews of a recording without a star"
            " that of the first of these counts, also an empty one, else the newest that says"
            " something."
        ),
    ] = msgspec.field(default_factory=list)
    speakers: Annotated[
        dict[str, str],
        Meta(
            description="What `convert` calls the speakers, by their labels (spk_0) or by their"
            " channels (ch_0)."
        ),
    ] = msgspec.field(default_factory=dict)
    ground_truth: Annotated[
        str, Meta(description="The ground truth: JSON Lines, a review per line.")
    ] = "ground_truth.jsonl"
