"""What a node of a Ray cluster does for one shard: the run of that shard, in a folder of its own.

Credentials are the node's own, from its environment or role; none comes with the task.
"""

from __future__ import annotations

import signal
from contextlib import chdir
from tempfile import TemporaryDirectory

import msgspec

from pipeline import __version__
from pipeline.config.schema import Config, LogFormat
from pipeline.errors import CannotRun
from pipeline.launch.on_ray.merged import ShardEnd
from pipeline.launch.run import RunOptions, complete
from pipeline.logs import begin_json
from pipeline.naming import S3Uri, parse_s3_uri
from pipeline.terminal import CANNOT_RUN, Style


class ShardRun(msgspec.Struct, frozen=True):
    """What one shard is to do: settings that name the shard, and places on S3."""

    config: Config
    source: str
    manifest: str = ""
    rebuild_state: bool = False
    version: str = __version__


class _Version(msgspec.Struct):
    version: str


def run_shard(wanted: bytes) -> bytes:
    """Run a shard to its end: from a `ShardRun` to a `ShardEnd`, both as JSON."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # Ray's cancel comes as this one
    with (
        TemporaryDirectory(prefix="transcribe-pipeline-", ignore_cleanup_errors=True) as folder,
        chdir(folder),
    ):
        try:
            summary = complete(_decoded(wanted))
            end = ShardEnd(summary.exit_code, summary)
        except CannotRun as error:
            end = ShardEnd(CANNOT_RUN, None, error.problem, error.advice)
    return msgspec.json.encode(end)


def _decoded(wanted: bytes) -> RunOptions:
    """What is to be run.

    Raises:
        CannotRun: the driver is of another version.
    """
    refuse_other_version(msgspec.json.decode(wanted, type=_Version).version)
    return options_of(msgspec.json.decode(wanted, type=ShardRun))


def options_of(shard: ShardRun) -> RunOptions:
    """What the command line of one shard would have been made into."""
    if shard.config.monitoring.log_format is LogFormat.JSON:
        begin_json(quiet=False)
    return RunOptions(
        shard.config,
        _place(shard.source),
        Style.QUIET,
        _place(shard.manifest) if shard.manifest else None,
        rebuild_output=shard.rebuild_state,
        rebuild_state=shard.rebuild_state,
    )


def refuse_other_version(version: str) -> None:
    """Refuse what a command of another version wants: it may be read otherwise here.

    Raises:
        CannotRun: the versions differ.
    """
    if version != __version__:
        raise CannotRun(
            f"A node of the Ray cluster has transcribe-pipeline {__version__}, and the command "
            f"was given to {version}",
            "Install the same version on every node.",
        )


def _place(uri: str) -> S3Uri:
    place = parse_s3_uri(uri)
    assert place is not None  # the driver has refused what is none
    return place
