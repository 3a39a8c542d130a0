"""The figures over all reviews: counted, printed, drawn."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.ground_truth.record import GroundTruth, ReviewedPart, Segment
from pipeline.quality.error_rate import Counts
from pipeline.quality.html_report import page
from pipeline.quality.json_report import as_facts
from pipeline.quality.metrics import Sums, prefix, sums_of
from pipeline.quality.text_report import in_words
from tests.support.hostile import poisoned
from tests.support.reviews import DAY, THREE, measure, review

if TYPE_CHECKING:
    from pathlib import Path


def segment(said: str, heard: str | None, speaker: str = "spk_0", start: float = 0.0) -> Segment:
    return Segment(start=start, end=start + 1, text=said, predicted=heard, speaker=speaker)


def write(path: Path, lines: list[GroundTruth]) -> None:
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


def test_the_error_rate_is_that_of_a_hand():
    """By hand: five errors in ten words, one substituted, three inserted and one deleted."""
    quality = measure(THREE)

    assert quality.total.words == Counts(hits=8, substitutions=1, insertions=3, deletions=1)
    assert quality.total.words.rate == 5 / 10
    assert (quality.total.reviews, quality.total.unchanged) == (3, 0)
    assert quality.total.milliseconds == 180_000


@given(st.lists(st.integers(0, 3), min_size=7, max_size=7).map(sorted))
def test_the_sums_of_parts_merge_into_those_of_all(parts):
    """However the lines are cut: no figure differs, and an empty part adds nothing."""
    lines = [
        *THREE,
        review("he said yes", "she said yes", language="de-DE", reviewer="carl", audit=True),
        replace(THREE[3], audio="s3://b/calls/waits.mp3", audit=True, score=0.5),
    ]
    of_part: list[list[GroundTruth]] = [[] for _ in range(4)]
    for part, line in zip(parts, lines, strict=True):
        of_part[part].append(line)

    merged = Sums(1, {"ben"})
    for each in of_part:
        merged.merge(sums_of(each, 1, {"ben"}))

    assert merged.quality() == measure(lines, 1, {"ben"})
    assert merged.quality().audit is not None


def test_what_nobody_reviewed_is_never_counted():
    """Lines taken without a review, and reviews without a prediction, are only said to be there."""
    quality = measure(THREE)

    assert (quality.auto, quality.unpredicted) == (1, 1)
    assert quality.total.reviews == 3
    assert "0.98-1.00" not in quality.groups["score"]


def test_groups_are_by_what_the_line_says():
    """Each review counts once under each of its language, prefix, score and reviewer."""
    groups = measure(THREE).groups

    assert {name: figures.reviews for name, figures in groups["reviewer"].items()} == {
        "anna": 1,
        "ben": 2,
    }
    assert groups["reviewer"]["anna"].words.rate == 1 / 4
    assert list(groups["prefix"]) == ["s3://b/calls/", "s3://b/other/"]
    assert list(groups["score"]) == ["0.00-0.50", "0.80-0.85", "0.90-0.95"]
    assert groups["language"]["en-US"].words == measure(THREE).total.words


def test_speakers_are_told_apart():
    """By hand: one of two words of spk_0 was wrong, none of spk_1's, who was first called spk_0."""
    moved = msgspec.structs.replace(
        segment("yes please", "yes please", "spk_1", 1), predicted_speaker="spk_0"
    )
    line = review("hello anna yes please", "hello hanna yes please")
    line = msgspec.structs.replace(line, segments=(segment("hello anna", "hello hanna"), moved))

    speakers = measure([line]).groups["speaker"]

    assert {name: figures.words.rate for name, figures in speakers.items()} == {
        "spk_0": 1 / 2,
        "spk_1": 0.0,
    }
    assert speakers["spk_0"].milliseconds == 1000


def test_merging_segments_is_no_error():
    """What was heard in a deleted segment was heard, if its words stand in another now."""
    line = msgspec.structs.replace(
        review("one two three", "one two three"),
        segments=(segment("one two three", "one", start=0),),
        deleted=(segment("", "two", start=1), segment("", "three", start=2)),
    )

    assert measure([line]).groups["speaker"]["spk_0"].words == Counts(hits=3)


