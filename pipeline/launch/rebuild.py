"""The tasks of a run once more, as another kind: where they go, and what they are made from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from pipeline.config.shards import Cluster
from pipeline.errors import BadSettings
from pipeline.files import same_file
from pipeline.naming import S3Uri, job_name_prefix, parse_s3_uri

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.config.schema import Config
    from pipeline.state.reader import StateReader


@dataclass(frozen=True)
class Written:
    """What a run has written: the name of its tasks, its own files, and what its state knows.

    Of tasks on S3 a state is made when it is asked for; `parts` is another text whenever there are
    other parts of them.
    """

    tasks: Path
    own: tuple[Path, ...]
    read: Callable[[], StateReader]
    parts: str = ""

    @cached_property
    def state(self) -> StateReader:
        """What is known of every recording."""
        return self.read()

    @property
    def mark(self) -> str:
        """Another text whenever something else is written."""
        return self.parts or self.state.recordings.written_mark()


def written_by_run(state: StateReader) -> Written:
    """What the run of this state file has written into its output."""
    tasks = state.path.parent / (state.facts.value("output") or "tasks.jsonl")
    return Written(tasks, (state.path, tasks), lambda: state)


def settings_of_rebuild(config: Config, to: str | None, written: Written) -> Config:
    """The settings for the new tasks: a file and a state of their own, the run's other facts.

    Args:
        config: with the run's output.
        to: the new file; None for the run's name with the kind in it.
        written: what the run has written.

    Raises:
        BadSettings: they would take the place of the run's own, or be no file.
    """
    kind, earlier = config.tasks.kind, written.state
    path = to or str(written.tasks.with_suffix(f".{kind}{written.tasks.suffix}"))
    if parse_s3_uri(path):
        raise BadSettings(
            f"--to {path} is on S3, and the tasks are written into a file",
            "Name a file. `run SOURCE --output s3://bucket/prefix/` with the same --results writes "
            "tasks to S3 from the transcripts that are there, and starts no job for them.",
        )
    replace = msgspec.structs.replace
    config = with_results(config, earlier)
    model = config.tasks.model_version or earlier.facts.value("output model version") or ""
    new = replace(
        config,
        output=replace(config.output, output=path, state=""),
        tasks=replace(config.tasks, model_version=model),
        cluster=Cluster(),
    )
    made = (new.state_path, new.output_path)
    if any(same_file(one, other) for one in written.own for other in made):
        raise BadSettings(
            f"--to {path} is the run's own",
            f"Name another one, or rewrite it as {kind} with "
            f"`run SOURCE --rebuild-output --task {kind}`.",
        )
    return new


def source_of_rebuild(config: Config, earlier: StateReader) -> S3Uri:
    """The bucket that the run listed.

    Raises:
        StateUnusable: it was a folder.
        BadSettings: its jobs have other names than these settings give.
    """
    again = "Run the folder again, with another --task and --output."
    place = earlier.place_on_s3("transcripts are kept", again)
    if earlier.name_prefix != job_name_prefix(config.transcribe.job_prefix, place.bucket):
        raise BadSettings(
            f"The jobs of {config.state_path} are named {earlier.name_prefix}..., and these "
            "settings name them otherwise",
            "Put job_prefix back to what the run had.",
        )
    return place


def with_results(config: Config, earlier: StateReader) -> Config:
    """The settings with the place where the run's transcripts are, unless they name another."""
    places = earlier.facts.result_places()
    results = config.output.results or (str(places[0]) if len(places) == 1 else "")
    replace = msgspec.structs.replace
    return replace(config, output=replace(config.output, results=results))
