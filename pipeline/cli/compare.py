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
from pipeline.launch import RunOptions, complete, in_event_loop, services
from pipeline.naming import S3Uri
from pipeline.terminal import confirm
from pipeline.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.config.schema import Config
    from pipeline.ground_truth.record import GroundTruth
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
    """Transcribe reviewed recordings once more, with a vocabulary, and compare the error rates.

    Before is what reviewers corrected, after is what the service hears now. The jobs have names of
    their own, and SOURCE's tasks and state are left alone. The same command again goes on, and
    starts nothing when the vocabulary has not changed since. The interval says how much of the
    change may be chance. The cost is told by the prices of the settings.
    """
    place = parse_source(source, chosen)
    if not isinstance(place, S3Uri):
        raise BadSettings(f"SOURCE {source!r}: vocabularies go with a bucket, s3://bucket/prefix.")
    if not chosen.transcribe.vocabulary:
        raise BadSettings("Name the vocabulary to try with --vocabulary.")
    from pipeline.quality.comparison import sampled, trial_settings

    reviews = sampled(chosen, place, sample)
    chosen = trial_settings(chosen, _version(chosen, place), to)
    heard = _texts(chosen)
    missing = [each for each in reviews if each.audio not in heard]
    if missing:
        from pipeline.monitoring.snapshot import SETTLED
        from pipeline.terminal import style_for

        _agree(missing, chosen, yes=yes)
        options = RunOptions(chosen, place, style_for(quiet=False), _manifest(chosen, missing))
        summary = complete(options)
        if report(summary, quiet=True, json=False) not in SETTLED:
            raise typer.Exit(summary.exit_code)
    _print(reviews, chosen, json=json)


def _version(config: Config, place: S3Uri) -> Version:
    """The vocabulary as it is at the service now."""
    from pipeline.net.wait_times import WaitTimes
    from pipeline.vocabulary.service import Vocabularies

    async def ask() -> Version:
        waiting = WaitTimes()
        async with services(config, place, waiting) as (_, _, session, s3):
            wanted = config.transcribe
            return await Vocabularies(session, s3, waiting).version(
                wanted.vocabulary, wanted.language
            )

    return in_event_loop(ask())


def _texts(config: Config) -> dict[str, str]:
    """What has been heard so far, by audio: the committed lines of the trial's tasks."""
    from pipeline.label_studio.annotations import unreviewed
    from pipeline.tasks.export import committed_lines

    if not config.output_path.exists():
        return {}
    lines = committed_lines(config.output_path, config.state_path)
    tasks = (unreviewed(orjson.loads(line)) for line in lines)
    return {task.audio: task.text for task in tasks}


def _manifest(config: Config, reviews: Iterable[GroundTruth]) -> Path:
    """The recordings of the trial as a manifest, beside its tasks."""
    from pipeline.files import replacing

    path = config.output_path.with_name("sample.jsonl")
    with replacing(path) as file:
        file.writelines(orjson.dumps({"uri": each.audio}) + b"\n" for each in reviews)
    return path


def _agree(reviews: list[GroundTruth], config: Config, *, yes: bool) -> None:
    """Say what the jobs will cost, and ask.

    Raises:
        BadSettings: there is nobody to ask.
    """
    from pipeline.config.pricing import billed_seconds, cost, items_of

    known = [billed_seconds(each.duration) for each in reviews if each.duration is not None]
    billed = dict.fromkeys(items_of(config.transcribe), float(sum(known)))
    unknown = len(reviews) - len(known)
    prices = config.prices
    typer.echo(
        f"{len(reviews):,} recordings are to be transcribed again: {sum(known) / 60:,.1f} billed "
        f"minutes, about {prices.currency} {cost(billed, prices):,.2f} at the prices of "
        f"{prices.prices_date}"
        + (f", and {unknown:,} whose length is not known." if unknown else "."),
        err=True,
    )
    confirm("Start the jobs?", "Nothing was started: agree to the cost with --yes.", yes=yes)


def _print(reviews: Iterable[GroundTruth], config: Config, *, json: bool) -> None:
    from pipeline.quality.bootstrap import as_facts, as_text, judge
    from pipeline.quality.comparison import compared
    from pipeline.quality.normalise import has_words

    trial = judge(list(compared(reviews, _texts(config), config.transcribe.language)))
    if json:
        typer.echo(orjson.dumps(as_facts(trial)))
    else:
        unit = "words" if has_words(config.transcribe.language) else "characters"
        typer.echo("\n".join(map(printable, as_text(trial, unit).split("\n"))))
