"""Job names and the places of results, computed from the recording alone."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.model import Recording
from pipeline.naming import (
    S3Uri,
    identity,
    job_name,
    job_name_prefix,
    parse_job_name,
    parse_s3_uri,
    place_of_result,
    result_place,
)

# Parts that could run into each other if they were only joined.
texts = st.text('ab/"\\,[]\x00\x1f é🚆', max_size=8)
parts = st.tuples(texts, texts, texts, texts)
prefixes = st.from_regex(r"[0-9a-zA-Z._-]{1,100}", fullmatch=True)
hashes = st.binary(min_size=16, max_size=16)
attempts = st.integers(1, 999)
written_below = st.from_regex(r"[a-zA-Z0-9\-_.!*'()/]{0,850}", fullmatch=True)


def name_of(bucket: str, key: str, etag: str, fingerprint: str, attempt: int = 1) -> str:
    recording = Recording(key, etag, 7)
    return job_name(
        job_name_prefix("calls", bucket), identity(bucket, recording, fingerprint), attempt
    )


@given(parts, parts, st.sets(st.integers(0, 3), min_size=1))
def test_different_recordings_have_different_names(one, another, changed):
    """No two recordings that differ in bucket, key, etag or fingerprint have one job name."""
    other = tuple(another[n] if n in changed else one[n] for n in range(4))
    assume(one != other)

    assert name_of(*one) != name_of(*other)


@pytest.mark.parametrize("part", range(4))
def test_each_part_alone_changes_the_name(part):
    """A change of the bucket, the key, the etag or the fingerprint alone is another job."""
    names = ["bucket", "key", "etag", "fingerprint"]
    known = dict.fromkeys(names, "1")
    changed = known | {names[part]: "2"}

    assert name_of(**known, attempt=1) != name_of(**changed, attempt=1)


def test_the_same_file_name_in_two_folders_has_two_names():
    """The folder of a recording is part of what its job name is computed from."""
    assert name_of("calls", "a/1.mp3", "9f86", "") != name_of("calls", "b/1.mp3", "9f86", "")


@given(parts)
def test_the_same_recording_has_the_same_name_again(one):
    """A name depends on nothing but the recording, so a second run computes it again."""
    assert name_of(*one) == name_of(*one)


def test_a_name_of_an_earlier_run_is_still_computed():
    """Names are stable over releases, or a running job would be paid for a second time."""
    assert (
        name_of("calls", "a/b.mp3", "9f86", "language=en-US")
        == "calls-707665ce-1e54b765645295016aac2efe2d3e09a0"
    )


@given(prefixes, texts, hashes, attempts)
def test_every_name_is_one_the_service_takes(prefix, bucket, digest, attempt):
    """A job name is 1 to 200 of the characters 0-9 a-z A-Z . _ - whatever it is made from."""
    name = job_name(job_name_prefix(prefix, bucket), digest, attempt)

    assert re.fullmatch(r"[0-9a-zA-Z._-]{1,200}", name)


@given(hashes, attempts, attempts)
def test_another_attempt_has_another_name(digest, one, other):
    """A failed name is never used again: two attempts have one name only if they are one."""
    names = {job_name("calls-0a1b2c3d-", digest, attempt) for attempt in (one, other)}

    assert len({one, other}) == len(names)


@given(parts, prefixes)
def test_names_begin_with_their_group(one, prefix):
    """Listing by the group's tag finds every job of a bucket, and few of another."""
    bucket, key, etag, fingerprint = one
    tag = job_name_prefix(prefix, bucket)

    name = job_name(tag, identity(bucket, Recording(key, etag, 7), fingerprint), 1)

    assert name.startswith(tag)
    assert not name.startswith(job_name_prefix(prefix, f"{bucket}2"))


@given(written_below, prefixes, hashes, attempts)
def test_every_result_has_a_key_the_service_takes(prefix, job_prefix, digest, attempt):
    """The key of a result is valid as OutputKey, the longest settings included."""
    name = job_name(job_name_prefix(job_prefix, "calls"), digest, attempt)

    place = result_place(S3Uri("results", prefix), name)

    assert re.fullmatch(r"[a-zA-Z0-9\-_.!*'()/]{1,1024}", place.key)


