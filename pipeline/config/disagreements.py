"""What is wrong with settings of which each has its type: they don't go together."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config.deadline import seconds_left
from pipeline.config.label_studio import FEWEST_SEGMENTS
from pipeline.config.metadata import complaints as bad_metadata
from pipeline.config.pricing import items_of, parse_tiers, unknown_prices
from pipeline.config.transcription_rules import complaints as job_complaints
from pipeline.files import same_file
from pipeline.naming import parse_queue_url, parse_s3_uri

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.config.schema import Config

_OUTPUT_KEY = re.compile(r"[a-zA-Z0-9\-_.!*'()/]{0,850}")


def disagreements(config: Config) -> Iterator[str]:
    """What is wrong although every value has its type."""
    url = config.aws.endpoint_url
    if url and not url.lower().startswith(("http://", "https://")):
        yield f"endpoint_url = {url!r}: write it with http:// or https://."
    yield from _bad_events(config.aws.events)
    yield from job_complaints(config.transcribe, config.output.results)
    yield from _bad_globs(config)
    yield from _bad_extensions(config.input.extensions)
    yield from bad_metadata(config.metadata)
    yield from _bad_output(config)
    yield from _bad_lanes(config)
    yield from _bad_parts(config.label_studio.segments_per_task)
    yield from _bad_monitoring(config)
    yield from _bad_prices(config)
    try:
        seconds_left(config.budget.until, 0, datetime.now().astimezone())
    except ValueError as error:
        yield f"until = {config.budget.until!r}: {error}. Write it as 06:00 or 06:00 Europe/Berlin."


def _bad_prices(config: Config) -> Iterator[str]:
    try:
        parse_tiers(config.prices.price_tiers)
    except ValueError:
        yield (
            f"price_tiers = {config.prices.price_tiers!r}: write each as minutes and price, the "
            "minutes rising: ['250000: 0.024', '1000000: 0.015']."
        )
    items = dict.fromkeys(item for each in config.options for item in items_of(each))
    for item in unknown_prices(items, config.prices) if config.budget.max_cost else ():
        yield (
            f"max_cost = {config.budget.max_cost:g}: what {item} costs is not known. Set its price "
            "in [prices]."
        )


def _bad_parts(segments_per_task: int) -> Iterator[str]:
    if 0 < segments_per_task < FEWEST_SEGMENTS:
        yield (
            f"segments_per_task = {segments_per_task}: a task of fewer than {FEWEST_SEGMENTS} "
            "segments gains nothing. Write more, or 0 to cut no recording."
        )


def _bad_events(url: str) -> Iterator[str]:
    if url and parse_queue_url(url) is None:
        yield (
            f"events = {url!r}: write it as https://sqs.REGION.amazonaws.com/ACCOUNT/NAME, as "
            "`events setup` prints it."
        )
    elif url.endswith(".fifo"):
        yield f"events = {url!r}: name a standard queue; in a FIFO queue one event holds up all."


def _bad_globs(config: Config) -> Iterator[str]:
    for name, globs in (("include", config.input.include), ("exclude", config.input.exclude)):
        if any(not each.strip() for each in globs):
            yield f"{name} has an empty glob, which matches no key: write one, or leave {name} out."


def _bad_extensions(extensions: Iterable[str]) -> Iterator[str]:
    for each in extensions:
        if each != each.lower().strip().rpartition(".")[2] or not each:
            yield f"extensions has {each!r}: write it as in opus = 'ogg', small and without a dot."


def _bad_output(config: Config) -> Iterator[str]:
    if config.output.results:
        yield from _bad_results(config.output.results)
    if config.output.output.startswith("s3:"):
        if not config.s3_output:
            yield f"output = {config.output.output!r}: write it as s3://bucket/prefix/."
    elif config.output.output == "-":
        yield "output = '-': a stream can't be continued after an interruption; name a file."
    elif not config.output.output:
        yield "output is empty: name the file for the tasks."
    elif config.output_path.exists() and not config.output_path.is_file():
        yield f"output = {config.output.output!r}: that is no ordinary file. Name one."
    elif same_file(config.output_path, config.state_path):
        yield f"output and state are the same file, {config.output_path}."


def _bad_lanes(config: Config) -> Iterator[str]:
    lanes = config.cluster.lanes
    if any(not each.strip() for each in lanes):
        yield "lanes has an empty name: write that of a profile of the AWS credentials files."
    for each in dict.fromkeys(each for each in lanes if lanes.count(each) > 1):
        yield f"lanes has {each!r} twice: the shards would share its account anyway. Name it once."
    if lanes and config.aws.events:
        yield "lanes and events: a queue is told of the jobs of one account. Leave one of them out."
    if len(lanes) > 1 and any(each.data_access_role for each in config.options):
        yield (
            "lanes and data_access_role: a role can be handed over in its own account alone. Leave "
            "one of them out."
        )


def _bad_results(uri: str) -> Iterator[str]:
    place = parse_s3_uri(uri)
    if place is None:
        yield f"results = {uri!r}: write it as s3://bucket/prefix/."
    elif not _OUTPUT_KEY.fullmatch(place.key):
        yield (
            f"results = {uri!r}: the service writes only below prefixes of the characters "
            "a-z A-Z 0-9 - _ . ! * ' ( ) / (at most 850)."
        )


def _bad_monitoring(config: Config) -> Iterator[str]:
    monitoring = config.monitoring
    files = {"metrics_file": monitoring.metrics_file, "heartbeat_file": monitoring.heartbeat_file}
    taken = {"output": config.output_path, "state": config.state_path}
    if config.output_path.name:
        taken["the file of failures"] = config.failures_path
    for name, path in files.items():
        if not path:
            continue
        for other, known in taken.items():
            if same_file(Path(path), known):
                yield f"{name} = {path!r}: that is {other} already. Name another file."
        taken[name] = Path(path)
    if monitoring.metrics_file and not monitoring.metrics_file.endswith(".prom"):
        yield (
            f"metrics_file = {monitoring.metrics_file!r}: node_exporter reads no file whose name "
            "does not end in .prom."
        )
