"""An output on S3 whose objects moto keeps: conditional writes of yet other hands."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections import Counter
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.conftest import ROOT, clean_environment, end, free_port, wait_for
from tests.support.between import Answer, Asked, between

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]

OF_AN_ANSWER = ("Content-Type", "Content-Range", "Date", "ETag", "Last-Modified")


@pytest.fixture
def moto(tmp_path) -> Iterator[int]:
    """The port of a moto server that has the bucket."""
    port = free_port()
    server = str(ROOT / ".venv-ministack" / "bin" / "moto_server")
    command = [server, "-H", "127.0.0.1", "-p", str(port)]
    with (tmp_path / "moto.log").open("wb") as log:
        process = subprocess.Popen(command, env=clean_environment(), stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}/moto-api/")
        client(port).create_bucket(Bucket="audio")
        yield port
    finally:
        end(process)


def client(port: int):
    return boto3.client(
        "s3",
        "us-east-1",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def kept_in(port: int) -> Callable[[Asked], Answer]:
    """Has moto answer what is about the output, and the cloud all else."""

    def reply(asked: Asked) -> Answer:
        if "/audio/tasks/" not in asked.path and "prefix=tasks%2F" not in asked.path:
            return asked.forward()
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request(asked.method, asked.path, asked.body or None, asked.headers)
            answer = connection.getresponse()
            headers = {name: answer.headers[name] for name in OF_AN_ANSWER if answer.headers[name]}
            return Answer(answer.status, answer.read(), headers)
        finally:
            connection.close()

    return reply


def lines_in(port: int) -> tuple[Counter[str], int]:
    """How many lines all parts have of each recording, and how many parts there are."""
    s3 = client(port)
    found = s3.list_objects_v2(Bucket="audio", Prefix="tasks/parts/")["Contents"]
    bodies = [s3.get_object(Bucket="audio", Key=each["Key"])["Body"].read() for each in found]
    tasks = [json.loads(line) for body in bodies for line in body.splitlines()]
    return Counter(task["data"]["audio"] for task in tasks), len(bodies)


def test_machines_that_die_one_after_the_other_leave_every_task_once(on_s3, moto):
    """Four kills with a lost disk after each, then two runs of one shard at once."""
    runs = on_s3("--slots", "20", "--seconds", "0.4")
    said = runs.add(120)
    settings = runs.run.folder.parent / "settings.toml"
    settings.write_text("[cluster]\nseal_seconds = 0.3\n")
    command = runs.command("--config", str(settings), "--json")
    moments = random.Random(3)

    with between(runs.cloud, kept_in(moto)) as url:
        runs.run.use(AWS_ENDPOINT_URL=url)
        for _ in range(4):
            with runs.run.start(*command) as process:
                time.sleep(moments.uniform(0.7, 1.5))
                process.kill()
            runs.lose_the_disk()
        with runs.run.start(*command) as first:
            runs.run.folder = runs.run.folder.parent / "other"
            runs.run.folder.mkdir()
            second = runs.run(*command)
            out, err = first.communicate(timeout=60)
        missing = runs.run("status", "--output", "s3://audio/tasks/", "--json")

    lines, parts = lines_in(moto)
    assert (first.returncode, second.code) == (0, 0), out + err + second.err
    assert lines == Counter(dict.fromkeys(said, 1))
    assert parts > 1
    assert runs.jobs_started_twice() == 0
    assert json.loads(missing.out)["incomplete"] == []
