"""The review loop through Label Studio: what is pushed, what comes back, and how good it was."""

from enum import StrEnum


class Format(StrEnum):
    """What `convert` writes."""

    NEMO = "nemo"
    SRT = "srt"
    VTT = "vtt"
    TEXTGRID = "textgrid"
    TEXT_TASKS = "text-tasks"
