"""A later round over the same recordings, pushed over the real wire."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.label_studio.batch import PushStats
from pipeline.label_studio.client import connected
from pipeline.label_studio.delivery import Deliveries
from pipeline.label_studio.push_ledger import Place, opened_ledger
from pipeline.label_studio.rounds import EarlierTasks, merged
from pipeline.label_studio.schema import Project
from pipeline.label_studio.task_lines import named, task_lines
from tests.support.between import Answer, Asked, between

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("no_proxies")
PROJECT = Project(1, "2026-11-23T12:00:00Z", model_version="first")


@dataclass
class Server:
    """A project with tasks; it answers 503 to call number `failing`."""

    tasks: list[dict[str, Any]] = field(default_factory=list)
    failing: int = 0
    calls: list[str] = field(default_factory=list)

    def reply(self, asked: Asked) -> Answer:
        """What the server answers."""
        parts = urlsplit(asked.path)
        self.calls.append(f"{asked.method} {parts.path}")
        if len(self.calls) == self.failing:
            return Answer(503, b"{}", {})
        body = json.loads(asked.body) if asked.body else None
        content = self._answer(asked.method, parts.path.split("/")[2:], parse_qs(parts.query), body)
        return Answer(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _answer(self, method: str, path: list[str], query: dict[str, Any], body: Any) -> Any:
        if method == "PATCH":
            of = self.tasks if path[0] == "tasks" else self._predictions()
            [changed] = [each for each in of if each["id"] == int(path[1])]
            return changed.update(body)
        if path[0] == "predictions":
            return self.tasks[int(query["task"][0])]["predictions"]
        if path[-1] == "import":
            for each in body:
                self.add(each, len(self.tasks))
            return {"task_count": len(body), "prediction_count": len(body)}
        if path[-1] == "predictions":
            for each in body:
                self.tasks[each["task"]]["predictions"].append(each | {"id": 99})
            return {"created": len(body)}
        [condition] = json.loads(query["query"][0])["filters"]["items"]
        key = condition["filter"].rpartition(".")[2]
        rows = [each for each in self.tasks if each["data"].get(key) in condition["value"]]
        counted = [each | {"total_predictions": len(each["predictions"])} for each in rows]
        return {"tasks": counted, "total": len(rows)}

    def add(self, task: dict[str, Any], number: int) -> None:
        """Take a task, whose predictions get numbers."""
        predictions = [each | {"id": 10 * number} for each in task["predictions"]]
        more = {"id": number, "predictions": predictions}
        self.tasks.append({"total_annotations": 0, "meta": {}} | task | more)

    def _predictions(self) -> list[dict[str, Any]]:
        return [each for task in self.tasks for each in task["predictions"]]


def task(audio: str, version: str, etag: str = "1", **data: Any) -> dict[str, Any]:
    """A task of one round."""
    about = {"audio": f"s3://calls/{audio}", "job_id": f"{audio}-{version}", **data}
    result = {"from_name": "transcription", "to_name": "audio", "type": "textarea"}
    prediction = {"model_version": version, "score": 0.5, "result": [result]}
    return {"data": about, "predictions": [prediction], "meta": {"etag": etag}}


def long(version: str, starts: Iterable[float]) -> dict[str, Any]:
    """A task of segments that begin at these seconds."""
    found = task("a", version)
    found["predictions"][0]["result"] = [
        {
            "id": f"seg-{number:05}",
            "from_name": name,
            "to_name": "audio",
            "type": kind,
            "value": {"start": start, "end": start + 0.5, key: [f"{version} {number}"]},
        }
        for number, start in enumerate(starts)
        for name, kind, key in (("speaker", "labels", "labels"), ("text", "textarea", "text"))
    ]
    return found


def starts_of(task: dict[str, Any]) -> list[float]:
    """When the segments of a task begin."""
    return [r["value"]["start"] for p in task["predictions"] for r in p["result"]][::2]


async def pushed(
    folder: Path, server: Server, *tasks: dict[str, Any], reviewed_too: bool = False
) -> PushStats:
    """What became of the tasks of a later round."""
    output = folder / "tasks.jsonl"
    lines = [json.dumps(each).encode() for each in tasks]
    output.write_bytes(b"".join(line + b"\n" for line in lines))
    with between(None, server.reply) as url, opened_ledger(output) as ledger:
        async with connected(url, "0123456789abcdef") as client:
            earlier = EarlierTasks(client, PROJECT, reviewed_too=reviewed_too, segments_per_task=20)
            deliveries = Deliveries(earlier, ledger, Place(), PushStats())
            await deliveries.complete(task_lines(lines), lambda _: None, lambda _: None)
            return deliveries.stats


def holding(*tasks: dict[str, Any], **more: Any) -> Server:
    """A server that has the tasks of a first round."""
    server = Server()
    for number, each in enumerate(tasks):
        server.add(each | more, number)
    return server


async def test_a_recording_keeps_its_one_task(tmp_path):
    """The task of the recording has the new prediction under the name that the project shows."""
    server = holding(task("a", "first", mine=1), task("b", "first"))

    stats = await pushed(tmp_path, server, task("a", "second"), task("c", "second"))

    assert (stats.renewed, stats.sent, stats.there, stats.reviewed) == (1, 1, 0, 0)
    renewed, other, new = server.tasks
    assert renewed["data"] == {
        "audio": "s3://calls/a",
        "job_id": "a-second",
        "mine": 1,
        "model_version": "second",
    }
    assert [each["id"] for each in renewed["predictions"]] == [0]
    assert other["data"]["job_id"] == "b-first"
    assert new["data"]["model_version"] == "second"
    assert {each["model_version"] for each in server._predictions()} == {"first"}


async def test_what_is_reviewed_is_left_alone_unless_asked(tmp_path):
    """A reviewed recording's task is neither doubled nor changed; when it is asked for, it is."""
    server = holding(task("a", "first"), total_annotations=1)

    kept = await pushed(tmp_path, server, task("a", "second"))
    assert (kept.reviewed, kept.renewed, kept.sent) == (1, 0, 0)
    assert [each["data"]["job_id"] for each in server.tasks] == ["a-first"]

    asked = await pushed(tmp_path, server, task("a", "second"), reviewed_too=True)
    assert (asked.reviewed, asked.renewed, asked.sent) == (0, 1, 0)
    assert [each["data"]["job_id"] for each in server.tasks] == ["a-second"]


