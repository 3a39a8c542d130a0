"""`compare SOURCE`: reviewed recordings once more, with a vocabulary; error rates side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from pipeline.cli.flags import AWS, GROUND_TRUTH, with_settings
from pipeline.cli.options import examples, report
from pipeline.cli.place import parse_source
from pipeline.errors import BadSettings
from pipeline.launch.event_loop import in_event_loop
from pipeline.launch.run import RunOptions, complete
from pipeline.launch.services import vocabularies
from pipeline.naming import S3Uri
from pipeline.terminal import answer, confirm
from pipeline.text import printable

if TYPE_CHECKING:
    from pipeline.config.schema import Config
    from pipeline.ground_truth.record import GroundTruth
    from pipeline.quality.bootstrap import PairedComparison
    from pipeline.vocabulary.service import Version

NAME = "compare"
EXAMPLES = examples(
    (
        "Try a vocabulary on 50 reviewed recordings; it says what that costs, and asks",
        "compare s3://bucket/calls/ --vocabulary calls --sample 50",
    ),
    (
        "On all of them, without being asked, as JSON",
        "compare s3://bucket/calls/ --vocabulary calls --sample 0 --yes --json",
    ),
)


@with_settings(("vocabulary",), GROUND_TRUTH, ("price_per_minute", "language", "results"), AWS)
def command(
    *,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="s3://bucket/prefix.")],
    chosen: Config,
    sample: Annotated[
        int, typer.Option(metavar="N", help="Recordings to try it on; 0 is all.", min=0)
    ] = 50,
    to: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="Where the new tasks are kept.")
    ] = Path("compare"),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask about the cost.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Measure what a vocabulary changes, on a sample.

    It transcribes reviewed recordings again, with the vocabulary, and compares the error rates.
    Before is what reviewers corrected, after is what the service hears now. The jobs have names of
    their own; SOURCE's tasks and state stay as they are. Run it again to continue: it starts no job
    twice while the vocabulary is the same. The interval says how much of the change may be chance.
    The cost is computed from the prices in the settings.
    """
    place = parse_source(source, chosen)
    if not isinstance(place, S3Uri):
        raise BadSettings(
            f"SOURCE {source!r} is a folder, and vocabularies go with a bucket",
            "Write SOURCE as s3://bucket/prefix.",
        )
    if not chosen.transcribe.vocabulary:
        raise BadSettings("No vocabulary is named", "Name the vocabulary to try with --vocabulary.")
    from pipeline.quality.comparison import compared, sampled, trial_settings

    reviews = sampled(chosen, place, sample)
    chosen = trial_settings(chosen, in_event_loop(_version(chosen, place)), to)
    heard = _heard(chosen)
    if missing := [each for each in reviews if each.audio not in heard]:
        _transcribe(missing, chosen, place, yes=yes, json=json)
        heard = _heard(chosen)
    _print(compared(reviews, heard, chosen.transcribe.language), chosen, json=json)


async def _version(config: Config, place: S3Uri) -> Version:
    """The vocabulary as it is at the service now."""
    async with vocabularies(config, place) as service:
        return await service.version(config.transcribe.vocabulary, config.transcribe.language)


def _heard(config: Config) -> dict[str, str]:
    """What has been heard so far, by audio: the committed lines of the trial's tasks."""
    from pipeline.label_studio.annotations import predicted_texts
    from pipeline.state.lock import bring_up_to_date
    from pipeline.tasks.export import committed_lines

    if not config.output_path.exists():
        return {}
    bring_up_to_date(config.state_path)
    return predicted_texts(committed_lines(config.output_path, config.state_path))


def _transcribe(
    missing: list[GroundTruth], config: Config, place: S3Uri, *, yes: bool, json: bool
) -> None:
    """Say what it costs, ask, and have the recordings transcribed.

    Raises:
        BadSettings: there is nobody to ask.
        Exit: the run could not go on, or was stopped.
    """
    from pipeline.monitoring.snapshot import SETTLED
    from pipeline.quality.comparison import cost_of, write_manifest
    from pipeline.terminal import style_for

    typer.echo(cost_of(missing, config), err=True)
    confirm("Start the jobs?", "Nothing was started", "Agree to the cost with --yes.", yes=yes)
    manifest = config.output_path.with_name("sample.jsonl")
    write_manifest(manifest, missing)
    summary = complete(RunOptions(config, place, style_for(quiet=False), manifest))
    unsettled = summary.exit_code not in SETTLED
    report(summary, quiet=True, json=json and unsettled)
    if unsettled:
        raise typer.Exit(summary.exit_code)


def _print(comparison: PairedComparison, config: Config, *, json: bool) -> None:
    from pipeline.quality.bootstrap import as_facts, as_text
    from pipeline.quality.normalise import has_words

    if json:
        answer(orjson.dumps(as_facts(comparison)))
    else:
        unit = "words" if has_words(config.transcribe.language) else "characters"
        typer.echo("\n".join(map(printable, as_text(comparison, unit).split("\n"))))