def test_languages_without_spaces_count_by_characters():
    """A Japanese review adds no words; it is counted by character."""
    quality = measure([review("今日は雨", "今日は雪", language="ja-JP"), *THREE])

    assert quality.total.words == measure(THREE).total.words
    assert quality.groups["language"]["ja-JP"].words.rate is None
    assert quality.groups["language"]["ja-JP"].characters.rate == 1 / 4
    assert as_facts(quality)["by"]["language"]["ja-JP"]["wer"] is None


@pytest.mark.parametrize(
    ("audio", "depth", "expected"),
    [
        ("s3://b/calls/2026/a.mp3", 1, "s3://b/calls/"),
        ("s3://b/calls/2026/a.mp3", 2, "s3://b/calls/2026/"),
        ("s3://b/calls/2026/a.mp3", 9, "s3://b/calls/2026/"),
        ("s3://b/calls/2026/a.mp3", 0, "s3://b/"),
        ("s3://b/a.mp3", 1, "s3://b/"),
        ("s3://b//x/../a?b#c.mp3", 3, "s3://b//x/../"),
        ("s3://b", 1, "s3://b/"),
    ],
)
def test_a_prefix_is_the_first_folders_of_a_key(audio, depth, expected):
    """Keys are taken as they are written, whatever a URL would mean by them."""
    assert prefix(audio, depth) == expected


lines = st.lists(
    st.builds(
        lambda said, heard, more: review(said, heard, **more),
        st.text("ab ", max_size=7),
        st.none() | st.text("ab ", max_size=7),
        st.fixed_dictionaries(
            {
                "score": st.none() | st.sampled_from([0.2, 0.91, 0.97]),
                "language": st.sampled_from([None, "en-US", "zh-CN"]),
                "reviewer": st.sampled_from([None, "anna", "ben"]),
                "duration": st.none() | st.floats(0, 1e5),
            }
        ),
    ),
    max_size=8,
)


