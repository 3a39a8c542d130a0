"""Whether a project is made for the tasks: asked before anything is sent; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from pipeline.naming import parse_s3_uri
from pipeline.recordings.formats import UNPLAYED, extension

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.label_studio.schema import Control, Project
    from pipeline.label_studio.task_lines import Result, TaskLine

# The server (1.23) asks no task for what a tag without a name shows.
_NAMED = re.compile(r"""<[^<>]*\sname\s*=[^<>]*""")
_VARIABLE = re.compile(r"""=\s*["']\$([A-Za-z_][A-Za-z0-9_]*)""")


class Survey(msgspec.Struct):
    """What the tasks that are about to be sent need of a project.

    `controls` are (name, type, the object's name); `values` the labels and choices used of each
    control; `keys` the keys that the data of every task has; `versions` the model versions and
    `version` the last one; `buckets` those of the recordings; `unplayable` counts audio that a
    browser can't load, `mute` audio that it loads and can't play.
    """

    tasks: int = 0
    controls: set[tuple[str, str, str]] = msgspec.field(default_factory=set)
    values: dict[str, set[str]] = msgspec.field(default_factory=dict)
    keys: set[str] = msgspec.field(default_factory=set)
    versions: set[str] = msgspec.field(default_factory=set)
    version: str = ""
    buckets: set[str] = msgspec.field(default_factory=set)
    unplayable: int = 0
    unplayable_bytes: int = 0
    mute: int = 0

    def add(self, line: TaskLine) -> None:
        """Take a task into account."""
        keys = line.data.keys()
        self.keys = self.keys & keys if self.tasks else set(keys)
        self.tasks += 1
        audio = str(line.data.get("audio"))
        if place := parse_s3_uri(audio):
            self.buckets.add(place.bucket)
        if audio.startswith("file:"):
            self.unplayable += 1
            self.unplayable_bytes += line.size or 0
        self.mute += extension(audio) in UNPLAYED
        for prediction in line.predictions:
            self.version = prediction.model_version
            self.versions.add(self.version)
            for result in prediction.result:
                self._add_result(result)

    def _add_result(self, result: Result) -> None:
        self.controls.add((result.from_name, result.type.lower(), result.to_name))
        used = [*result.value.labels, *result.value.choices]
        self.values.setdefault(result.from_name, set()).update(used)


def misfits(project: Project, survey: Survey) -> Iterator[str]:
    """What of the tasks the project's labeling configuration has no place for, in sentences."""
    if not survey.tasks:
        return
    controls = project.parsed_label_config or {}
    for name, kind, of in sorted(survey.controls):
        control = controls.get(name)
        if control is None:
            yield f'it has no control named "{name}", which the predictions fill in'
        elif control.type.lower() != kind:
            yield f'its control "{name}" is {control.type}, where the predictions need {kind}'
        elif of not in control.to_name:
            yield f'its control "{name}" is not for "{of}"'
        else:
            yield from _unlisted(name, control, survey)
    tags = " ".join(_NAMED.findall(project.label_config))
    for missing in sorted(set(_VARIABLE.findall(tags)) - survey.keys):
        yield f"it shows ${missing}, which not every task has"


def _unlisted(name: str, control: Control, survey: Survey) -> Iterator[str]:
    unlisted = survey.values[name] - set(control.labels)
    if unlisted and control.labels and not control.dynamic_labels:
        yield f'its control "{name}" does not list {", ".join(sorted(unlisted)[:5])}'
