"""`compare SOURCE`: reviewed recordings once more, with a vocabulary; error rates side by side."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import orjson
import typer

from pipeline.cli.flags import AWS, GROUND_TRUTH, with_settings
from pipeline.cli.options import examples, report
from pipeline.cli.place import parse_source
from pipeline.cli.vocabulary import one_language
from pipeline.errors import BadSettings
from pipeline.launch import Order, complete, in_event_loop, services
from pipeline.naming import S3Uri
from pipeline.terminal import confirm
from pipeline.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.config.schema import Config
    from pipeline.config.transcription import Transcribe
    from pipeline.ground_truth.record import GroundTruth
    from pipeline.quality.bootstrap import Recording
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
    reviews = _sampled(chosen, place, sample)
    chosen = _trial(chosen, _version(chosen, place), to)
    heard = _texts(chosen)
    missing = [each for each in reviews if each.audio not in heard]
    if missing:
        from pipeline.monitoring.snapshot import SETTLED
        from pipeline.terminal import style_for

        _agree(missing, chosen, yes=yes)
        order = Order(chosen, place, style_for(quiet=False), _manifest(chosen, missing))
        summary = complete(order)
        if report(summary, quiet=True, json=False) not in SETTLED:
            raise typer.Exit(summary.exit_code)
    _print(reviews, chosen, json=json)


def _sampled(config: Config, place: S3Uri, size: int) -> list[GroundTruth]:
    """Reviews below SOURCE, one a recording; a larger sample holds the smaller ones.

    Raises:
        BadSettings: there is none.
    """
    from pipeline.ground_truth.record import read_ground_truth
    from pipeline.quality.missed_phrases import reviews

    path, language = Path(config.label_studio.ground_truth), one_language(config)
    found = [
        review
        for audio, review in reviews(read_ground_truth(path), language).items()
        if audio.startswith(str(place)) and review.text.strip()
    ]
    if not found:
        raise BadSettings(f"{path} holds no review in {language} of a recording below {place}.")
    by_chance = sorted(found, key=lambda each: blake2b(each.audio.encode()).digest())
    return by_chance[:size] if size else by_chance


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


def _trial(config: Config, version: Version, to: Path) -> Config:
    """The settings of the trial's run: files and job names of its own for each version."""
    replace = msgspec.structs.replace
    tag = blake2b(orjson.dumps(list(version)), digest_size=4).hexdigest()
    prefix = f"{config.transcribe.job_prefix[:80]}-compare-{tag}"
    output = to / f"{version.name}-{tag}" / "tasks.jsonl"
    rules = (replace(r, transcribe=_tried(r.transcribe, config.transcribe)) for r in config.rules)
    return replace(
        config,
        aws=replace(config.aws, events=""),  # that queue tells of the nights' jobs
        input=type(config.input)(),
        output=replace(config.output, output=str(output), state=""),
        transcribe=replace(config.transcribe, job_prefix=prefix),
        rules=tuple(rules),
        budget=type(config.budget)(),
    )


def _tried(rule: Transcribe, wanted: Transcribe) -> Transcribe:
    """A rule's settings with the trial's language and vocabulary; what it redacts it redacts."""
    of_each: Any = {
        name: type(getattr(wanted, name))()
        for name in ("language_options", "vocabularies", "vocabulary_filters", "language_models")
    }
    return msgspec.structs.replace(
        rule, language=wanted.language, vocabulary=wanted.vocabulary, toxicity=False, **of_each
    )


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
    from pipeline.quality.normalise import has_words

    trial = judge(list(_compared(reviews, config)))
    if json:
        typer.echo(orjson.dumps(as_facts(trial)))
    else:
        unit = "words" if has_words(config.transcribe.language) else "characters"
        typer.echo("\n".join(map(printable, as_text(trial, unit).split("\n"))))


def _compared(reviews: Iterable[GroundTruth], config: Config) -> Iterator[Recording]:
    """Each recording that was heard again, before and after."""
    from pipeline.quality.bootstrap import Recording
    from pipeline.quality.error_rate import compare

    texts, language = _texts(config), config.transcribe.language
    for each in reviews:
        if each.audio in texts:
            before = compare(each.text, each.predicted or "", language)
            after = compare(each.text, texts[each.audio], language)
            yield Recording(each.audio, before.units, after.units)
