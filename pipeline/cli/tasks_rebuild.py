"""`tasks rebuild`: tasks of the other kind, from results that exist."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from pipeline.cli.flags import AWS, with_settings
from pipeline.cli.options import examples, report
from pipeline.errors import BadSettings
from pipeline.launch import RunOptions, complete
from pipeline.naming import S3Uri, job_name_prefix, parse_s3_uri

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.schema import Config
    from pipeline.state.reader import StateReader

NAME = "rebuild"
EXAMPLES = examples(
    ("Write tasks.segments.jsonl beside tasks.jsonl", "tasks rebuild --task segments"),
    (
        "From another run's results, into a file of another name",
        "tasks rebuild --task segments --state calls.jsonl.state --output regions.jsonl",
    ),
    ("Every night, behind the run: only what is new is added", "tasks rebuild --task segments -q"),
)


@with_settings(
    ("state", "kind", "results"),
    AWS,
    ("log_format",),
    state=typer.Option(
        metavar="FILE", help="The state file of the run. [default: tasks.jsonl.state]"
    ),
)
def command(
    *,
    chosen: Config,
    output: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The new tasks. [default: the run's name with KIND]"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what failed.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the summary as one line of JSON on stdout.")
    ] = False,
) -> None:
    """Write the tasks of a run once more, as another kind, without a single new job.

    Takes every recording that the run of --state has written, and reads its transcript where it
    was stored: below --results, else with the service, for 90 days. The new tasks have a state
    file of their own (FILE.state), so a second time adds only what is new, and an interruption
    is gone on with; the run's own files are only read.
    """
    from pipeline.terminal import style_for

    with _read(chosen) as earlier:
        options = RunOptions(
            _for_new(chosen, output, earlier),
            _source_of(earlier, chosen),
            style_for(quiet=quiet),
            earlier=earlier,
        )
        code = report(complete(options), quiet=quiet, json=json)
    raise typer.Exit(code)


@contextmanager
def _read(chosen: Config) -> Iterator[StateReader]:
    from pipeline.state.reader import read_state

    with read_state(chosen.state_path) as earlier:
        yield earlier


def _for_new(chosen: Config, output: str | None, earlier: StateReader) -> Config:
    """The settings for the new tasks: a file and a state of their own, the run's other facts.

    Raises:
        BadSettings: they would take the place of the run's own.
    """
    kind = chosen.tasks.kind
    run_output = chosen.state_path.parent / (earlier.facts.value("output") or "tasks.jsonl")
    path = output or str(run_output.with_suffix(f".{kind}{run_output.suffix}"))
    replace = msgspec.structs.replace
    places = earlier.facts.result_places()
    results = chosen.output.results or (str(places[0]) if len(places) == 1 else "")
    model = chosen.tasks.model_version or earlier.facts.value("output model version") or ""
    new = replace(
        chosen,
        output=replace(chosen.output, output=path, state="", results=results),
        tasks=replace(chosen.tasks, model_version=model),
    )
    own = {chosen.state_path.resolve(), run_output.resolve()}
    if own & {new.state_path.resolve(), new.output_path.resolve()}:
        raise BadSettings(
            f"--output {path} is the run's own",
            f"Name another one, or write it anew as {kind} with "
            f"`run SOURCE --rebuild-output --task {kind}`.",
        )
    return new


def _source_of(earlier: StateReader, chosen: Config) -> S3Uri:
    """The bucket that the run listed.

    Raises:
        BadSettings: it was a folder, or its jobs have other names than these settings give.
    """
    uri = earlier.facts.value("source") or ""
    place = parse_s3_uri(uri)
    if place is None:
        raise BadSettings(
            f"The run of {chosen.state_path} read {uri or 'nothing yet'}: only a bucket's "
            "transcripts are kept",
            "Run the folder again, with another --task and --output.",
        )
    if earlier.name_prefix != job_name_prefix(chosen.transcribe.job_prefix, place.bucket):
        raise BadSettings(
            f"The jobs of {chosen.state_path} are named {earlier.name_prefix}...: put job_prefix "
            "back to what the run had."
        )
    return place