@pytest.mark.parametrize(
    ("prefix", "key"), [("", "n.json"), ("a", "a/n.json"), ("a/", "a/n.json"), ("a//", "a//n.json")]
)
def test_a_result_lies_below_the_prefix(prefix, key):
    """Exactly one slash stands between a prefix without its own and the name."""
    assert S3Uri("results", key) == result_place(S3Uri("results", prefix), "n")


@given(st.from_regex(r"[a-z0-9.-]{3,63}", fullmatch=True), st.text(max_size=20))
def test_an_s3_uri_comes_back_byte_for_byte(bucket, key):
    """Nothing in a key is decoded, encoded or normalised on the way through a URI."""
    place = S3Uri(bucket, key)

    assert place == parse_s3_uri(str(place))


@pytest.mark.parametrize("uri", ["", "calls", "/calls", "s3:/calls", "s3:///a", "https://calls/a"])
def test_other_texts_are_no_s3_uri(uri):
    """What has another scheme or no bucket is not taken for a place in S3."""
    assert parse_s3_uri(uri) is None


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://s3.eu-west-1.amazonaws.com/b/a/n.json", S3Uri("b", "a/n.json")),
        ("https://s3.us-east-1.amazonaws.com/b/a%20%2Bn.json", S3Uri("b", "a +n.json")),
        ("http://127.0.0.1:4566/b/n.json", S3Uri("b", "n.json")),
        ("https://s3.eu-west-1.amazonaws.com/b", None),
        ("https://s3.eu-west-1.amazonaws.com/", None),
    ],
)
def test_the_service_s_own_url_is_read_as_bucket_and_key(url, place):
    """A path-style URL names its bucket first; one without a key names no result."""
    assert place == place_of_result(url)


@given(prefixes, texts, hashes, attempts)
def test_a_job_name_tells_what_it_was_made_of(prefix, bucket, digest, attempt):
    """Reading a name is the inverse of making it, whatever the prefix and the bucket."""
    tag = job_name_prefix(prefix, bucket)

    assert parse_job_name(tag, job_name(tag, digest, attempt)) == (digest, attempt)


@given(prefixes, texts, texts, hashes, attempts)
def test_a_name_of_another_bucket_is_not_read(prefix, bucket, other, digest, attempt):
    """Results of other buckets below the same prefix belong to other state files."""
    assume(bucket != other)

    name = job_name(job_name_prefix(prefix, other), digest, attempt)

    assert parse_job_name(job_name_prefix(prefix, bucket), name) is None


@given(st.text("0aFé-x_ \n٣²", max_size=40) | st.text(max_size=40))
def test_a_name_that_was_not_made_here_is_not_read(text):
    """Any text after the tag is either the one name of what is read from it, or not read."""
    read = parse_job_name("calls-0a1b2c3d-", f"calls-0a1b2c3d-{text}")

    assert read is None or job_name("calls-0a1b2c3d-", *read) == f"calls-0a1b2c3d-{text}"


HEX = "0f" * 16


@pytest.mark.parametrize(
    "name",
    [
        *(HEX, f"calls-{HEX}", f"calls-0a1b2c3d-{HEX[:-2]}", f"calls-0a1b2c3d-{HEX}00"),
        *(f"calls-0a1b2c3d-{HEX.upper()}", f"calls-0a1b2c3d-{HEX}-", f"calls-0a1b2c3d-{HEX}--2"),
        *(f"calls-0a1b2c3d-{HEX}-{n}" for n in ("0", "1", "02", "x", "-3", "2-2", "\u0663", "²")),
        *(f"calls-0a1b2c3d-{HEX[:-2]} f", f"calls-0a1b2c3d-{HEX[:-2]}é"),
        *(f"calls-0a1b2c3d-{HEX}-{'9' * digits}" for digits in (20, 5000)),
    ],
)
def test_a_name_that_no_job_of_ours_has_is_not_read(name):
    """Other lengths, digits and attempts than those of a made name are another program's."""
    assert parse_job_name("calls-0a1b2c3d-", name) is None
