"""What people name becomes a scope, an owner, profiles and tags; what can't is one sentence."""

from __future__ import annotations

import pytest

from pipeline.config.metadata import Metadata
from pipeline.config.schema import Config
from pipeline.errors import BadSettings
from pipeline.iam.policies import Owner
from pipeline.iam.rights import Rights, named_owner, parse_tags, profiles_of
from pipeline.naming import S3Uri

OWNER = Owner("123456789012", "eu-central-1")


def test_a_bucket_may_be_named_with_or_without_its_scheme():
    """Both are the same place; what is not named is in no scope."""
    scope = Rights(["audio", "s3://audio/calls/", "audio/calls/"]).scope(Config(), OWNER)

    assert scope.sources == (S3Uri("audio", ""), S3Uri("audio", "calls/"), S3Uri("audio", "calls/"))
    assert (scope.results, scope.role, scope.queue, scope.cleaning) == (None, "", "", False)


def test_deleting_transcripts_is_deleting_job_records_too():
    """`clean --results-too` does both."""
    scope = Rights(["audio"], clean_results=True).scope(Config(), OWNER)

    assert (scope.cleaning, scope.cleaning_results) == (True, True)


def test_settings_that_want_tags_of_objects_need_their_right():
    """The right to read them is in a policy where [metadata] names them, and nowhere else."""
    for source in ("", "object", "tags"):
        scope = Rights(["audio"]).scope(Config(metadata=Metadata(source)), OWNER)

        assert scope.object_tags is (source == "tags")


@pytest.mark.parametrize(
    ("account", "region", "advice"),
    [
        ("1234", "eu-central-1", "An account has 12 digits."),
        ("123456789012", "", "Name it with --region."),
    ],
)
def test_an_owner_is_an_account_and_a_region(account, region, advice):
    """Each that is missing is told by itself."""
    assert named_owner("123456789012", "eu-central-1") == OWNER
    with pytest.raises(BadSettings) as refused:
        named_owner(account, region)

    assert refused.value.advice == advice


def test_each_user_has_a_profile_of_its_own():
    """The one that is named is for who runs the program; two users never share one."""
    assert profiles_of("runner", "labels", "") == {"runner": "runner", "labels": "labels"}
    assert profiles_of("runner", "", "nightly") == {"runner": "nightly"}
    assert profiles_of("", "labels", "nightly") == {"labels": "labels"}
    for user, key_profile in (("labels", ""), ("runner", "labels")):
        with pytest.raises(BadSettings, match="share a name or a profile"):
            profiles_of(user, "labels", key_profile)


def test_a_tag_has_a_key_and_an_equals_sign():
    """Its value may be empty, or hold another one."""
    assert parse_tags(["team=speech", "a=", "b=c=d"]) == {"team": "speech", "a": "", "b": "c=d"}
    for wrong in ("team", "=speech"):
        with pytest.raises(BadSettings, match=f"{wrong}.*Write it as KEY=VALUE"):
            parse_tags(["ok=1", wrong])
