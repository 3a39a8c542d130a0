"""The tasks of a run once more, as another kind: where they go, and what they are made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pipeline.errors import BadSettings
from pipeline.files import same_file
from pipeline.naming import S3Uri, job_name_prefix, parse_s3_uri

if TYPE_CHECKING:
    from pipeline.config.schema import Config
    from pipeline.state.reader import StateReader


def settings_of_rebuild(config: Config, output: str | None, earlier: StateReader) -> Config:
    """The settings for the new tasks: a file and a state of their own, the run's other facts.

    Args:
        config: with the run's state file.
        output: the new file; None for the run's name with the kind in it.
        earlier: what the run's state file knows.

    Raises:
        BadSettings: they would take the place of the run's own.
    """
    kind = config.tasks.kind
    run_output = config.state_path.parent / (earlier.facts.value("output") or "tasks.jsonl")
    path = output or str(run_output.with_suffix(f".{kind}{run_output.suffix}"))
    replace = msgspec.structs.replace
    places = earlier.facts.result_places()
    results = config.output.results or (str(places[0]) if len(places) == 1 else "")
    model = config.tasks.model_version or earlier.facts.value("output model version") or ""
    new = replace(
        config,
        output=replace(config.output, output=path, state="", results=results),
        tasks=replace(config.tasks, model_version=model),
    )
    own, made = (config.state_path, run_output), (new.state_path, new.output_path)
    if any(same_file(one, other) for one in own for other in made):
        raise BadSettings(
            f"--output {path} is the run's own",
            f"Name another one, or write it anew as {kind} with "
            f"`run SOURCE --rebuild-output --task {kind}`.",
        )
    return new


def source_of_rebuild(config: Config, earlier: StateReader) -> S3Uri:
    """The bucket that the run listed.

    Raises:
        BadSettings: it was a folder, or its jobs have other names than these settings give.
    """
    uri = earlier.facts.value("source") or ""
    place = parse_s3_uri(uri)
    if place is None:
        raise BadSettings(
            f"The run of {config.state_path} read {uri or 'nothing yet'}: only a bucket's "
            "transcripts are kept",
            "Run the folder again, with another --task and --output.",
        )
    if earlier.name_prefix != job_name_prefix(config.transcribe.job_prefix, place.bucket):
        raise BadSettings(
            f"The jobs of {config.state_path} are named {earlier.name_prefix}..., and these "
            "settings name them otherwise",
            "Put job_prefix back to what the run had.",
        )
    return place
