"""Reviewed recordings, and a vocabulary with which the service hears them right."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

HEADER = "Phrase\tSoundsLike\tIPA\tDisplayAs\n"
APPLY = ("vocabulary", "apply", "vocabulary.txt", "--name", "calls", "--upload", "s3://audio/v/")

HEARD_WRONG = {f"r{n}": "ask kyle check now" for n in range(6)} | {"same": "nothing new here"}


def review(name: str, said: str, heard: str, **more: Any) -> dict[str, Any]:
    """A line of ground truth."""
    audio = f"s3://audio/{name}.mp3"
    return {"audio": audio, "source": "reviewed", "text": said, "predicted": heard, **more}


def write_reviews(run: Any, reviews: Iterable[dict[str, Any]]) -> None:
    """Write a ground truth."""
    lines = [json.dumps(each) + "\n" for each in reviews]
    (run.folder / "ground_truth.jsonl").write_text("".join(lines), encoding="utf-8")


def write_table(run: Any, *rows: str) -> None:
    """Write a vocabulary's table."""
    text = HEADER + "".join(f"{row}\n" for row in rows)
    (run.folder / "vocabulary.txt").write_text(text, encoding="utf-8")


def trial(run: Any, cloud: Any, *options: str) -> Any:
    """A cloud with reviewed recordings and a vocabulary for them."""
    service = cloud(*options)
    service.add(**HEARD_WRONG)
    said = {name: heard.replace("kyle check", "Kowalczyk") for name, heard in HEARD_WRONG.items()}
    write_reviews(
        run, [review(name, said[name], heard, duration=60) for name, heard in HEARD_WRONG.items()]
    )
    write_table(run, "kyle-check\t\t\tKowalczyk")
    run(*APPLY)
    return service
