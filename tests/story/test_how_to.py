"""The how-to pages, typed word by word, and what they show compared.

The nights have tests/story/test_every_night.py, and `push --create` has the real server of
tests/label_studio_server.
"""

from __future__ import annotations

import json
import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.conftest import free_port
from tests.support.documents import is_what_is_shown, typed
from tests.support.small_label_studio import SmallLabelStudio, served
from tools.docs import DOCS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.conftest import Cli
    from tests.support.documents import Typed

HOW_TO = DOCS / "how-to"
AGREED = {"events": ["--yes"], "compare": ["--yes"]}
"""What stands for the answer at a terminal."""

MISSED = {
    "mister Kowalczyk": [*["mr powell to the"] * 6, "mr towel to", "mr cao ultra"],
    "Andorra la Vella": [*["indoor love fella"] * 2, "in dar la bella", "i love ellen"],
    "AWS": [*["o w s"] * 2, "the ws", "ws"],
    "DynamoDB": [*["dynamo g b"] * 2, "dynamo did the", "nine idea"],
}
"""What the vocabulary's page says that the service made of four phrases."""


def commands(page: str, *of: str) -> list[Typed]:
    """What a page has typed, of some commands where they are named."""
    all_ = [each for each in typed(HOW_TO / page) if each.is_run]
    return [each for each in all_ if not of or each.words[1] in of]


def follow(run: Cli, page: Iterable[Typed], mine: Callable[[str], str]) -> list[str]:
    """Type a page's commands; each ends with 0, and prints what the page shows below it."""
    for command in page:
        program, *words = map(mine, command.words)
        if program == "test":  # the shell's
            shell = subprocess.run(["sh", "-c", mine(command.line)], check=False)
            assert shell.returncode == 0, command.line
            continue
        ended = run(*words, *AGREED.get(words[0], []))
        assert ended.code == 0, f"{command.line}\n{ended.err}"
        printed = ended.err + ended.out
        shown = mine(command.shown) or "…"
        assert is_what_is_shown(figureless(shown), figureless(printed)), f"{words}\n{printed}"
    return [each.words[1] for each in page]


def figureless(text: str) -> str:
    """A text without its figures and digests, which are those of the reader's recordings."""
    text = re.sub(r"(?<=-)[0-9a-f]{8}(?=\.jsonl)", "0", text)
    return re.sub(r"\d[\d,.]*(?<!\.)", "0", text)


def in_bucket(word: str) -> str:
    """The same with the bucket that the scripted cloud has."""
    return word.replace("s3://my-bucket/calls/", "s3://audio/").replace("my-bucket", "audio")


@contextmanager
def label_studio(run: Cli) -> Iterator[SmallLabelStudio]:
    """A small Label Studio that the commands know from their environment."""
    labels = SmallLabelStudio()
    with served(labels, run):
        yield labels


@pytest.mark.xdist_group("ministack")
def test_events_are_set_up_and_used_as_the_page_says(run, buckets):
    """The queue is made, its URL is printed, and a run reads it."""
    s3, audio, results = buckets
    s3.put_object(Bucket=audio, Key="calls/a.mp3", Body=b"x")
    setup, begin = commands("events.md")
    queue = re.compile(r"https?://\S+/\d{12}/transcribe-pipeline-events")
    url = ""

    def mine(word: str) -> str:
        word = word.replace("my-bucket/transcripts", f"{results}/t").replace("my-bucket", audio)
        return queue.sub(url or "QUEUE", re.sub("Do it.*\n", "", word))

    made = run(*setup.words[1:], "--yes")
    url = queue.findall(made.out)[0]

    assert made.code == 0
    assert is_what_is_shown(mine(setup.shown), mine(made.err + made.out)), made.err
    assert follow(run, [begin], mine) == ["run"]
    assert len(run.tasks()) == 1
    assert run("events", "remove", "--yes").code == 0


def test_reviews_are_pulled_measured_and_converted_as_the_page_says(run, cloud):
    """Each command prints what the page shows."""
    cloud().add(one="first call", two="second call")
    with label_studio(run) as labels:
        run("run", "s3://audio/")
        run("push", "--project", "1")
        for task in labels.tasks:
            labels.review(task, "my call")
        typed_there = follow(
            run, commands("ground-truth.md"), lambda word: "1" if word == "12" else word
        )

    assert typed_there == ["pull", "quality", "convert"]


def test_tasks_lie_on_s3_as_the_page_says(run, cloud):
    """One run writes them there, a shard continues, and the status of all is told."""
    cloud().add(one="first", two="second")

    assert follow(run, commands("several-machines.md"), in_bucket) == ["run", "run", "status"]
    assert run("status", "--output", "s3://audio/tasks/", "--json").code == 0


def test_transcripts_are_written_as_the_page_says(run, cloud):
    """Files of two formats, none twice, and then into the bucket."""
    cloud().add(one="first", two="second")

    assert follow(run, commands("transcripts.md"), in_bucket) == [
        *("run", "transcripts", "transcripts", "run", "transcripts")
    ]
    assert (run.folder / "texts/one.srt").exists()