async def test_another_content_is_another_task(tmp_path):
    """Where the ETag differs the recording is another one under the same key."""
    server = holding(task("a", "first", etag="1"))

    stats = await pushed(tmp_path, server, task("a", "second", etag="2"))

    assert (stats.sent, stats.renewed) == (1, 0)


async def test_a_task_without_an_etag_is_that_of_its_recording(tmp_path):
    """Label Studio's S3 sync drops `meta`; what the content was is not known, the audio is."""
    server = holding(task("a", "first"), meta={})

    stats = await pushed(tmp_path, server, task("a", "second"))

    assert (stats.sent, stats.renewed) == (0, 1)


@pytest.mark.parametrize("meta", [{}, None])
async def test_a_task_that_another_program_made_stays_as_it_is(tmp_path, meta):
    """Its prediction is another model's work, and its review another project's matter."""
    theirs = {"data": {"audio": "s3://calls/a"}, "predictions": [{"model_version": "theirs"}]}
    server = holding(theirs, meta=meta)
    before = json.dumps(server.tasks[0])

    stats = await pushed(tmp_path, server, task("a", "second"))

    assert (stats.sent, stats.renewed) == (1, 0)
    assert json.dumps(server.tasks[0]) == before


async def test_what_only_the_earlier_round_said_is_over(tmp_path):
    """A round with redaction leaves none of the words that it is to hide."""
    first = task("a", "first", alternatives=["the card is 1234"], speaker_count=2, mine=1)
    first["meta"] |= {"unredacted_transcript": "s3://calls/a.json", "theirs": 1}
    server = holding(first)

    await pushed(tmp_path, server, task("a", "second"))

    [renewed] = server.tasks
    assert renewed["data"].keys() == {"audio", "job_id", "mine", "model_version"}
    assert renewed["meta"] == {"etag": "1", "theirs": 1}


async def test_two_rounds_in_one_output_are_one_task(tmp_path):
    """A run whose settings changed on the way has two jobs of a recording: the later one counts."""
    server = Server()

    stats = await pushed(tmp_path, server, task("a", "first"), task("a", "second"))

    assert (stats.sent, stats.renewed) == (1, 1)
    assert [each["data"]["job_id"] for each in server.tasks] == ["a-second"]


# The sixth sends the task that is new, which may have arrived all the same for 100 seconds.
_SENDS = pytest.param(6, marks=[pytest.mark.long, pytest.mark.timeout(180)])


@pytest.mark.parametrize("failing", [*range(1, 6), _SENDS])
async def test_whatever_call_fails_the_round_is_completed(tmp_path, failing):
    """A call that is answered with a fault is made again, and nothing is doubled or forgotten."""
    server = holding(task("a", "first"))
    server.failing = failing

    stats = await pushed(tmp_path, server, task("a", "second"), task("c", "second"))

    assert (stats.renewed, stats.sent, stats.there) == (1, 1, 0)
    assert [each["data"]["job_id"] for each in server.tasks] == ["a-second", "c-second"]
    assert [len(each["predictions"]) for each in server.tasks] == [1, 1]


