"""Regions and hosts are those that botocore knows, in every partition of AWS."""

from __future__ import annotations

import pytest
from botocore.session import get_session

from pipeline.aws.partitions import (
    host_of,
    is_aws_host,
    is_known,
    is_label,
    is_well_formed,
    no_region,
    partition_of,
    sqs_region,
)
from pipeline.iam.policies import Owner

BOTOCORE = get_session()
REGIONS = sorted(
    region
    for partition in BOTOCORE.get_available_partitions()
    for region in BOTOCORE.get_available_regions("s3", partition)
)


@pytest.mark.parametrize("region", REGIONS)
def test_every_region_of_botocore_s_is_one(region):
    """Its hosts are AWS's own, its ARNs begin with its partition, its queues are in it."""
    partition = BOTOCORE.get_partition_for_region(region)

    assert is_known(region)
    assert is_well_formed(region)
    assert is_aws_host(host_of("s3", region))
    assert sqs_region(host_of("sqs", region)) == region
    assert partition_of(region) == partition
    assert Owner("123456789012", region).arn("sqs", "e").startswith(f"arn:{partition}:sqs:")


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("s3.eusc-de-east-1.amazonaws.eu", True),
        ("bucket.s3.us-iso-east-1.c2s.ic.gov", True),
        ("s3.dualstack.cn-north-1.amazonaws.com.cn", True),
        ("transcribe.eu-central-1.api.aws", True),
        ("s3.amazonaws.com.evil.example", False),
        ("evilamazonaws.com", False),
        ("amazonaws.example", False),
        ("127.0.0.1", False),
        ("", False),
        (None, False),
    ],
)
def test_a_host_is_aws_s_own_by_its_end(host, ours):
    """A transcript is fetched from AWS's own hosts, whose ends botocore knows, and no others."""
    assert is_aws_host(host) is ours


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sqs-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("sqs.us-east-1.api.aws", "us-east-1"),
        ("eu-west-1.queue.amazonaws.com", "eu-west-1"),
        ("queue.amazonaws.com", None),
        ("vpce-1a2b.sqs.us-east-1.vpce.amazonaws.com", None),
        ("sqs.eu-central-1.example.com", None),
        ("127.0.0.1", None),
    ],
)
def test_the_host_of_a_queue_says_where_it_is(host, region):
    """Of AWS's own hosts the region is read; another endpoint may be anywhere."""
    assert sqs_region(host) == region


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("us-east-1a", "us-east-1"),
        ("eu-central1", "eu-central-1"),
        ("eu-central-1 ", "eu-central-1"),
        ("EU-WEST-1", "eu-west-1"),
        ("cn-nort-1", "cn-north-1"),
        ("Frankfurt", None),
    ],
)
def test_a_region_that_is_none_proposes_the_nearest(given, meant):
    """Who mistypes a region reads the one that was meant, where there is one like it."""
    said = str(no_region(given))

    assert said.startswith(f"There is no AWS region {given!r}. ")
    assert (f"Did you mean {meant}?" in said) is (meant is not None)
    assert not is_known(given)


@pytest.mark.parametrize("region", ["us-east-1 ", "", "-a", "a_b", "a.b", "ü"])
def test_what_no_host_can_hold_is_no_region(region):
    """A space or a dot in a region makes a host that nobody could ask."""
    assert not is_label(region)
