"""What the environment and the profile say holds for all connections; a region is looked at."""

from __future__ import annotations

import os

import pytest
from botocore.httpsession import get_cert_path
from botocore.parsers import JSONParser
from botocore.utils import parse_timestamp

from pipeline.aws.machine import (
    bundle_of,
    checked_region,
    endpoint_of,
    machine_session,
    with_defaults,
)
from pipeline.config.schema import Aws
from pipeline.errors import BadSettings
from tests.conftest import clean_environment

CONFIG = """
[default]
ca_bundle = /of/the/profile.pem
endpoint_url = http://of.the.profile
services = mine
[services mine]
s3 =
  endpoint_url = http://s3.of.the.profile
[profile bare]
"""


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine with two profiles."""
    config = tmp_path / "config"
    config.write_text(CONFIG, "utf-8")
    kept = clean_environment(AWS_CONFIG_FILE=str(config))
    for name in set(os.environ) - set(kept):
        monkeypatch.delenv(name)
    for name, value in kept.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)


@pytest.mark.parametrize(
    ("environment", "profile", "bundle"),
    [
        ({}, "", "/of/the/profile.pem"),
        ({"AWS_CA_BUNDLE": "/of/aws.pem"}, "", "/of/aws.pem"),
        ({"AWS_CA_BUNDLE": "/of/aws.pem", "REQUESTS_CA_BUNDLE": "/r.pem"}, "bare", "/of/aws.pem"),
        ({"REQUESTS_CA_BUNDLE": "/r.pem"}, "bare", "/r.pem"),
        ({"REQUESTS_CA_BUNDLE": "/r.pem"}, "", "/of/the/profile.pem"),
    ],
)
def test_authorities_are_named_as_botocore_reads_them(monkeypatch, environment, profile, bundle):
    """AWS_CA_BUNDLE is above the profile's, and both above REQUESTS_CA_BUNDLE."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert bundle_of(machine_session(Aws(profile=profile))) == bundle


def test_without_a_name_there_are_authorities_too(monkeypatch):
    """An empty variable is none: it does not turn the check of certificates off."""
    monkeypatch.setenv("AWS_CA_BUNDLE", "")

    assert bundle_of(machine_session(Aws(profile="bare"))) == get_cert_path(verify=True)


@pytest.mark.parametrize(
    ("settings", "environment", "s3", "transcribe"),
    [
        (Aws(), {}, "http://s3.of.the.profile", "http://of.the.profile"),
        (
            Aws(endpoint_url="http://flag"),
            {"AWS_ENDPOINT_URL": "http://e"},
            "http://flag",
            "http://flag",
        ),
        (Aws(), {"AWS_ENDPOINT_URL": "http://e"}, "http://e", "http://e"),
        (Aws(profile="bare"), {"AWS_ENDPOINT_URL_S3": "http://e"}, "http://e", None),
        (Aws(profile="bare"), {"AWS_ENDPOINT_URL": "HTTPS://e"}, "HTTPS://e", "HTTPS://e"),
        (Aws(), {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, None, None),
    ],
)
def test_an_endpoint_is_where_botocore_would_find_it(
    monkeypatch, settings, environment, s3, transcribe
):
    """The flag is above the environment, and that above the profile, for each service."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    machine = machine_session(settings)

    assert endpoint_of(machine, settings, "s3") == s3
    assert endpoint_of(machine, settings, "transcribe") == transcribe


def test_others_are_told_where_a_run_finds_s3(monkeypatch):
    """What Label Studio is to read from is where the environment and the profile have S3."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    assert with_defaults(Aws()) == Aws(region="eu-west-1", endpoint_url="http://s3.of.the.profile")
    assert with_defaults(Aws(profile="bare")) == Aws(profile="bare", region="eu-west-1")
    assert with_defaults(Aws(profile="absent")) == Aws(profile="absent")


@pytest.mark.parametrize(
    "region", ["us-east-1a", "eu-central1", "us-east-1 ", "eu-centrall-1.invalid"]
)
async def test_a_region_that_is_none_is_refused_before_any_call(region):
    """A misspelt region would be a host without an address, and minutes of tries."""
    with pytest.raises(BadSettings, match="There is no AWS region"):
        await checked_region(machine_session(Aws(region=region)), elsewhere=False)


@pytest.mark.parametrize(
    "region", ["eu-central-2", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"]
)
async def test_regions_of_every_partition_are_taken(region):
    """What botocore knows needs no question."""
    assert await checked_region(machine_session(Aws(region=region)), elsewhere=False) == region


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
@pytest.mark.parametrize("value", ["127.0.0.1:8080", "http:/host", "s3://bucket"])
def test_an_endpoint_that_is_no_address_is_told_with_how_to_write_it(monkeypatch, name, value):
    """What the environment names is refused before any call, as what the settings name is."""
    monkeypatch.setenv(name, value)
    settings = Aws()

    with pytest.raises(BadSettings, match=r"is no address\. Write it with http:// or https://"):
        endpoint_of(machine_session(settings), settings, "s3")


@pytest.mark.parametrize("region", ["us-east-1a", "anything"])
async def test_at_an_endpoint_of_ones_own_a_region_has_any_name(region):
    """An emulator's region is its own matter, as long as a host could be named so."""
    machine = machine_session(Aws(region=region))

    assert await checked_region(machine, elsewhere=True) == region
    with pytest.raises(BadSettings, match="There is no AWS region"):
        await checked_region(machine_session(Aws(region=f"{region} ")), elsewhere=True)


async def test_a_region_that_is_new_is_reached_through_a_proxy(monkeypatch, no_proxies):
    """A newer region than botocore's is taken; behind a proxy nobody here can look it up."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    machine = machine_session(Aws(region="eu-central-9"))

    assert await checked_region(machine, elsewhere=False) == "eu-central-9"


@pytest.mark.parametrize(
    "value",
    [1764363000, 1764363000.123, "1764363000", "2025-11-28T20:50:00Z", "-1", "1e11", 253402300800],
)
def test_timestamps_of_answers_are_those_of_botocore(value):
    """A moment is read as botocore reads it, whichever of its forms a service writes."""
    parsers = machine_session(Aws()).get_component("response_parser_factory")
    parser = parsers.create_parser("json")

    assert isinstance(parser, JSONParser)
    assert _read(parser._timestamp_parser, value) == _read(parse_timestamp, value)


def _read(parse, value):
    try:
        return parse(value)
    except (ValueError, RuntimeError) as error:
        return type(error)
