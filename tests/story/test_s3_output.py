"""An output on S3 against an emulator that nobody here wrote: its own conditional writes."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections import Counter

import pytest

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("ministack")]


def lines_of(s3, bucket):
    """How many lines all parts have of each recording."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="tasks/parts/")
    keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
    bodies = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
    tasks = [json.loads(line) for body in bodies for line in body.splitlines()]
    return Counter(task["data"]["audio"] for task in tasks)


def test_machines_that_die_one_after_the_other_leave_every_task_once(run, buckets):
    """Three kills with a lost disk after each, then two runs of one shard at once."""
    s3, audio, results = buckets
    said = [f"s3://{audio}/{number}.mp3" for number in range(40)]
    for uri in said:
        s3.put_object(Bucket=audio, Key=uri.rpartition("/")[2], Body=b"x")
    settings = run.folder.parent / "settings.toml"
    settings.write_text("[cluster]\nseal_seconds = 0.3\n")
    flags = ("--results", f"s3://{results}/t/", "--output", f"s3://{results}/tasks/")
    command = ("run", f"s3://{audio}/", *flags, "--config", str(settings), "--json")
    moments = random.Random(2)

    for _ in range(3):
        with run.start(*command) as process:
            time.sleep(moments.uniform(0.5, 1.2))
            process.kill()
        shutil.rmtree(run.folder)
        run.folder.mkdir()
    with run.start(*command) as first:
        run.folder = run.folder.parent / "other"
        run.folder.mkdir()
        second = run(*command)
        first.communicate(timeout=60)

    assert (first.returncode, second.code) == (0, 0), second.err
    assert lines_of(s3, results) == Counter(dict.fromkeys(said, 1))
