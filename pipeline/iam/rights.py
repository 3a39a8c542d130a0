"""What rights are for, as people name it, and the scope that it comes to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.config.prefix import refuse_pattern
from pipeline.errors import BadSettings
from pipeline.iam.policies import Owner, Scope
from pipeline.naming import S3Uri, parse_s3_uri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.config.schema import Config


@dataclass(frozen=True)
class Rights:
    """What a user works with, beside the settings; what is left out needs no right.

    `bucket` are buckets or `s3://` prefixes of recordings, `manifest` those of manifests. `role`
    None and `events_queue` "" are what the settings say. Keys and queues are named by id, URL or
    ARN. `vocabularies` are names that are made or updated. `cors` is Label Studio's address.
    """

    bucket: list[str]
    user: str = ""
    role: str | None = None
    recordings_key: str = ""
    results_key: str = ""
    manifest: list[str] | None = None
    events_queue: str = ""
    vocabularies: list[str] | None = None
    clean: bool = False
    clean_results: bool = False
    check: bool = False
    cors: str = ""

    def scope(self, config: Config, owner: Owner) -> Scope:
        """What the rights of a user are for.

        Raises:
            BadSettings: a place, key, queue or name is none, or a place is a pattern.
        """
        role = config.transcribe.data_access_role if self.role is None else self.role
        results = config.output.results
        # Of the rules too: a key or a tag that one recording needs is needed.
        wanted = config.options
        keys = {self.results_key} if self.results_key else {each.kms_key for each in wanted}
        return Scope(
            owner,
            tuple(_prefix(each, "--bucket") for each in self.bucket),
            _place(results) if results else None,
            config.s3_output,
            parse_s3_uri(config.output.transcripts),
            config.transcribe.job_prefix,
            role=owner.role(role),
            recordings_key=owner.key(self.recordings_key),
            results_keys=tuple(owner.key(key) for key in sorted(keys - {""})),
            manifests=tuple(_prefix(each, "--manifest") for each in self.manifest or []),
            queue=owner.queue(self.events_queue or config.aws.events),
            vocabularies=tuple(map(_vocabulary, self.vocabularies or [])),
            tags=any(each.tags for each in wanted),
            object_tags=config.metadata.source == "tags",
            cleaning=self.clean or self.clean_results,
            cleaning_results=self.clean_results,
            checking=self.check,
            user=self.user,
        )


def named_owner(account: str, region: str) -> Owner:
    """The owner that is named, without asking AWS.

    Raises:
        BadSettings: the account has not 12 digits, or there is no region.
    """
    if not re.fullmatch(r"\d{12}", account):
        raise BadSettings(f"--account {account!r} is no account", "An account has 12 digits.")
    if not region:
        raise BadSettings("Rights are for one region, and none is named", "Name it with --region.")
    return Owner(account, region)


def profiles_of(user: str, reviewer: str, key_profile: str) -> dict[str, str]:
    """The profile for each user's key: the one that is named for the first, else their own names.

    Raises:
        BadSettings: two users would share a profile, or are one.
    """
    profiles = {user: key_profile or user, reviewer: reviewer}
    profiles.pop("", None)
    if user and reviewer and len(set(profiles.values())) < len((user, reviewer)):
        raise BadSettings(
            "--user and --label-studio-user share a name or a profile",
            "Give each a name and a profile of its own.",
        )
    return profiles


def parse_tags(named: Sequence[str]) -> dict[str, str]:
    """Tags that are written as KEY=VALUE.

    Raises:
        BadSettings: one is not.
    """
    pairs = [each.partition("=") for each in named]
    if wrong := [key + equals + value for key, equals, value in pairs if not (key and equals)]:
        raise BadSettings(f"--tag {wrong[0]!r} is no tag", "Write it as KEY=VALUE.")
    return {key: value for key, _, value in pairs}


def _prefix(named: str, flag: str) -> S3Uri:
    refuse_pattern(named, flag)
    return _place(named)


def _place(named: str) -> S3Uri:
    place = parse_s3_uri(named) or S3Uri(*named.partition("/")[::2])
    if not re.fullmatch(r"[A-Za-z0-9._-]{3,63}", place.bucket):
        raise BadSettings(
            f"{named!r} is no place in S3", "Name a bucket, or s3://bucket/prefix/ of it."
        )
    return place


def _vocabulary(named: str) -> str:
    if not re.fullmatch(r"[0-9a-zA-Z._*-]{1,200}", named):
        raise BadSettings(
            f"{named!r} is no name of a vocabulary",
            "A name has up to 200 letters, digits and . _ -; * stands for any of them.",
        )
    return named
