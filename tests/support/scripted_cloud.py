"""A local cloud in its own process whose recogniser reads the words from the files themselves.

    python -m tests.support.scripted_cloud FOLDER --slots 250 --seconds 0.2

A file's content is its transcript ("sound" where it is no text); "!reason" fails with that reason;
"@3 words" takes three seconds; an empty line is silence. It is the real endpoint with its quotas
and wire; only the recogniser is another, so that thousands of recordings take seconds. What it
prints is one line: its URL.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import signal
from pathlib import Path
from typing import Self

from pipeline.local import (
    CloudOptions,
    Faults,
    Keys,
    MediaRefused,
    MediaSettings,
    Quotas,
    Speech,
    SpokenWord,
    local_cloud,
)
from tests.support.signing import KEYS


class Scripted:
    """Takes the first line of a file as what is spoken in it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def recognise(self, path: Path, settings: MediaSettings) -> Speech:
        """Read the first line of the file, after a while."""
        content = await asyncio.to_thread(path.read_bytes)
        text = "sound" if b"\0" in content else content.decode().partition("\n")[0]
        seconds = self._seconds
        if text.startswith("@"):
            seconds = float(text[1:].partition(" ")[0])
        await asyncio.sleep(seconds)
        if text.startswith("!"):
            raise MediaRefused(text[1:])
        words = tuple(
            SpokenWord(word, n * 0.5, n * 0.5 + 0.4, 0.9) for n, word in enumerate(text.split())
        )
        return Speech(words, len(words) / 2 + 1, settings.media_format or "wav", 16000)


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM; a client that was killed is no news."""
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    listing = arguments.list_rate or arguments.rate
    rates = {"start": arguments.start_rate, "get": arguments.rate, "list": listing}
    rates["vocabulary"] = arguments.rate
    rates["delete"] = arguments.delete_rate
    faults = dict(each.split("=") for each in arguments.fault)
    options = CloudOptions(
        bucket="audio",
        keys=(KEYS, *(Keys(*each.split(":")) for each in arguments.key)),
        quotas=Quotas(slots=arguments.slots, **rates),
        faults=Faults(seed=arguments.seed, **{name: float(rate) for name, rate in faults.items()}),
        recogniser=lambda: Scripted(arguments.seconds),
        vocabulary_seconds=arguments.vocabulary_seconds,
    )
    async with local_cloud(arguments.folder, options) as cloud:
        print(cloud.url, flush=True)  # noqa: T201 # the fixture reads it
        await stopped.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slots", type=int, default=250)
    parser.add_argument("--start-rate", type=float, default=math.inf)
    parser.add_argument("--rate", type=float, default=math.inf)
    parser.add_argument("--list-rate", type=float)
    parser.add_argument("--delete-rate", type=float, default=math.inf)
    parser.add_argument("--seconds", type=float, default=0.05)
    parser.add_argument("--fault", action="append", default=[])
    parser.add_argument("--vocabulary-seconds", type=float, default=0.0)
    parser.add_argument("--key", action="append", default=[])
    parser.add_argument("--seed", type=int, default=1)
    asyncio.run(serve(parser.parse_args()))
