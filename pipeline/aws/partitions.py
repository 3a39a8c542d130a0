"""Regions and hosts of every partition of AWS, as botocore's own data knows them."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from pipeline.errors import BadSettings

_LIKE_ENOUGH = 0.7  # as us-east1 is like us-east-1


@lru_cache(maxsize=1)
def _partitions() -> list[dict[str, Any]]:
    from botocore.loaders import create_loader

    found: list[dict[str, Any]] = create_loader().load_data("partitions")["partitions"]
    return found


@lru_cache(maxsize=1)
def _suffixes() -> tuple[str, ...]:
    names = ("dnsSuffix", "dualStackDnsSuffix")
    return tuple({f".{each['outputs'][name]}" for each in _partitions() for name in names})


def is_aws_host(host: str | None) -> bool:
    """Whether a host is AWS's own, in whatever partition: China's, Europe's, a government's."""
    return (host or "").endswith(_suffixes())


def sqs_region(host: str) -> str | None:
    """The region that the host of a queue's URL names, None where it is not AWS's own.

    The hosts are `sqs.REGION.…`, `sqs-fips.REGION.…` and, of old queues, `REGION.queue.…`.
    """
    if not is_aws_host(host):
        return None
    labels = host.split(".")
    region = labels[1] if labels[0] in {"sqs", "sqs-fips"} else labels[0]
    return region if region not in {"queue", "sqs"} and is_well_formed(region) else None


def partition_of(region: str) -> str:
    """The partition that a region is in, which is the second part of every ARN there."""
    partition = _partition(region)
    return str(partition["id"]) if partition else "aws"


def is_label(region: str) -> bool:
    """Whether it can stand in the name of a host, as every region does."""
    return bool(re.fullmatch(r"(?!-)[a-zA-Z0-9-]{1,63}(?<!-)", region))


def is_well_formed(region: str) -> bool:
    """Whether some partition forms the names of its regions so; there may be none of this name."""
    return _partition(region) is not None


def host_of(service: str, region: str) -> str:
    """The host of a service in a region that is formed well."""
    partition = _partition(region)
    assert partition is not None
    return f"{service}.{region}.{partition['outputs']['dnsSuffix']}"


def is_known(region: str) -> bool:
    """Whether botocore knows the region."""
    return region in _regions()


def no_region(region: str) -> BadSettings:
    """The error that the name of a region is which does not exist."""
    near = get_close_matches(region.strip().lower(), _regions(), 1, _LIKE_ENOUGH)
    meant = f"Did you mean {near[0]}? " if near else ""
    return BadSettings(
        f"There is no AWS region {region!r}",
        f"{meant}Name the bucket's region with --region or AWS_REGION, as in eu-central-1.",
    )


@lru_cache(maxsize=1)
def _regions() -> frozenset[str]:
    names = {name for each in _partitions() for name in each["regions"]}
    return frozenset(name for name in names if not name.endswith("-global"))


def _partition(region: str) -> dict[str, Any] | None:
    forms = (each for each in _partitions() if re.fullmatch(each["regionRegex"], region))
    return next(forms, None)
