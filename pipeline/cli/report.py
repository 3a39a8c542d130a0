"""`report`: one run as a page to look at."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.flags import AWS, FILES, SHARDS, with_settings
from pipeline.cli.options import examples, page_file
from pipeline.launch.event_loop import in_event_loop
from pipeline.terminal import say

if TYPE_CHECKING:
    from pipeline.config.schema import Config
    from pipeline.report.run_record import RunRecord

EXAMPLES = examples(
    ("The last run over tasks.jsonl, as tasks.report.html", "report"),
    ("During a run, into a file elsewhere",
     "report --output calls.jsonl --html pages/tonight.html"),
    ("An earlier run, by its number", "report --run 41 --html run-41.html"),
)  # fmt: skip


@with_settings(FILES, SHARDS, AWS, on_s3=True)
def command(
    *,
    chosen: Config,
    run: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Which run. [default: the last one]")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The page. [default: OUTPUT with .report.html]"),
    ] = None,
) -> None:
    """Write one HTML page about a run.

    It shows what happened, what held the run back, what failed and what to look at: job slots and
    throughput over time, how long jobs took, failures with advice, the least certain recordings
    first. All of it comes from the state file, so it works during a run and after it. The page is
    one file, which only you may read. With LABEL_STUDIO_URL and a token, as for `push`, recordings
    that were pushed are linked to their tasks.
    """
    from pipeline.html.page import write_page
    from pipeline.launch.on_s3 import with_state_here
    from pipeline.report.page import page
    from pipeline.report.run_record import read_record
    from pipeline.state.reader import read_state

    kept = (chosen.output_path, chosen.state_path, chosen.failures_path)
    path = page_file(html or chosen.report_path, *kept)
    with with_state_here(chosen) as here, read_state(here.state_path) as opened:
        record = read_record(opened, run, time.time())
    project, tasks = _tasks(chosen, record)
    write_page(path, page(record, tasks, project))
    typer.echo(path)


def _tasks(config: Config, record: RunRecord) -> tuple[str, dict[str, str]]:
    """The project that the tasks were pushed to, and their addresses as far as it can be asked."""
    from pipeline.errors import CannotRun
    from pipeline.label_studio.addresses import project_of, task_addresses

    known = config.label_studio
    project = project_of(config.output_path, known.project)
    names = [each.job.name for each in record.worst]
    if not project:
        return "", {}
    try:
        return project, in_event_loop(task_addresses(known, config.limits, project, names))
    except CannotRun as error:
        say(f"The page has no links to tasks: {error}")
        return project, {}
