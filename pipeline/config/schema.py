"""The settings as one value that is handed down.

Every setting is a field here, with its meaning, unit and bounds; the command line takes its help
from it, and the example file is compared with it.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta

from pipeline.config.label_studio import LabelStudio
from pipeline.config.metadata import Metadata
from pipeline.config.output import Output
from pipeline.config.pricing import Prices
from pipeline.config.shards import NO_SHARD, Cluster, Shard, lane_of
from pipeline.config.transcription import EXTENSIONS, MediaFormat, Transcribe
from pipeline.model import TaskKind
from pipeline.naming import S3Uri, as_folder, folder_name, parse_s3_uri

_QUEUE = 10_000


class Aws(msgspec.Struct, frozen=True):
    """Which account and where."""

    profile: Annotated[str, Meta(description="Profile of the AWS credentials files.")] = ""
    region: Annotated[str, Meta(description="AWS region of the bucket and the jobs.")] = ""
    endpoint_url: Annotated[str, Meta(description="URL of the services, instead of AWS's own.")] = (
        ""
    )
    requester_pays: Annotated[
        bool,
        Meta(description="Whether you pay for reading a bucket that asks its readers to."),
    ] = False
    events: Annotated[
        str,
        Meta(description="URL of the queue that `events setup` created."),
    ] = ""


class Input(msgspec.Struct, frozen=True):
    """Which recordings of the source."""

    include: Annotated[
        list[str], Meta(description="Only keys that match one of these globs (* matches / too).")
    ] = msgspec.field(default_factory=list)
    exclude: Annotated[
        list[str], Meta(description="Leave out keys that match one of these globs.")
    ] = msgspec.field(default_factory=list)
    extensions: Annotated[
        dict[str, Literal[MediaFormat, "detect"]],
        Meta(description="Further extensions of recordings, and the format that each stands for."),
    ] = msgspec.field(default_factory=lambda: dict(EXTENSIONS))


class Limits(msgspec.Struct, frozen=True):
    """Upper bounds; the program finds the account's real ceilings by itself."""

    max_in_flight: Annotated[
        int, Meta(ge=1, le=100_000, description="Jobs in flight at once, at most.")
    ] = 1_000
    start_rate: Annotated[
        float, Meta(gt=0, le=10_000, description="Jobs started per second, at most.")
    ] = 25.0
    get_rate: Annotated[
        float, Meta(gt=0, le=10_000, description="GetTranscriptionJob calls per second, at most.")
    ] = 30.0
    list_rate: Annotated[
        float, Meta(gt=0, le=10_000, description="ListTranscriptionJobs calls per second, at most.")
    ] = 5.0
    delete_rate: Annotated[
        float,
        Meta(gt=0, le=10_000, description="DeleteTranscriptionJob calls per second, at most."),
    ] = 5.0
    workers: Annotated[
        int, Meta(ge=1, le=1_000, description="Start calls under way at once, at most.")
    ] = 16
    collectors: Annotated[
        int, Meta(ge=1, le=1_000, description="Transcripts fetched at once, at most.")
    ] = 16
    list_parallel: Annotated[
        int, Meta(ge=1, le=100, description="Pages of a long listing under way at once, at most.")
    ] = 8
    max_poll_seconds: Annotated[
        float, Meta(gt=0, le=3_600, description="Seconds between two looks at the jobs, at most.")
    ] = 10.0
    job_timeout_hours: Annotated[
        float, Meta(gt=0, le=2_160, description="Hours after which a job is given up.")
    ] = 24.0
    answer_seconds: Annotated[
        float, Meta(gt=0, le=3_600, description="Seconds that one answer may take, at most.")
    ] = 300.0
    retry_seconds: Annotated[
        float,
        Meta(gt=0, le=86_400, description="Seconds for which a failing call is made again."),
    ] = 600.0


class Budget(msgspec.Struct, frozen=True):
    """When a run has done enough; what is left is for the next one."""

    limit: Annotated[
        int, Meta(ge=0, description="Recordings to take in this run, at most; 0 is all of them.")
    ] = 0
    until: Annotated[
        str,
        Meta(description="Time of day to stop at: 06:00, 06:00Z, or 06:00 Europe/Berlin."),
    ] = ""
    max_hours: Annotated[float, Meta(ge=0, description="Hours to run, at most; 0 is any.")] = 0.0
    max_cost: Annotated[
        float,
        Meta(ge=0, description="What the jobs may cost, at most, by [prices]; 0 is any amount."),
    ] = 0.0


class Tasks(msgspec.Struct, frozen=True):
    """What a task looks like."""

    kind: Annotated[
        TaskKind,
        Meta(description="What is reviewed: transcript, one text; or segments, each with its own."),
    ] = TaskKind.TRANSCRIPT
    mark_below: Annotated[
        float, Meta(ge=0, le=1, description="Words with a lower confidence are marked; 0: none.")
    ] = 0.5
    model_version: Annotated[
        str,
        Meta(
            description="Name of the predictions in Label Studio; keep it the same per project."
            " [default: amazon-transcribe/LANGUAGE]"
        ),
    ] = ""


class LogFormat(StrEnum):
    """How a run tells what it does."""

    TEXT = "text"
    JSON = "json"


