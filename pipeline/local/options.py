"""How a local cloud is set up, and what its user gets to see of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.local.faults import Faults
from pipeline.local.keys import Keys, new_keys
from pipeline.local.quotas import Quotas
from pipeline.net.hosts import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.local.recogniser import Recogniser


@dataclass(frozen=True)
class CloudOptions:
    """Settings of a local cloud; the defaults are those of a new account.

    `port` 0 takes a free one. `bucket` "" is the folder's name where that is a valid bucket name,
    else "recordings". `processes` bounds the recognising processes, 0 for one a core.
    `recogniser` makes another recogniser than PocketSphinx. `clock` gives seconds since 1970, for
    timestamps and for how long a transcript's address lives. A custom vocabulary is PENDING for
    `vocabulary_seconds` (minutes, at the service).

    `host` is the address that is listened at. `keys` are the pairs that calls are signed with, one
    of them made for this cloud where none is given. Only where it is `writable` can its objects be
    put and deleted by calls; jobs write their output in any case.
    """

    port: int = 0
    host: str = LOOPBACK
    keys: tuple[Keys, ...] = field(default_factory=lambda: (new_keys(),))
    writable: bool = True
    bucket: str = ""
    quotas: Quotas = field(default_factory=Quotas)
    faults: Faults = field(default_factory=Faults)
    processes: int = 0
    recogniser: Callable[[], Recogniser] | None = None
    clock: Callable[[], float] = time.time
    vocabulary_seconds: float = 1.0


@dataclass(frozen=True)
class Cloud:
    """An open local cloud: where it is, and what it has counted."""

    url: str
    bucket: str
    region: str
    keys: Keys
    counts: Callable[[], dict[str, Any]]
    """Counts so far: `calls` by operation, `refused` by error code, jobs `created` and `executed`
    by name. The same is at `/_local/counts` as JSON, for calls that are signed as those of S3."""
