"""`compare SOURCE`: reviewed recordings heard otherwise; error rates side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import orjson
import typer

from pipeline.cli.flags import AWS, GROUND_TRUTH, Given, refuse_idle, with_settings
from pipeline.cli.options import Json, examples, report
from pipeline.cli.place import parse_source
from pipeline.config.transcription import Transcribe
from pipeline.errors import BadSettings
from pipeline.launch.event_loop import in_event_loop
from pipeline.launch.run import RunOptions, complete
from pipeline.launch.services import vocabularies
from pipeline.naming import S3Uri
from pipeline.terminal import answer, confirm, say, style_for
from pipeline.text import count_of, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.schema import Config
    from pipeline.ground_truth.record import GroundTruth
    from pipeline.quality.bootstrap import PairedComparison
    from pipeline.vocabulary.service import Version

_ANY_LANGUAGE = Transcribe(language="auto")
_OF_JOBS = ("vocabulary", "sample", "to", "price_per_minute", "results")
_NAME_ONE = (
    "Name the vocabulary to try with --vocabulary, another language with --language, a settings "
    "file with --config, or another engine's transcripts with --from."
)
_NAMED = 3
SOME_UNREADABLE = 1
EXAMPLES = examples(
    (
        "Try a vocabulary on 50 reviewed recordings; it says what that costs, and asks",
        "compare s3://bucket/calls/ --vocabulary calls --sample 50",
    ),
    (
        "Try another language model or other filters, as a settings file names them",
        "compare s3://bucket/calls/ --config other.toml",
    ),
    (
        "See how another engine does on the same recordings, by the files that it wrote",
        "compare s3://bucket/calls/ --from whisper/",
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
    given: Given,
    config_file: Path | None,
    sample: Annotated[
        int, typer.Option(metavar="N", help="Recordings to try it on; 0 is all.", min=0)
    ] = 50,
    to: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="Where the new tasks are kept.")
    ] = Path("compare"),
    other: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FOLDER",
            help="Compare another engine's transcripts: a .json, .txt or .ctm per recording.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask about the cost.")] = False,
    json: Json = False,
) -> None:
    """Measure what other settings or another engine change.

    It transcribes a sample of the reviewed recordings again with the settings as they are now
    (a vocabulary, another language or model, filters), and compares the error rates. Before is
    what reviewers corrected, after is what the service hears now. The jobs have names of their
    own; SOURCE's tasks and state stay as they are. Run it again to continue: it starts no job
    twice while the vocabulary and the settings are the same. With --from it transcribes
    nothing: after is what FOLDER holds, of every reviewed recording that has a file there, with
    --language of those in that language. If some files can't be read, it names them, leaves
    them out and ends with 1. The interval says how much of the change may be chance. The cost is
    computed from the prices in the settings.
    """
    place = parse_source(source, chosen)
    if not isinstance(place, S3Uri):
        raise BadSettings(
            f"SOURCE {source!r} is a folder, and reviews are of recordings in a bucket",
            "Write SOURCE as s3://bucket/prefix.",
        )
    from pipeline.quality.comparison import compared, sampled

    if other:
        refuse_idle(
            given, _OF_JOBS, "--from transcribes nothing, and reads every file", "Leave it out."
        )
        language = Transcribe(language=chosen.transcribe.language)
        wanted = language if "language" in given else _ANY_LANGUAGE
        reviews = sampled(chosen.label_studio, wanted, place, 0)
        known = Path(chosen.label_studio.ground_truth)
        heard, unreadable = _of_another_engine(other, reviews, known)
    else:
        if not given.keys() & {"vocabulary", "language"} and not config_file:
            raise BadSettings("Nothing is named that could be tried", _NAME_ONE)
        reviews = sampled(chosen.label_studio, chosen.transcribe, place, sample)
        chosen, heard = _transcribed(reviews, chosen, place, _Trial(to, yes=yes, json=json))
        unreadable = 0
    _print(compared(reviews, heard, chosen.transcribe.language), unreadable, json=json)
    if unreadable:
        raise typer.Exit(SOME_UNREADABLE)


def _of_another_engine(
    folder: Path, reviews: list[GroundTruth], ground_truth: Path
) -> tuple[dict[str, str], int]:
    """What another engine heard in these recordings, and how many files can't be read.

    Raises:
        BadSettings: the folder has no transcript of any.
        OutputUnusable: all files of them that are there hold none.
    """
    from pipeline.ground_truth.record import read_ground_truth
    from pipeline.quality.foreign_transcripts import transcripts_in

    known = {each.audio for each in read_ground_truth(ground_truth)}
    heard, unreadable, several = transcripts_in(folder, [each.audio for each in reviews], known)
    for error in unreadable[:_NAMED] if heard else ():
        say(str(error))
    if unreadable and not heard:
        raise unreadable[0]
    if not heard:
        raise BadSettings(
            f"{folder} has no transcript of the {count_of(len(reviews), 'reviewed recording')}",
            "Files are named after keys, and end with .json, .txt or .ctm: calls/a.json.",
        )
    for sentence in _left_out(folder, len(reviews) - len(heard), len(unreadable), several):
        typer.echo(printable(sentence), err=True)
    return heard, len(unreadable)


def _left_out(
    folder: Path, missing: int, unreadable: int, several: list[list[Path]]
) -> Iterator[str]:
    """What of the folder, and of the reviews, is not compared."""
    if several:
        taken, *others = several[0]
        yield (
            f"{count_of(len(several), 'recording has', 'recordings have')} several files in "
            f"{folder}, of which one is read: {taken}, and not {', '.join(map(str, others))}."
        )
    if unreadable:
        left_out = count_of(
            unreadable,
            f"file in {folder} can't be read; its recording is",
            f"files in {folder} can't be read; their recordings are",
        )
        yield f"{left_out} left out."
    if missing > unreadable:
        without = count_of(
            missing - unreadable, "reviewed recording has", "reviewed recordings have"
        )
        yield f"{without} no transcript in {folder}."


class _Trial(NamedTuple):
    """Where the new tasks are kept, and how to ask and answer."""

    to: Path
    yes: bool
    json: bool


def _transcribed(
    reviews: list[GroundTruth], chosen: Config, place: S3Uri, trial: _Trial
) -> tuple[Config, dict[str, str]]:
    """The settings of the trial's run, and what is heard with them."""
    from pipeline.launch.trial import trial_settings

    has_vocabulary = bool(chosen.transcribe.vocabulary)
    version = in_event_loop(_version(chosen, place)) if has_vocabulary else None
    chosen = trial_settings(chosen, version, trial.to)
    heard = _heard(chosen)
    if missing := [each for each in reviews if each.audio not in heard]:
        _transcribe(missing, chosen, place, yes=trial.yes, json=trial.json)
        heard = _heard(chosen)
    return chosen, heard


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

    typer.echo(cost_of(missing, config.transcribe, config.prices), err=True)
    confirm("Start the jobs?", "Nothing was started", "Agree to the cost with --yes.", yes=yes)
    manifest = config.output_path.with_name("sample.jsonl")
    write_manifest(manifest, missing)
    summary = complete(RunOptions(config, place, style_for(quiet=False), manifest))
    unsettled = summary.exit_code not in SETTLED
    report(summary, quiet=True, json=json and unsettled)
    if unsettled:
        raise typer.Exit(summary.exit_code)


def _print(comparison: PairedComparison, unreadable: int, *, json: bool) -> None:
    from pipeline.quality.bootstrap import as_facts, as_text

    if json:
        answer(orjson.dumps(as_facts(comparison) | {"unreadable": unreadable}))
    else:
        typer.echo("\n".join(map(printable, as_text(comparison).split("\n"))))
