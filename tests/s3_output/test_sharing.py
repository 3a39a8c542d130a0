"""Shards as processes of their own on one account: its limits are theirs together."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime
from typing import Any

import msgspec
import pytest

from benchmarks.schedule import list_schedule
from pipeline.local import Quotas


def finished(runs, shards: int, *flags: str) -> list[Any]:
    """The summaries of shards that ran side by side."""
    processes = []
    for number in range(shards):
        runs.run.folder = runs.run.folder.parent / f"machine-{number}"
        runs.run.folder.mkdir()
        array = ("--shards", str(shards), "--shard", str(number), "--json")
        processes.append(runs.run.start(*runs.command(*array, *flags)))
    ended = [each.communicate(timeout=150) for each in processes]
    assert [each.returncode for each in processes] == [0] * shards, ended
    return [msgspec.json.decode(out) for out, _ in ended]


def refused_share(summaries: list[Any]) -> float:
    """Which part of all starts found no free slot."""
    refused: int = sum(each.get("refused", {}).get("no free slot", 0) for each in summaries)
    starts: int = sum(each["calls"]["StartTranscriptionJob"] for each in summaries)
    return refused / starts


def seconds_of(summaries: list[Any]) -> float:
    """From the first one's begin to the last one's end."""
    begins = [datetime.fromisoformat(each["begun"]) for each in summaries]
    ends = [datetime.fromisoformat(each["ended"]) for each in summaries]
    return (max(ends) - min(begins)).total_seconds()


def test_shards_that_begin_together_ask_for_no_more_than_the_account_has(on_s3):
    """Each alone would take every slot, and half of its starts would be refused."""
    runs = on_s3("--slots", "8", "--seconds", "0.4")
    said = runs.add(40)

    summaries = finished(runs, 2, "--max-in-flight", "8")

    assert refused_share(summaries) < 0.05
    assert runs.lines() == Counter(dict.fromkeys(said, 1))


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("believed", "refused"), [(24, 0.04), (72, 0.12)])
def test_eight_shards_take_little_more_than_one_run_would(on_s3, believed, refused):
    """Whether the quota is known or believed three times too high; jobs take 2 to 6 seconds."""
    runs = on_s3("--slots", "24", "--start-rate", "50", "--list-rate", "20")
    chance = random.Random(7)
    seconds = [round(chance.uniform(2, 6), 2) for _ in range(240)]
    for number, each in enumerate(seconds):
        runs.cloud.put(f"calls/{number}.mp3", f"@{each} word")
    settings = runs.run.folder.parent / "settings.toml"
    settings.write_text("[limits]\nlist_rate = 20.0\nstart_rate = 50.0\n")

    limits = ("--config", str(settings), "--max-in-flight", str(believed))
    summaries = finished(runs, 8, *limits)

    best = list_schedule(seconds, Quotas(slots=24, start=50))
    assert seconds_of(summaries) / best < 1.6  # the machine may be busy
    assert refused_share(summaries) < refused
    assert runs.lines().total() == 240
