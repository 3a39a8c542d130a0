"""Real speech, offline: the bundled recordings through the recogniser to tasks."""

from __future__ import annotations

import json
import re
from textwrap import indent
from urllib.parse import unquote

import pytest

from tests.conftest import RECORDINGS
from tools.docs import blocks

pytestmark = pytest.mark.timeout(120)

TRUTH: dict[str, str | None] = json.loads((RECORDINGS / "texts.json").read_text(encoding="utf-8"))
MOST_ERRORS = 0.35
NUMBER = re.compile(r"\d+")
NOT_SHOWN = ("monday", "tuesday", "calls/manager.flac", "calls/two-channels.flac")


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


@pytest.mark.parametrize("left_out", [NOT_SHOWN, pytest.param((), marks=pytest.mark.long)])
def test_bundled_recordings_are_heard_as_they_were_spoken(run, recordings, left_out):
    """Every clear clip is recognised, silence is flagged, the broken file fails with a reason."""
    truth = {name: text for name, text in TRUTH.items() if not name.startswith(left_out)}
    without = (word for name in left_out for word in ("--exclude", f"{name}*"))
    outcome = run(
        "run", recordings, *without, "--transcripts", "texts", "--transcript-format", "srt"
    )
    names = {uri: unquote(uri).partition(f"{recordings}/")[2] for uri in run.texts()}
    heard = {names[uri]: text for uri, text in run.texts().items()}
    silent = [task["data"]["audio"] for task in run.tasks() if task["meta"].get("silent")]
    rates = {name: word_error_rate(text, heard[name]) for name, text in truth.items() if text}

    assert outcome.code == 1
    assert [failure["reason"] for failure in run.failures()] == ["not valid media"]
    assert heard.keys() == {name for name, text in truth.items() if text is not None}
    assert len(rates) >= 6
    assert max(rates.values()) <= MOST_ERRORS, rates
    assert [names[uri] for uri in silent] == [n for n, text in truth.items() if text == ""]
    shown = blocks()["demo"]
    if left_out:  # then fewer are counted
        assert NUMBER.sub("", plain(shown)).startswith(NUMBER.sub("", plain(outcome.err)))
    else:
        assert plain(shown).startswith(plain(outcome.err)), "the README shows another demo"
    texts = re.findall(r"^  \S.* +[01]\.\d\d  (.*)$", shown, re.MULTILINE)
    assert set(texts) <= set(heard.values())
    assert len(texts) == 6
    subtitles = (run.folder / "texts/calls/cancelled-order.srt").read_text(encoding="utf-8")
    assert indent(subtitles, "  ") in shown
    assert indent(run("search", "money back").out, "  ") in shown


def plain(text: str) -> str:
    """What a run over the recordings says, without times, places and what a busy machine adds."""
    text = re.sub(r"Limit: .*\n", "", text.replace(".venv/bin/", ""))
    text = re.sub(r"Done in \d+ s|\S*tasks(\.failures)?\.jsonl", "…", text)
    text = re.sub(r"Skipped: .*\n|\d+ skipped( of \d+ listed)?|Balance: .*\n", "", text)
    return re.sub(r"\s+", " ", text)


def test_word_error_rate_counts_edits():
    """Two of four words wrong is one half; an insertion counts too."""
    assert word_error_rate("a b c d", "a x c") == 0.5
    assert word_error_rate("a b", "a b c d") == 1.0
