"""botocore's own listing of a bucket, and nothing else.

    python -m benchmarks.alternatives.botocore_listing PAGES

It prints the CPU seconds of one page of 1,000 keys, as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import islice

import boto3


def seconds_per_page(pages: int) -> float:
    """CPU seconds of a page; the first one, which loads things, is not counted."""
    listing = iter(boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket="audio"))
    next(listing)
    begun = time.process_time()
    for _ in islice(listing, pages):
        pass
    return (time.process_time() - begun) / pages


if __name__ == "__main__":
    print(json.dumps(seconds_per_page(int(sys.argv[1]))))  # noqa: T201 # whoever started it reads it
