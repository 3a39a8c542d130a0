"""The formats of `convert`, apart so that the command line loads no more."""

from enum import StrEnum


class Format(StrEnum):
    """What `convert` writes."""

    NEMO = "nemo"
    SRT = "srt"
    VTT = "vtt"
    TEXTGRID = "textgrid"
    TEXT_TASKS = "text-tasks"
    LHOTSE = "lhotse"
    KALDI = "kaldi"
    DATASETS = "datasets"


TRAINING = frozenset({Format.LHOTSE, Format.KALDI, Format.DATASETS})
"""Those that are split into data for training, development and testing."""
