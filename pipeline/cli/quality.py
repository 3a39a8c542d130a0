"""`quality`: how good the transcripts were, by what the reviewers corrected."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.flags import ENGINE, GROUND_TRUTH, with_settings
from pipeline.cli.options import Json, examples, page_file
from pipeline.config.shards import Engine
from pipeline.terminal import answer

if TYPE_CHECKING:
    from pipeline.config.schema import Config

EXAMPLES = examples(
    ("The error rates of what was pulled into ground_truth.jsonl", "quality"),
    ("A page with plots to hand on, prefixes two folders deep", "quality --html q.html --depth 2"),
    ("The same figures for a program", "quality --json"),
)


_WHERE = "Where texts are compared: local, on this machine; ray, on a Ray cluster. [default: local]"


@with_settings(
    GROUND_TRUTH,
    ENGINE,
    engine=typer.Option("--engine", metavar="local|ray", help=_WHERE, show_default=False),
)
def command(
    *,
    chosen: Config,
    depth: Annotated[
        int, typer.Option(min=0, metavar="N", help="How many folders of a key are its prefix.")
    ] = 1,
    min_pace: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="X",
            help="Leave out reviews that took less than X times the recording's length.",
        ),
    ] = 0.0,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write one HTML page with plots."),
    ] = None,
    json: Json = False,
) -> None:
    """Measure the predictions against the reviews.

    It shows word and character error rates, in total and by language, speaker, prefix, score and
    reviewer; what was substituted, inserted and deleted; the most frequent confusions; how well the
    scores are calibrated; and the score below which 95 % of the errors were. Only reviews count,
    not what became ground truth without one, and of several reviews of a recording the one that
    `convert` takes. It also shows how long each reviewer took, and how many reviews took less time
    than the recording lasts, and where two people reviewed the same recording, how far they are
    apart. With reviews of `push --audit`'s sample it estimates how wrong the others are. With
    --engine ray the nodes of a cluster compare the texts.
    """
    path = Path(chosen.label_studio.ground_truth)
    from pipeline.quality.json_report import as_facts
    from pipeline.quality.metrics import measure_file

    prefer = chosen.label_studio.prefer
    if chosen.cluster.engine is Engine.RAY:
        from pipeline.launch.on_ray.work import measure_on_ray

        quality = measure_on_ray(chosen.cluster.ray_address, path, depth, min_pace, prefer)
    else:
        quality = measure_file(path, depth, min_pace, prefer)
    if html:
        from pipeline.html.page import write_page
        from pipeline.quality.html_report import page

        write_page(page_file(html, path), page(quality, datetime.now(tz=UTC).astimezone().date()))
    if json:
        import orjson

        answer(orjson.dumps(as_facts(quality)))
    else:
        from pipeline.quality.text_report import in_words

        for line in in_words(quality):
            typer.echo(line)