@given(lines, st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_nothing(reviewed, randoms):
    """Every figure is the same in whatever order the lines stand."""
    shuffled = reviewed.copy()
    randoms.shuffle(shuffled)

    assert measure(shuffled) == measure(reviewed)


@given(lines)
def test_groups_add_up_to_the_total(reviewed):
    """By language, prefix, score or reviewer: together the groups have what the total has."""
    quality = measure(reviewed)

    for name in ("language", "prefix", "score", "reviewer"):
        groups = quality.groups[name].values()
        assert sum((each.words for each in groups), Counts()) == quality.total.words
        assert sum(each.reviews for each in groups) == quality.total.reviews
        assert sum(each.milliseconds for each in groups) == quality.total.milliseconds


@given(lines)
def test_whatever_was_reviewed_is_shown_in_every_form(reviewed):
    """Words, JSON and page are made of any figures: none reviewed, one, nothing said, no length."""
    quality = measure(reviewed)

    assert json.loads(json.dumps(as_facts(quality)))["total"]["reviews"] == quality.total.reviews
    assert "".join(in_words(quality)).isprintable()
    assert page(quality, DAY).endswith("</html>\n")


def test_the_command_prints_what_was_measured(run):
    """The terminal has the rates, the groups, the confusions and the advice."""
    write(run.folder / "ground_truth.jsonl", THREE)

    outcome = run("quality")

    assert (outcome.code, outcome.err) == (0, "")
    assert "Not counted: 1 taken without a review (auto)\n" in outcome.out
    assert "WER:     50.0 % of 10 words: 1 substituted, 3 inserted, 1 deleted\n" in outcome.out
    assert re.search(r"\nben +2 +66\.7 % ", outcome.out)
    assert re.search(r"\ncat +hat +1\n", outcome.out)
    assert "No score tells where errors are" in outcome.out


def test_the_command_prints_json(run):
    """--json is one line with every figure and computed rate."""
    write(run.folder / "g.jsonl", THREE)

    outcome = run("quality", "--ground-truth", "g.jsonl", "--json")

    assert outcome.out.count("\n") == 1
    facts = outcome.summary
    assert (facts["total"]["wer"], facts["total"]["hours"]) == (0.5, 0.05)
    assert facts["total"]["words"] == {
        "reference": 10,
        "hits": 8,
        "substitutions": 1,
        "insertions": 3,
        "deletions": 1,
    }
    assert {"said": "cat", "heard": "hat", "count": 1, "tasks": []} in facts["confusions"]
    assert set(facts["by"]) == {"language", "speaker", "prefix", "score", "reviewer"}


@pytest.mark.parametrize("there", [[], THREE[3:]])
def test_nothing_reviewed_yet_is_said(run, there):
    """A file without a review ends well, and says so in every form."""
    write(run.folder / "ground_truth.jsonl", there)

    assert "Nothing is reviewed yet" in run("quality").out
    facts = run("quality", "--json", "--html", "q.html").summary
    assert (facts["total"]["wer"], facts["threshold"]) == (None, None)
    assert "Nothing is reviewed yet" in (run.folder / "q.html").read_text()


def test_no_ground_truth_is_named(run):
    """Without a file the command says which one makes it, and ends with 2."""
    outcome = run("quality")

    assert outcome.code == 2
    assert "There is no ground truth ground_truth.jsonl" in outcome.err


class Addresses(HTMLParser):
    """What a page would load or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember what the tag is, and what it names."""
        self.tags.add(tag)
        self.found += [name for name, _ in attrs if name in ("src", "href", "onload", "style")]


def test_the_page_needs_nothing_else(run):
    """One file with plots for light and dark: no script, no address, nobody else may read it."""
    write(run.folder / "ground_truth.jsonl", THREE)

    run("quality", "--html", "q.html")

    path = run.folder / "q.html"
    parsed = Addresses(path.read_text(encoding="utf-8"))
    assert parsed.found == []
    assert {"svg", "table"} <= parsed.tags
    assert not parsed.tags & {"script", "link", "img", "iframe"}
    assert "prefers-color-scheme: dark" in path.read_text(encoding="utf-8")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_page_never_takes_the_place_of_the_ground_truth(run):
    """A page named like the file that is measured is refused, and the file is as it was."""
    write(run.folder / "ground_truth.jsonl", THREE)
    before = (run.folder / "ground_truth.jsonl").read_bytes()

    outcome = run("quality", "--html", "ground_truth.jsonl")

    assert (outcome.code, outcome.out) == (2, "")
    assert before == (run.folder / "ground_truth.jsonl").read_bytes()


def test_words_and_names_are_no_markup():
    """Transcripts, keys and reviewers are shown as they are, and run nowhere."""
    bad = "<script>alert(1)</script>"
    line = review(f"{bad} {'$<b>'}", "x", audio=f"s3://b/{bad}/a.mp3", reviewer=bad, language=bad)
    line = msgspec.structs.replace(line, segments=(segment("a", "b", bad),))

    assert "script" not in Addresses(page(measure([line]), DAY)).tags
    assert not Addresses(page(poisoned(measure(THREE)), DAY)).tags & {"script", "img"}


def test_a_confusion_in_a_part_leads_to_the_task_of_the_part():
    """A long recording is several tasks: the first in which the words were confused."""
    heard = [("a", "a"), ("cat", "hat"), ("cat", "hat"), ("dog", "fog")]
    segments = tuple(segment(*words, start=10.0 * n) for n, words in enumerate(heard))
    parts = tuple(
        ReviewedPart(start=10.0 * n, end=10.0 * n + 10, task_id=n + 1) for n in range(len(heard))
    )
    said, predicted = (" ".join(words) for words in zip(*heard, strict=True))
    server = "https://labels.example.com/projects/7"

    quality = measure(
        [review(said, predicted, segments=segments, parts=parts, project=server, task_id=1)]
    )

    made = [(words.reference, count) for words, count in quality.confusions]
    assert made == [("cat", 2), ("dog", 1)]
    assert quality.places == [[f"{server}/data?task=2"], [f"{server}/data?task=4"]]


def test_a_confusion_leads_to_its_tasks(run):
    """The page links each confusion to tasks where it was made, the first three; JSON has them."""
    server = "https://labels.example.com/projects/7"
    lines = [
        review("the cat", "the hat", audio=f"s3://b/{n}.mp3", project=server, task_id=n)
        for n in (4, 2, 3, 5)
    ]
    write(run.folder / "ground_truth.jsonl", lines)

    facts = run("quality", "--json", "--html", "q.html").summary
    text = (run.folder / "q.html").read_text()

    [confusion] = facts["confusions"]
    assert confusion["tasks"] == [f"{server}/data?task={n}" for n in (2, 3, 4)]
    for each in (*confusion["tasks"], server):
        assert f'href="{each}"' in text
    assert measure([review("a", "b", project="javascript:x", task_id=1)]).places == [[]]
