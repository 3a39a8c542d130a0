"""Outputs of runs that never were: tasks as the pipeline makes them, committed as it does."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote

from pipeline.model import Line, Recording, Segment, TaskKind, Transcript, TranscriptStats
from pipeline.naming import identity
from pipeline.tasks.builder import TaskBuilder
from tests.support.state_files import begun, output_at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

MODEL = "amazon-transcribe/en-US"


def add_tasks(
    folder: Path,
    texts: Mapping[str, str],
    model: str = MODEL,
    heard: Callable[[str], Transcript] | None = None,
    settings: str = "",
) -> None:
    """Append a task for each recording of 7 bytes, a key with its text, to `tasks.jsonl`."""
    transcripts = {key: (heard or transcript)(text) for key, text in texts.items()}
    add_transcripts(folder, transcripts, TaskBuilder(TaskKind.TRANSCRIPT, model), settings)


def add_files(recordings: Path, folder: Path, texts: Mapping[str, str], settings: str = "") -> None:
    """Append a task for each file of 7 bytes in a folder of recordings, by its name."""
    heard = {key: transcript(text) for key, text in texts.items()}
    builder = TaskBuilder(TaskKind.TRANSCRIPT, settings or MODEL)
    add_transcripts(folder, heard, builder, settings, recordings.as_uri())


def add_transcripts(
    folder: Path,
    heard: Mapping[str, Transcript],
    builder: TaskBuilder,
    settings: str = "",
    source: str = "s3://calls",
) -> None:
    """Append a task for each recording, a key with what was heard, to `tasks.jsonl`."""
    with begun(folder / "tasks.jsonl.state") as state:
        recordings = [Recording(key, "1", 7) for key in heard]
        state.add([(each, identity("calls", each, settings)) for each in recordings])
        jobs = state.claim(len(heard) + 1)
        for job in jobs:
            state.started(job)
        lines = [
            Line(
                job,
                builder.line(_uri(source, key), job, heard[key]),
                TranscriptStats(heard[key].confidence, heard[key].duration),
            )
            for job in jobs
            for key in [job.recording.key]
        ]
        with closing(output_at(folder / "tasks.jsonl", state)) as output:
            assert output.write(lines) == len(heard)


def _uri(source: str, key: str) -> str:
    return f"{source}/{quote(key) if source.startswith('file:') else key}"


def transcript(text: str) -> Transcript:
    """What the service would have heard, in an identified language; short texts are certain."""
    words = text.split()
    certainty = 1 / len(words) if words else None
    segments = (Segment(text, 0.0, 1.5, confidence=certainty),) if words else ()
    languages = ("en-US", "de-DE") if words else ()
    return Transcript("calls", text, segments, len(words), certainty, languages)


def many(count: int, of: str = "recording number") -> dict[str, str]:
    """Keys with texts, each different."""
    return {f"{of}-{n:05}.mp3": f"{of} {n}" for n in range(count)}