def test_a_call_is_found_as_the_page_says(run, cloud):
    """The recording, the time and the words around, as lines, as a number and as JSON."""
    cloud().put("calls/0001.mp3", "good morning what is your order number please")

    assert follow(run, commands("search.md"), in_bucket) == ["run", *["search"] * 4]


def test_metadata_is_carried_along_as_the_page_says(run, cloud):
    """The page's own settings and table make the task that it shows, and the key tells the rest."""
    page = (HOW_TO / "metadata.md").read_text(encoding="utf-8")
    settings, table = (
        re.search(f"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("toml", "csv")
    )
    assert settings
    assert table
    (run.folder / "night.toml").write_text(settings[1], encoding="utf-8")
    (run.folder / "calls.csv").write_text(table[1].replace("calls/", ""), encoding="utf-8")
    service = cloud()
    service.put("meier/2026-11-28/0001.mp3", "first")
    service.put("sato/2026-11-28/0002.mp3", "second")

    assert follow(run, commands("metadata.md"), in_bucket) == ["run", "run"]
    tasks = {task["data"]["agent"]: json.dumps(task["data"]) for task in run.tasks()}
    shown = re.findall(r'`("agent": .*?)` in its', page, re.DOTALL)
    assert [each in tasks["meier"] for each in shown] == [True]
    assert set(tasks) == {"meier", "sato"}


def test_a_team_is_led_as_the_page_says(run, cloud):
    """The project is filled, pulled from, measured and converted by the page's own commands."""
    cloud().add(one="first call", two="second call")
    with label_studio(run) as labels:
        run("run", "s3://audio/")
        fill, *others = commands("review-team.md")
        assert follow(run, [fill], lambda word: word.replace("12", "1")) == ["push"]
        for task in labels.tasks:
            labels.review(task, "as it was said")
        assert follow(run, others, lambda word: word.replace("12", "1")) == [
            *("pull", "quality", "quality", "convert")
        ]

    assert labels.settings == {"maximum_annotations": 2, "overlap_cohort_percentage": 10}
    assert (run.folder / "quality.html").exists()


def test_tasks_are_exported_as_the_page_says(run, cloud):
    """Both formats have the names that the page shows."""
    cloud().add(one="first")
    run("run", "s3://audio/")

    assert follow(run, commands("label-studio.md", "export"), str) == ["export", "export"]


def test_a_run_is_watched_as_the_page_says(run, cloud):
    """Metrics and heartbeat are where the page puts them, and its probe finds the run alive."""
    cloud().add(one="first")
    folder, port = str(run.folder), str(free_port())
    places = re.compile(r"/var/lib/node_exporter/textfile|/run/transcribe-pipeline")

    def mine(word: str) -> str:
        return places.sub(folder, in_bucket(word)).replace("9464", port)

    assert follow(run, commands("monitoring.md"), mine) == ["run", "-n"]
    assert (run.folder / "calls.prom").stat().st_size > 0


def test_a_vocabulary_is_built_applied_and_compared_as_the_page_says(run, cloud):
    """Four phrases that were missed become the table that the page shows, and a run uses it."""
    service = cloud()
    truth: list[str] = []
    for name, heard_as in MISSED.items():
        for heard in heard_as:
            key = f"{len(truth)}.mp3"
            now = name if len(truth) % 5 else heard  # with the vocabulary, one in five is missed
            service.put(key, f"please call {now} today")
            truth.append(reviewed(key, f"please call {name} today", f"please call {heard} today"))
    (run.folder / "ground_truth.jsonl").write_text("".join(truth), encoding="utf-8")
    (run.folder / "other.toml").write_text('[transcribe]\nlanguage = "en-GB"\n')
    (run.folder / "whisper").mkdir()
    (run.folder / "whisper" / "0.json").write_text('{"text": "please call Andorra today"}')

    assert follow(run, commands("vocabulary.md"), in_bucket) == [
        *("vocabulary", "vocabulary", "compare", "run", "compare", "compare")
    ]
    page = (HOW_TO / "vocabulary.md").read_text(encoding="utf-8")
    [shown] = re.findall("```text\n(.*?)```", page, re.DOTALL)
    known = run("compare", "s3://audio/", "--vocabulary", "calls")
    assert is_what_is_shown(shown, known.out), known.out


def reviewed(key: str, said: str, heard: str) -> str:
    """A line of the ground truth."""
    line = {"audio": f"s3://audio/{key}", "source": "reviewed", "text": said, "predicted": heard}
    return json.dumps(line) + "\n"


def test_every_page_with_commands_has_its_test():
    """A page of commands that nobody types could say anything."""
    pages = {path.name for path in HOW_TO.glob("*.md") if typed(path)}

    assert pages == {
        *("events.md", "ground-truth.md", "label-studio.md", "monitoring.md", "vocabulary.md"),
        "review-team.md",
        *("metadata.md", "nightly-runs.md", "search.md", "several-machines.md"),
        "transcripts.md",
        "tables.md",  # of tests/tables
    }