async def test_a_task_without_its_prediction_gets_one(tmp_path):
    """What the server lost in the first round is not missed in the second."""
    server = holding(task("a", "first"), predictions=[])

    await pushed(tmp_path, server, task("a", "second"))

    assert [each["model_version"] for each in server.tasks[0]["predictions"]] == ["first"]


async def test_a_recording_stays_cut_where_it_was(tmp_path):
    """The new prediction is cut at the same times, however many segments it has of them."""
    server = Server()
    await pushed(tmp_path, server, long("first", range(50)))
    assert [len(starts_of(each)) for each in server.tasks] == [17, 17, 16]

    fresh = long("second", [n / 2 for n in range(100)])
    stats = await pushed(tmp_path, server, fresh)

    assert (stats.renewed, stats.sent, stats.parts, len(server.tasks)) == (1, 0, 0, 3)
    assert [start for each in server.tasks for start in starts_of(each)] == starts_of(fresh)
    assert [starts_of(each)[0] for each in server.tasks] == [0, 17, 34]
    assert {each["meta"]["part"]["job_id"] for each in server.tasks} == {"a-second"}
    assert (await pushed(tmp_path, server, fresh)).there == 1


async def test_a_recording_of_which_a_part_is_reviewed_stays_as_it_is(tmp_path):
    """No part of it is renewed: its parts would be of two transcripts."""
    server = Server()
    await pushed(tmp_path, server, long("first", range(50)))
    server.tasks[1]["total_annotations"] = 1

    kept = await pushed(tmp_path, server, long("second", range(40)))
    assert (kept.reviewed, kept.renewed, kept.sent) == (1, 0, 0)
    assert {each["data"]["job_id"] for each in server.tasks} == {"a-first"}

    asked = await pushed(tmp_path, server, long("second", range(40)), reviewed_too=True)
    assert (asked.renewed, len(server.tasks)) == (1, 3)
    assert {each["data"]["job_id"] for each in server.tasks} == {"a-second"}


async def test_a_task_that_was_whole_stays_whole(tmp_path):
    """A recording that an earlier version pushed as one task has one in the next round too."""
    server = holding(long("first", range(50)))

    stats = await pushed(tmp_path, server, long("second", range(60)))

    assert (stats.renewed, stats.sent, len(server.tasks)) == (1, 0, 1)
    assert starts_of(server.tasks[0]) == [*range(60)]
    assert "part" not in server.tasks[0]["meta"]


@pytest.mark.parametrize("failing", range(1, 11))
async def test_a_round_over_parts_is_completed_whatever_fails(tmp_path, failing):
    """Parts that have the new prediction and parts that wait for it are one recording."""
    server = Server()
    await pushed(tmp_path, server, long("first", range(50)))
    server.calls.clear()
    server.failing = failing

    stats = await pushed(tmp_path, server, long("second", range(40)))

    assert (stats.renewed, stats.there, stats.sent) == (1, 0, 0)
    assert [each["data"]["job_id"] for each in server.tasks] == ["a-second"] * 3
    assert [start for each in server.tasks for start in starts_of(each)] == [*range(40)]


async def test_a_round_that_was_begun_is_completed_though_a_part_is_reviewed_meanwhile(tmp_path):
    """A push that was killed between two parts leaves no recording of two transcripts."""
    server = Server()
    await pushed(tmp_path, server, long("first", range(50)))
    await pushed(tmp_path, server, long("second", range(40)))
    first = long("first", range(50))
    server.tasks[2]["data"]["job_id"] = first["data"]["job_id"]
    server.tasks[2]["meta"]["part"]["job_id"] = first["data"]["job_id"]
    server.tasks[2]["total_annotations"] = 1

    stats = await pushed(tmp_path, server, long("second", range(40)))

    assert (stats.renewed, stats.sent, len(server.tasks)) == (1, 0, 3)
    assert {each["meta"]["part"]["job_id"] for each in server.tasks} == {"a-second"}


labels = st.lists(st.builds(lambda name: {"value": name}, st.sampled_from("abcd")), max_size=4)


@given(labels, labels)
def test_no_speaker_that_someone_may_have_chosen_is_lost(old, new):
    """The list has the new ones, then those of the old that are not among them."""
    both = merged({"speakers": old, "own": 1}, {"speakers": new, "languages": []})

    assert both["speakers"][: len(new)] == new
    assert {each["value"] for each in both["speakers"]} == {e["value"] for e in [*old, *new]}
    assert (both["own"], both["languages"]) == (1, [])


def test_a_task_of_the_shown_version_is_sent_as_it_is():
    """Not a byte changes where the names agree, or where none is known yet."""
    content = json.dumps(task("a", "first")).encode()
    [line] = task_lines([content])

    assert named(line, "first") is content
    assert named(line, "") is content
    other = json.loads(named(line, "second"))
    assert other["predictions"][0]["model_version"] == "second"
    assert other["data"]["model_version"] == "first"
