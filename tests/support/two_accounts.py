"""Two accounts over one bucket: each knows its own jobs alone, and STS tells them apart."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.amazon import Account
from tests.support.between import between

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.conftest import Cli, ScriptedCloud

NUMBERS = ("111111111111", "222222222222")


@dataclass
class TwoAccounts:
    """Commands under the credentials of one of two accounts; `doors` are what STS answers of."""

    run: Cli
    of: Sequence[ScriptedCloud]
    doors: Sequence[Account]
    _urls: Sequence[str]

    def use(self, number: int) -> None:
        """Let the commands that follow have the credentials of this account."""
        self.run.use(AWS_ENDPOINT_URL=self.of[number].url, AWS_ENDPOINT_URL_STS=self._urls[number])

    def refuse_sts(self, code: str = "AccessDenied") -> None:
        """Let nobody be told of which account anything is."""
        for door in self.doors:
            door.refused["sts:GetCallerIdentity"] = code

    @property
    def started(self) -> tuple[int, ...]:
        """How many jobs each account has started."""
        return tuple(len(each.counts()["created"]) for each in self.of)

    def checked(self, *flags: str) -> tuple[str, str]:
        """The verdict and sentence of `check` about what other runs have left."""
        found = self.run("check", "s3://audio/calls/", *flags, "--json").summary
        [line] = [each for each in found["lines"] if each["check"] == "other runs"]
        return line["verdict"], line["message"].rstrip(".")

    def interrupt(self, command: Sequence[str], jobs: int, by: int = signal.SIGKILL) -> None:
        """Run it until the first account has started so many jobs, and end it by this signal."""
        self.use(0)
        with self.run.start(*command) as process:
            deadline = time.monotonic() + 30
            while self.started[0] < jobs:
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.05)
            time.sleep(1.0)  # until it has told, or written down, which jobs it has
            process.send_signal(by)
            process.communicate(timeout=30)


@contextmanager
def two_accounts(
    run: Cli, cloud: Callable[..., ScriptedCloud], *options: str
) -> Iterator[TwoAccounts]:
    """Start both, with these options of a scripted cloud; the first one is used at first."""
    clouds = [cloud(*options) for _ in NUMBERS]
    doors = [
        Account(each, arn=f"arn:aws:iam::{number}:user/nightly")
        for each, number in zip(clouds, NUMBERS, strict=True)
    ]
    first, second = zip(clouds, doors, strict=True)
    with between(*first) as one, between(*second) as other:
        both = TwoAccounts(run, clouds, doors, (one, other))
        both.use(0)
        yield both