class Monitoring(msgspec.Struct, frozen=True):
    """How others watch a run."""

    log_format: Annotated[
        LogFormat,
        Meta(description="Log on stderr: text, or a JSON object per line."),
    ] = LogFormat.TEXT
    metrics_port: Annotated[
        int,
        Meta(ge=0, le=65_535, description="Port where Prometheus finds /metrics; 0 is none."),
    ] = 0
    metrics_host: Annotated[
        str,
        Meta(
            min_length=1,  # "" would be every address of the machine
            description="Address to listen at; others than this machine need another one.",
        ),
    ] = "127.0.0.1"
    metrics_file: Annotated[
        str, Meta(description="The same metrics as a file for node_exporter, NAME.prom.")
    ] = ""
    heartbeat_file: Annotated[
        str, Meta(description="File that is rewritten every 5 s while the run is alive.")
    ] = ""


class Rule(msgspec.Struct, frozen=True):
    """What is asked for the recordings that match one of the globs.

    `transcribe` are all settings of such a recording, those of `[transcribe]` included.
    """

    include: list[str]
    transcribe: Transcribe


class Config(msgspec.Struct, frozen=True):
    """Every setting, by section as in the file; of the rules the first that matches counts."""

    aws: Aws = Aws()
    input: Input = Input()
    output: Output = Output()
    transcribe: Transcribe = Transcribe()
    cluster: Cluster = Cluster()
    limits: Limits = Limits()
    budget: Budget = Budget()
    prices: Prices = Prices()
    tasks: Tasks = Tasks()
    metadata: Metadata = Metadata()
    label_studio: LabelStudio = LabelStudio()
    monitoring: Monitoring = Monitoring()
    rules: tuple[Rule, ...] = ()

    @property
    def s3_output(self) -> S3Uri | None:
        """Where on S3 the tasks are written; None where they are a file."""
        place = parse_s3_uri(self.output.output)
        return place and as_folder(place)

    @property
    def shard(self) -> Shard:
        """Which part of the source this run takes."""
        return Shard(max(0, self.cluster.shard), self.cluster.shards or 1)

    @property
    def lane(self) -> str:
        """The profile that starts this run's jobs; "" is that of all other calls."""
        return lane_of(self.cluster.lanes, self.shard.number) if self.s3_output else ""

    @property
    def output_path(self) -> Path:
        """The JSON Lines file; for an output on S3 it holds what is yet to be written there."""
        if place := self.s3_output:
            return Path(f"{folder_name(place)}.{self.shard.name}.jsonl")
        return Path(self.output.output)

    @property
    def output_name(self) -> str:
        """What the output is called where it is told: the place on S3, or the file."""
        return str(self.s3_output or self.output_path)

    @property
    def state_path(self) -> Path:
        """The state file, beside the output unless it is named."""
        return Path(self.output.state or f"{self.output_path}.state")

    @property
    def failures_path(self) -> Path:
        """The failed recordings, JSON Lines, beside the output."""
        return self.output_path.with_suffix(".failures.jsonl")

    @property
    def report_path(self) -> Path:
        """The page about a run, beside the output."""
        return self.output_path.with_suffix(".report.html")

    @property
    def most_starts(self) -> int | None:
        """Recordings that this run may take, None for all; shards share a limit."""
        return self.shard.share(self.budget.limit) if self.budget.limit else None

    @property
    def most_cost(self) -> float:
        """What the jobs of this run may cost, 0 for any amount; shards share a budget."""
        return self.budget.max_cost / self.shard.count

    @property
    def options(self) -> list[Transcribe]:
        """What is asked of the service for any recording: by each rule in order, then without."""
        return [*(rule.transcribe for rule in self.rules), self.transcribe]

    @property
    def most_in_flight(self) -> int:
        """Jobs in flight at once; where the service queues them, slots are not ours to watch."""
        as_given = self.limits.max_in_flight
        queues = self.transcribe.data_access_role and as_given == Limits().max_in_flight
        return _QUEUE if queues else as_given

    @property
    def model_version(self) -> str:
        """Constant over a run, or Label Studio's label stream opens empty editors."""
        return self.tasks.model_version or f"amazon-transcribe/{self.transcribe.language}"


RULES = "rules"
SECTIONS: dict[str, type[msgspec.Struct]] = {
    name: struct for name, struct in get_type_hints(Config).items() if name != RULES
}
SETTINGS: dict[str, str] = {
    field.name: section
    for section, struct in SECTIONS.items()
    for field in msgspec.structs.fields(struct)
}
"""The section of each setting; a name is unique over all of them, so a flag is the name."""

_SHORT = {"kind": "task", "price_per_minute": "price"}


def flag_of(name: str) -> str:
    """The flag of a setting: its name, but for those whose name says too much or too little."""
    return f"--{_SHORT.get(name, name).replace('_', '-')}"


def describe(name: str) -> str:
    """The meaning of a setting and its default, as help texts print it."""
    meaning: str = type_of(name).__metadata__[0].description
    default = getattr(SECTIONS[SETTINGS[name]](), name)
    unsaid = default is False or default in ("", [], {}, NO_SHARD)  # a flag alone is not given
    return meaning if unsaid else f"{meaning} [default: {default}]"


def type_of(name: str) -> Any:
    """The type of a setting with its meaning and bounds: `Annotated[TYPE, Meta(...)]`."""
    return _hints(SECTIONS[SETTINGS[name]])[name]


@cache
def _hints(struct: type[Any]) -> dict[str, Any]:
    return get_type_hints(struct, include_extras=True)
