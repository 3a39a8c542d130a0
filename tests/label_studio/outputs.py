"""Outputs of runs that never were: tasks as the pipeline makes them, committed as it does."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from pipeline.collector import Line
from pipeline.model import Recording, Transcript, Word
from pipeline.naming import identity
from pipeline.tasks import transcript_task
from pipeline.writer import Output
from tests.state_files import begun

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MODEL = "amazon-transcribe/en-US"


def add_tasks(folder: Path, texts: Mapping[str, str], model: str = MODEL) -> None:
    """Append a task for each recording, a key with its text, to `tasks.jsonl`."""
    with begun(folder / "tasks.jsonl.state") as state:
        recordings = [Recording(key, "1", 7) for key in texts]
        state.add([(each, identity("calls", each, "")) for each in recordings])
        jobs = state.claim(len(texts) + 1)
        for job in jobs:
            state.started(job)
        lines = [
            Line(job, transcript_task(f"s3://calls/{key}", job, transcript(texts[key]), model))
            for job in jobs
            for key in [job.recording.key]
        ]
        with closing(Output(folder / "tasks.jsonl", state)) as output:
            assert output.write(lines) == len(texts)


def transcript(text: str) -> Transcript:
    """What the service would have heard; the first word is as certain as the text is short."""
    words = tuple(
        Word(word, n / 2, n / 2 + 0.4, 1 / len(text.split())) for n, word in enumerate(text.split())
    )
    return Transcript("calls", text, words)


def many(count: int, of: str = "recording number") -> dict[str, str]:
    """Keys with texts, each different."""
    return {f"{of}-{n:05}.mp3": f"{of} {n}" for n in range(count)}
