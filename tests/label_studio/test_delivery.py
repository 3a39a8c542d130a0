"""Batches of tasks on their way into a project, over the real wire."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from pipeline.errors import TasksRefused
from pipeline.label_studio.batch import PushStats
from pipeline.label_studio.client import connected
from pipeline.label_studio.delivery import Deliveries
from pipeline.label_studio.push_ledger import Place, opened_ledger
from pipeline.label_studio.rounds import EarlierTasks
from pipeline.label_studio.schema import Project
from pipeline.label_studio.task_lines import task_lines
from tests.support.between import Answer, Asked, between

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("no_proxies")

PROJECT = Project(1, "2026-11-23T12:00:00Z")


class Server:
    """A project: its tasks by job id, each with its predictions.

    It loses the predictions of the first `losing` imports, and refuses tasks named in `refused`.
    `kept` are the moments that the ledger held while a batch was imported.
    """

    def __init__(self, *there: str, losing: int = 0, refused: tuple[str, ...] = ()) -> None:
        self.tasks: dict[str, int] = dict.fromkeys(there, 1)
        self.losing = losing
        self.refused = refused
        self.imports = 0
        self.ledger: Path | None = None
        self.kept: list[float] = []

    def reply(self, asked: Asked) -> Answer:
        """What the server answers."""
        path = urlsplit(asked.path).path
        if path.endswith("/import/predictions"):
            added = json.loads(asked.body)
            for each in added:
                self.tasks[list(self.tasks)[each["task"]]] += 1
            return _json({"created": len(added)}, 201)
        if path.endswith("/import"):
            return self._import(json.loads(asked.body))
        if "data.audio" in asked.path:
            return _json({"tasks": [], "total": 0})
        rows = [
            {"id": number, "data": {"job_id": name}, "total_predictions": self.tasks[name]}
            for number, name in enumerate(self.tasks)
        ]
        return _json({"tasks": rows, "total": len(rows)})

    def _import(self, tasks: list[dict[str, Any]]) -> Answer:
        names = [each["data"]["job_id"] for each in tasks]
        if self.ledger is not None:
            places = json.loads(self.ledger.read_bytes())
            self.kept += [each["sent_at"] for each in places.values()]
        if set(names) & set(self.refused):
            return _json({"detail": "Validation error", "status_code": 400}, 400)
        self.imports += 1
        predictions = 0 if self.imports <= self.losing else 1
        self.tasks |= dict.fromkeys(names, predictions)
        counts = {"task_count": len(names), "prediction_count": predictions * len(names)}
        return _json(counts, 201)


def _json(content: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(content).encode(), {"Content-Type": "application/json"})


def task(name: str, score: float) -> bytes:
    """The line of one task."""
    prediction = {"model_version": "1", "score": score, "result": []}
    data = {"audio": f"s3://calls/{name}.mp3", "job_id": name}
    return json.dumps({"data": data, "predictions": [prediction]}).encode() + b"\n"


async def pushed(
    folder: Path, server: Server, place: Place, **scores: float
) -> tuple[PushStats, list[str]]:
    """What became of tasks of these scores, and what was told of it."""
    output, told = folder / "tasks.jsonl", list[str]()
    lines = [task(name, score) for name, score in scores.items()]
    output.write_bytes(b"".join(lines))
    server.ledger = folder / "tasks.jsonl.pushed"
    with between(None, server.reply) as url, opened_ledger(output) as ledger:
        async with connected(url, "0123456789abcdef") as client:
            deliveries = Deliveries(EarlierTasks(client, PROJECT), ledger, place, PushStats())
            parsed = task_lines(each.rstrip(b"\n") for each in lines)
            await deliveries.complete(parsed, lambda _: None, told.append)
            return deliveries.stats, told


async def test_predictions_that_the_server_lost_are_added(tmp_path):
    """Where it took tasks and counts no predictions, they are sent once more by themselves."""
    server = Server(losing=1)

    stats, _ = await pushed(tmp_path, server, Place(), a=0.5, b=0.6)

    assert server.tasks == {"a": 1, "b": 1}
    assert (stats.sent, stats.mended) == (2, 2)


async def test_a_score_of_just_the_threshold_needs_no_review(tmp_path):
    """Tasks are for review below it."""
    server = Server()

    stats, _ = await pushed(tmp_path, server, Place(review_below=0.6), a=0.59, b=0.6)

    assert (list(server.tasks), stats.sent, stats.good) == (["a"], 1, 1)


async def test_a_batch_is_remembered_before_it_is_sent(tmp_path):
    """Whoever is killed before the answer knows when it was sent, for the next push."""
    server, before = Server(), time.time()

    await pushed(tmp_path, server, Place(), a=0.5)

    [place] = json.loads((tmp_path / "tasks.jsonl.pushed").read_bytes()).values()
    assert before <= server.kept[0] <= time.time()
    assert place["sent_at"] == 0


async def test_a_batch_without_an_answer_is_waited_for_before_it_is_sent_again(tmp_path):
    """It may be under way at the server: a task that arrives while it is looked for stands once."""
    server = Server()
    looks = []

    class Late(Server):
        def reply(self, asked: Asked) -> Answer:
            looks.append(urlsplit(asked.path).path)
            if len(looks) == 2:
                self.tasks["a"] = 1
            return super().reply(asked)

    server = Late()
    place = Place(sent_at=time.time(), sent=("a", 1))
    stats, told = await pushed(tmp_path, server, place, a=0.5)

    assert (server.imports, stats.there) == (0, 1)
    assert "The answer to a batch of tasks was lost on the way" in told[0]


async def test_refusals_end_no_push_that_had_tasks_taken(tmp_path):
    """Twenty tasks that are refused are the tasks' own fault where the server takes others."""
    bad = [f"bad{number}" for number in range(25)]
    server = Server(refused=tuple(bad))

    stats, _ = await pushed(tmp_path, server, Place(), good=0.5, **dict.fromkeys(bad, 0.5))

    assert (list(server.tasks), stats.sent, stats.refused) == (["good"], 1, 25)
    with pytest.raises(TasksRefused, match="None of the first 20 tasks is taken"):
        await pushed(tmp_path, Server(refused=tuple(bad)), Place(), **dict.fromkeys(bad, 0.5))
