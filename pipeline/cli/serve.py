"""`serve FOLDER`: the local endpoint alone, for other programs."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.flags import flags_given, refuse_idle
from pipeline.cli.options import examples
from pipeline.errors import BadSettings, NoSuchSource
from pipeline.launch.event_loop import in_event_loop
from pipeline.net.hosts import LOOPBACK, is_loopback
from pipeline.terminal import program, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.local import CloudOptions, Faults, Keys

EXAMPLES = examples(
    ("Serve a folder at a port of its own", "serve recordings/ --port 8080"),
    ("Be a small account", "serve recordings/ --slots 4 --start-rate 2"),
    (
        "Be a bad night: 5 % of all calls are throttled, 1 % of the connections cut",
        "serve recordings/ --fault throttle=0.05 --fault cut=0.01 --seed 7",
    ),
)

_Host = Annotated[
    str, typer.Option(metavar="ADDRESS", help="Address to listen on; another opens it to others.")
]
_KeysFromEnv = Annotated[
    bool,
    typer.Option(
        "--keys-from-env",
        help="Use the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, not new ones.",
    ),
]


def command(
    context: typer.Context,
    *,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What the bucket holds.")],
    port: Annotated[
        int,
        typer.Option(metavar="N", help="Port to listen on; 0 is a free one.", min=0, max=65_535),
    ] = 0,
    bucket: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Name of the bucket. [default: FOLDER's, if it can be one]"
        ),
    ] = "",
    slots: Annotated[int, typer.Option(metavar="N", help="Jobs at once.", min=1)] = 250,
    start_rate: Annotated[
        float, typer.Option(metavar="N", help="StartTranscriptionJob calls per second.", min=0.01)
    ] = 25.0,
    processes: Annotated[
        int, typer.Option(metavar="N", help="Recognizer processes; 0 is one per core.", min=0)
    ] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=RATE", help="A fault to play, 0 to 1 of the time; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Which calls the faults hit.")] = 0,
    host: _Host = LOOPBACK,
    keys_from_env: _KeysFromEnv = False,
) -> None:
    """Serve FOLDER as S3 and Transcribe on this machine.

    Its Transcribe endpoint recognizes US English, and has the service's rules, quotas and wording.
    It makes keys, prints them, and answers only calls signed with them. Point any AWS SDK at it
    with the lines that it prints.
    """
    if not fault:
        refuse_idle(flags_given(context), ["seed"], "no fault is played", "Add --fault NAME=RATE.")
    _check(folder, bucket)
    from pipeline.local import CloudOptions, Quotas

    options = CloudOptions(
        port=port,
        host=host,
        bucket=bucket,
        quotas=Quotas(slots=slots, start=start_rate),
        faults=_faults(fault or [], seed),
        processes=processes,
    )
    if keys_from_env:
        options = replace(options, keys=(_keys_of(os.environ),))
    _warn_of_network(host, folder)
    in_event_loop(_serve(folder.absolute(), options, told=not keys_from_env))


def _check(folder: Path, bucket: str) -> None:
    from pipeline.local.bucket import is_bucket_name

    if not folder.is_dir():
        raise NoSuchSource(f"There is no folder {folder}", "Name one that is there.")
    if bucket and not is_bucket_name(bucket):
        raise BadSettings(
            f"--bucket {bucket} is no name of a bucket",
            "Use 3 to 63 of the characters a-z 0-9 . -, with no two dots in a row, and a letter or "
            "digit at both ends.",
        )


def _warn_of_network(host: str, folder: Path) -> None:
    if not is_loopback(host):
        say(
            f"Everybody in the network of {host} can reach this port, in plain HTTP. With the keys "
            f"they can read, replace and delete every file of {folder}."
        )


def _keys_of(environment: Mapping[str, str]) -> Keys:
    from pipeline.local import Keys

    names = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
    keys = Keys(*(environment.get(name, "") for name in names))
    if not all(keys):
        raise BadSettings("--keys-from-env finds no keys", f"Set {' and '.join(names)}.")
    return keys


def _faults(given: list[str], seed: int) -> Faults:
    """The faults that `NAME=RATE` words ask for.

    Raises:
        BadSettings: there is no such fault, or the rate is no number from 0 to 1.
    """
    from pipeline.local import Faults

    known = [field.name for field in fields(Faults) if field.name != "seed"]
    rates: dict[str, float] = {}
    for word in given:
        name, _, rate = word.partition("=")
        try:
            rates[name] = float(rate)
        except ValueError:
            raise BadSettings(f"--fault {word} has no rate", "Write it as NAME=RATE.") from None
        if name not in known:
            raise BadSettings(
                f"--fault {word} is none that can be played",
                f"The faults are {', '.join(known)}.",
            )
    try:
        return Faults(seed=seed, **rates)
    except ValueError as error:
        raise BadSettings(f"--fault: {error}") from error


async def _serve(folder: Path, options: CloudOptions, *, told: bool) -> None:
    from pipeline.local import local_cloud

    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        async with local_cloud(folder, options) as cloud:
            typer.echo(f"Serving {folder} as s3://{cloud.bucket}/ at {cloud.url}")
            typer.echo(f"export AWS_ENDPOINT_URL={cloud.url} AWS_REGION={cloud.region}", err=True)
            if told:
                access, secret = cloud.keys
                keys = f"AWS_ACCESS_KEY_ID={access} AWS_SECRET_ACCESS_KEY={secret}"
                typer.echo(f"export {keys}", err=True)
            typer.echo(f"{program()} run s3://{cloud.bucket}/", err=True)
            await stopped.wait()
    except OSError as error:
        raise BadSettings(
            f"Port {options.port} can't be served: {error.strerror}",
            "Name another one with --port; 0 takes a free one.",
        ) from error
