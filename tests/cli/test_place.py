"""Where the recordings are that SOURCE names."""

from __future__ import annotations

import pytest

from pipeline.cli.place import parse_source
from pipeline.config.metadata import Metadata
from pipeline.config.schema import Config
from pipeline.errors import BadSettings
from pipeline.naming import S3Uri


@pytest.mark.parametrize(
    ("source", "instead"),
    [
        ("s3://b/c/*.mp3", "s3://b/c/ --include '*.mp3'"),
        ("s3://b/2026-??/calls/x", "s3://b/ --include '2026-??/calls/x'"),
        ("s3://b/my calls/*", "'s3://b/my calls/' --include '*'"),
        ("calls/*.wav", "calls/ --include '*.wav'"),
        ("*.wav", ". --include '*.wav'"),
    ],
)
def test_a_pattern_as_source_is_told_how_to_choose(source, instead):
    """SOURCE is a prefix: a pattern would find nothing and end well, as if all were done."""
    with pytest.raises(BadSettings) as refused:
        parse_source(source, Config())

    assert str(refused.value) == (
        f"SOURCE {source!r} is taken as a prefix, not as a pattern. "
        f"Choose recordings below it: {instead}"
    )


def test_a_pattern_as_bucket_is_refused():
    """No prefix can be named where the bucket is not."""
    with pytest.raises(BadSettings, match="a bucket is named in full"):
        parse_source("s3://calls-*/x", Config())


def test_a_prefix_may_hold_what_no_pattern_needs(tmp_path, monkeypatch):
    """Brackets are common in keys, and a folder that is there may have any name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "what?").mkdir()

    assert parse_source("s3://b/[2026]/", Config()) == S3Uri("b", "[2026]/")
    assert parse_source("what?", Config()) == tmp_path / "what?"


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        ("arn:aws:s3:eu-central-1:123456789012:accesspoint/calls", "s3://ALIAS/prefix/"),
        ("s3://arn:aws:s3:eu-central-1:123456789012:accesspoint:calls/2026/", "in -s3alias"),
        ("arn:aws:s3:::calls/2026/", "Write it as s3://calls/2026/"),
        ("arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap", "Name a bucket in the region"),
        ("arn:aws:s3-object-lambda:eu-central-1:1:accesspoint/x", "Name a bucket in the region"),
    ],
)
def test_an_arn_as_source_is_told_how_to_name_it(source, advice):
    """No ARN is listed by: a bucket has its name, an access point its alias."""
    with pytest.raises(BadSettings, match=r"SOURCE '.*' is an ARN") as refused:
        parse_source(source, Config())

    assert advice in str(refused.value)


def test_the_alias_of_an_access_point_is_a_bucket():
    """An alias stands wherever a bucket's name does."""
    alias = "calls-gb1kxvqnqx2wpkgm4s3u3mwspa2gguse1a-s3alias"

    assert parse_source(f"s3://{alias}/2026/", Config()) == S3Uri(alias, "2026/")


@pytest.mark.parametrize("source", ["object", "tags"])
def test_a_folder_has_no_metadata_of_objects(tmp_path, source):
    """A file has no user-defined metadata and no tags of S3, which would silently be left out."""
    config = Config(metadata=Metadata(source))

    with pytest.raises(BadSettings, match=rf"'{source}' in .metadata. goes with a bucket"):
        parse_source(str(tmp_path), config)


def test_a_folder_may_have_the_name_of_a_uri(tmp_path, monkeypatch):
    """What is there is a folder, whatever its name looks like; what is not is a slip of the pen."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s3:calls").mkdir()

    assert parse_source("s3:calls", Config()) == tmp_path / "s3:calls"
    with pytest.raises(BadSettings, match="is no bucket and no folder"):
        parse_source("s3:other", Config())
