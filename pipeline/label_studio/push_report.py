"""What a push is asked for, and what it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline.label_studio.batch import PushStats

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.config.schema import Aws, Config
    from pipeline.model import Layout
    from pipeline.terminal import Style


class PushOptions(NamedTuple):
    """What is to be done.

    `create` is the title of a project to make, None when its number is in the settings; `again`
    looks every task up, also those that were pushed before; `reviewed_too` gives new predictions
    also to tasks that were reviewed in an earlier round. `aws` says where the server is to find the
    buckets, `label_config` is a file with the configuration of a new project, None for ours, and
    `layout` the one that was asked for, None where any will do.
    """

    config: Config
    create: str | None
    again: bool
    reviewed_too: bool
    style: Style
    aws: Callable[[], Aws]
    label_config: Path | None
    layout: Layout | None = None


class PushReport(PushStats):
    """What a push did: the counts of `PushStats`, and advice in sentences.

    `address` is "" when there were no tasks to make a project for. `upgraded` tells that the
    project has the labeling configuration of this version now. `further` are the addresses of the
    projects that were made behind it, as each was full.
    """

    project: int = 0
    address: str = ""
    created: bool = False
    upgraded: bool = False
    further: list[str] = msgspec.field(default_factory=list)
    ground_truth: str = ""
    advice: list[str] = msgspec.field(default_factory=list)
