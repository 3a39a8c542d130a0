"""Real speech, offline: the bundled recordings through the recogniser to tasks."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest

from tests.conftest import RECORDINGS

pytestmark = pytest.mark.timeout(120)

TRUTH: dict[str, str | None] = json.loads((RECORDINGS / "texts.json").read_text(encoding="utf-8"))
MOST_ERRORS = 0.35


def word_error_rate(truth: str, heard: str) -> float:
    """Word edits (substitutions, insertions, deletions) per word of the truth."""
    reference, words = truth.lower().split(), heard.lower().split()
    row = list(range(len(words) + 1))
    for i, expected in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, word in enumerate(words, 1):
            substituted = diagonal + (expected != word)
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, substituted)
    return row[-1] / len(reference)


@pytest.fixture
def heard(run, recordings):
    """The outcome of a run over the bundled recordings, and its tasks by file name."""
    outcome = run("run", recordings, "--json")
    tasks = {
        unquote(task["data"]["audio"]).partition(f"{recordings}/")[2]: task for task in run.tasks()
    }
    return outcome, tasks


def test_bundled_recordings_are_heard_as_they_were_spoken(heard):
    """Every clear clip is recognised; silence is flagged; the broken file fails with a reason."""
    outcome, tasks = heard
    texts = {
        name: task["predictions"][0]["result"][0]["value"]["text"][0]
        for name, task in tasks.items()
    }

    assert outcome.code == 1
    assert outcome.summary["failures"] == {"not valid media": 1}
    assert texts.keys() == {name for name, text in TRUTH.items() if text is not None}
    rates = {name: word_error_rate(text, texts[name]) for name, text in TRUTH.items() if text}
    assert len(rates) >= 10
    assert max(rates.values()) <= MOST_ERRORS, rates
    silent = [name for name, task in tasks.items() if task["meta"].get("silent")]
    assert silent == [name for name, text in TRUTH.items() if text == ""]


def test_word_error_rate_counts_edits():
    """Two of four words wrong is one half; an insertion counts too."""
    assert word_error_rate("a b c d", "a x c") == 0.5
    assert word_error_rate("a b", "a b c d") == 1.0
