"""`serve FOLDER`: the local endpoint alone, for other programs."""

from __future__ import annotations

import asyncio
import re
import signal
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import examples
from pipeline.errors import BadSettings, NoSuchSource
from pipeline.event_loop import in_event_loop

if TYPE_CHECKING:
    from pipeline.local import CloudOptions, Faults

NAME = "serve"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
EXAMPLES = examples(
    ("Serve a folder at a port of its own", "serve recordings/ --port 8080"),
    ("Be a small account", "serve recordings/ --slots 4 --start-rate 2"),
    (
        "Be a bad night: 5 % of all calls are throttled, 1 % of the connections cut",
        "serve recordings/ --fault throttle=0.05 --fault cut=0.01 --seed 7",
    ),
)


def command(
    *,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What the bucket holds.")],
    port: Annotated[
        int, typer.Option(metavar="N", help="0 takes a free one.", min=0, max=65_535)
    ] = 0,
    bucket: Annotated[
        str, typer.Option(metavar="NAME", help="Its name. [default: FOLDER's, if it can be one]")
    ] = "",
    slots: Annotated[int, typer.Option(metavar="N", help="Jobs at once.", min=1)] = 250,
    start_rate: Annotated[
        float, typer.Option(metavar="N", help="StartTranscriptionJob calls per second.", min=0.01)
    ] = 25.0,
    processes: Annotated[
        int, typer.Option(metavar="N", help="Recognising processes; 0 is one per core.", min=0)
    ] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=RATE", help="A fault to play, 0 to 1 of the time; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Which calls the faults hit.")] = 0,
) -> None:
    """Serve FOLDER as an S3 bucket with a Transcribe endpoint that recognises US English.

    It listens on the loopback interface only, takes any credentials, and keeps the service's
    rules, quotas and wording. Point any AWS SDK at the URL that it prints.
    """
    if not folder.is_dir():
        raise NoSuchSource(f"There is no folder {folder}", "Name one that is there.")
    if bucket and not _BUCKET.fullmatch(bucket):
        raise BadSettings(
            f"--bucket {bucket} is no name of a bucket",
            "Use 3 to 63 of the characters a-z 0-9 . -",
        )
    from pipeline.local import CloudOptions, Quotas

    options = CloudOptions(
        port=port,
        bucket=bucket,
        quotas=Quotas(slots=slots, start=start_rate),
        faults=_faults(fault or [], seed),
        processes=processes,
    )
    in_event_loop(_serve(folder.absolute(), options))


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


async def _serve(folder: Path, options: CloudOptions) -> None:
    from pipeline.local import local_cloud

    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        async with local_cloud(folder, options) as cloud:
            typer.echo(f"Serving {folder} as s3://{cloud.bucket}/ at {cloud.url}")
            typer.echo(
                f"AWS_ENDPOINT_URL={cloud.url} AWS_REGION={cloud.region} "
                "AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local "
                f"transcribe-pipeline run s3://{cloud.bucket}/",
                err=True,
            )
            await stopped.wait()
    except OSError as error:
        raise BadSettings(
            f"Port {options.port} can't be served: {error.strerror}",
            "Name another one with --port; 0 takes a free one.",
        ) from error
