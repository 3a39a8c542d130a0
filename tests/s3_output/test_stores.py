"""What a store of objects refuses is not absent, and what its listing shows late is not lost."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.support.between import Answer, between, refusal

if TYPE_CHECKING:
    from tests.support.between import Asked


def meets(asked: Asked, refused: str) -> bool:
    """Whether the request is one of `list PLACE`, or of what is below it with `read PLACE`."""
    what, place = refused.split()
    if what == "list":
        return "list-type" in asked.path and f"prefix={quote(place, safe='')}" in asked.path
    return asked.method in ("GET", "HEAD") and asked.path.startswith(f"/audio/{place}")


REFUSED = ["list tasks/parts/", "list results/", "read tasks/parts/", "read tasks/state/"]
ALSO = [
    "list tasks/beats/",
    "list tasks/summaries/",
    "read tasks/beats/",
    "read tasks/summaries/",
    "read tasks/cluster.json",
]


@pytest.mark.parametrize(
    "refused", [*REFUSED, *(pytest.param(each, marks=pytest.mark.long) for each in ALSO)]
)
def test_a_place_that_may_not_be_read_is_not_taken_for_an_empty_one(on_s3, refused):
    """On a fresh disk the run ends with the right that is missing, and starts nothing."""
    runs = on_s3()
    said = runs.add(4)
    runs()
    said |= runs.add(1, begin=4)
    runs.lose_the_disk()
    if refused.endswith(("/parts/", "results/")):  # or none would be read
        (runs.cloud.folder / "tasks" / "state" / "s0000-of-0001.sqlite.gz").unlink()
    before = runs.parts()

    def denies(asked):
        if meets(asked, refused):
            return refusal(asked, "AccessDenied", "Access Denied", 403)
        return asked.forward()

    url = runs.cloud.url
    with between(runs.cloud, denies) as denying:
        runs.run.use(AWS_ENDPOINT_URL=denying)
        outcome = runs.run(*runs.command())
    started = runs.cloud.counts()["calls"]["StartTranscriptionJob"]
    same = runs.parts() == before
    runs.run.use(AWS_ENDPOINT_URL=url)

    assert outcome.code == 2, outcome
    assert ("s3:ListBucket" if refused.startswith("list") else "s3:GetObject") in outcome.err
    assert (started, same) == (4, True)
    assert runs()["exit_code"] == 0
    assert runs.lines() == Counter(dict.fromkeys(said, 1))
    assert runs.jobs_started_twice() == 0


LATE = re.compile(rb"<Contents>(?:(?!</Contents>).)*/00000001\.jsonl.*?</Contents>")


@pytest.mark.parametrize("shards", [1, 2])
def test_parts_that_a_listing_shows_late_are_not_written_again(on_s3, shards):
    """The newest part of each shard is missing in every listing, and neither state is left."""
    runs = on_s3()
    said = runs.add(12)
    runs()
    said |= runs.add(12, begin=12)
    runs()
    assert len(runs.parts()) == 2
    runs.lose_the_disk()
    (runs.cloud.folder / "tasks" / "state" / "s0000-of-0001.sqlite.gz").unlink()

    def lags(asked: Asked) -> Answer:
        answer = asked.forward()
        if "list-type" in asked.path and "parts" in asked.path and answer.body:
            return answer._replace(body=LATE.sub(b"", answer.body))
        return answer

    with between(runs.cloud, lags) as url:
        runs.run.use(AWS_ENDPOINT_URL=url)
        for number in range(shards):
            assert runs("--shards", str(shards), "--shard", str(number))["exit_code"] == 0

    assert runs.lines() == Counter(dict.fromkeys(said, 1))
    assert runs.jobs_started_twice() == 0


def test_a_copy_of_the_state_that_is_older_than_the_parts_is_brought_up_to_date(on_s3):
    """What it does not know of stands in the parts: nothing is started or written again."""
    runs = on_s3()
    said = runs.add(5)
    runs()
    copy = runs.cloud.folder / "tasks" / "state" / "s0000-of-0001.sqlite.gz"
    older = copy.read_bytes()
    said |= runs.add(5, begin=5)
    runs()
    copy.write_bytes(older)
    runs.lose_the_disk()

    summary = runs()

    assert (summary["counts"]["started"], summary["counts"]["written"]) == (0, 0)
    assert summary["balance"]["written"] == 10
    assert runs.lines() == Counter(dict.fromkeys(said, 1))


def test_the_first_answer_to_every_write_is_lost_and_nothing_else(on_s3):
    """What is there then is one's own: each file below --output is written, and taken for it."""
    runs = on_s3()
    said = runs.add(5)
    lost: set[str] = set()

    def loses(asked: Asked) -> Answer:
        answer = asked.forward()
        path = asked.path.partition("?")[0]
        if asked.method == "PUT" and path not in lost:
            lost.add(path)
            return Answer(200, None, {})
        return answer

    with between(runs.cloud, loses) as url:
        runs.run.use(AWS_ENDPOINT_URL=url)
        first = runs()
        runs.lose_the_disk()
        second = runs()

    kinds = {path.removeprefix("/audio/tasks/").partition("/")[0] for path in lost}
    assert kinds == {"cluster.json", "parts", "state", "beats", "summaries", "failures"}
    assert (first["exit_code"], first.get("notes", [])) == (0, [])
    assert (second["exit_code"], second["counts"]["started"]) == (0, 0)
    assert second["balance"]["written"] == 5
    assert runs.lines() == Counter(dict.fromkeys(said, 1))
