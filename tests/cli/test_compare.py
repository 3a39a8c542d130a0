"""Other settings, and other engines, held to what reviewers said."""

from __future__ import annotations

import json

import pytest

from tests.support.trials import HEARD_WRONG, trial

pytestmark = pytest.mark.usefixtures("in_this_process")

COMPARE = ("compare", "s3://audio/")
EVERY = ("--sample", "0", "--yes", "--json")


@pytest.fixture
def reviewed(run, cloud):
    """A cloud with seven recordings of which each review is known; what was said by name."""
    trial(run, cloud)
    return {name: heard.replace("kyle check", "Kowalczyk") for name, heard in HEARD_WRONG.items()}


def test_other_settings_have_a_trial_of_their_own(run, reviewed):
    """What a settings file says is tried, beside the vocabulary's trial; again costs nothing."""
    (run.folder / "c.toml").write_text('[transcribe]\nlanguage = "en-GB"\n')

    first = run(*COMPARE, *EVERY, "--config", "c.toml")
    again = run(*COMPARE, "--sample", "0", "--json", "--config", "c.toml")
    other = run(*COMPARE, "--sample", "0", "--json", "--language", "en-US")

    assert first.code == 0, first.err
    assert first.summary["recordings"] == len(reviewed)
    assert first.summary["verdict"] == "too few recordings to tell"
    assert again.out == first.out
    assert other.code == 2, "another language has jobs of its own, to which nobody agreed"
    assert "Agree to the cost with --yes" in other.err


@pytest.mark.parametrize("suffix", ["txt", "json", "ctm"])
def test_another_engine_is_compared_by_its_files(run, reviewed, suffix):
    """No job is started: its files are read, and each error counted against the review."""
    forms = {
        "txt": lambda text: text,
        "json": lambda text: json.dumps({"text": text, "segments": [{"text": "not this"}]}),
        "ctm": lambda text: "".join(f"a 1 0.0 0.1 {word} 0.9\n" for word in text.split()),
    }
    (run.folder / "other").mkdir()
    for name, said in list(reviewed.items())[1:]:
        (run.folder / "other" / f"{name}.{suffix}").write_text(forms[suffix](said))

    outcome = run(*COMPARE, "--from", "other", "--json")

    assert outcome.code == 0, outcome.err
    assert "1 reviewed recording has no transcript in other" in outcome.err
    assert outcome.summary["after"]["errors"] == 0
    assert outcome.summary["before"]["errors"] > 0
    assert outcome.summary["recordings"] == len(reviewed) - 1
    assert not (run.folder / "compare").exists()


def test_another_engine_is_compared_in_one_language_where_it_is_named(run, reviewed):
    """Reviews in others do not count, whatever vocabulary the settings name."""
    path = run.folder / "ground_truth.jsonl"
    first, *others = path.read_text().splitlines(keepends=True)
    path.write_text("".join([first.replace("{", '{"language": "de-DE", ', 1), *others]))
    (run.folder / "other").mkdir()
    for name, said in reviewed.items():
        (run.folder / "other" / f"{name}.txt").write_text(said)
    run.use(TRANSCRIBE_PIPELINE_VOCABULARY="calls")

    every = run(*COMPARE, "--from", "other", "--json").summary
    english = run(*COMPARE, "--from", "other", "--json", "--language", "en-GB").summary

    assert every["recordings"] == len(reviewed)
    assert english["recordings"] == len(reviewed) - 1


def test_a_file_that_cannot_be_read_keeps_no_other_from_being_compared(run, reviewed):
    """It is named, counted and left out, and the exit code says that something is missing."""
    other = run.folder / "other"
    other.mkdir()
    for name, said in reviewed.items():
        (other / f"{name}.txt").write_text(said)
    (other / "r0.txt").write_bytes(b"\xff\xfe")
    (other / "r1.json").write_text('{"text": "by another file"}')

    outcome = run(*COMPARE, "--from", "other", "--json")

    assert outcome.code == 1
    assert "other/r0.txt can't be read" in outcome.err
    assert "1 file in other can't be read; its recording is left out." in outcome.err
    assert "have no transcript" not in outcome.err
    assert "1 recording has several files in other, of which one is read: other/r1.json" in (
        outcome.err
    )
    assert outcome.summary["recordings"] == len(reviewed) - 1
    assert outcome.summary["unreadable"] == 1


def test_a_language_without_spaces_is_counted_in_characters(run, reviewed):
    """Of the reviews' own language, whichever the settings name."""
    path = run.folder / "ground_truth.jsonl"
    path.write_text(path.read_text().replace("{", '{"language": "ja-JP", '))
    (run.folder / "other").mkdir()
    for name, said in reviewed.items():
        (run.folder / "other" / f"{name}.txt").write_text(said)

    assert "CER of 7 recordings" in run(*COMPARE, "--from", "other").out


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.txt", "of another recording", "has no transcript of the 7 reviewed recordings"),
        ("{}.json", '{"words": 7}', "holds no transcript"),
        ("{}.json", '{"text": ', "can't be read"),
        ("{}.txt", b"\xff\xfe", "can't be read"),
    ],
)
def test_files_that_are_no_transcripts_are_named(run, reviewed, name, content, said):
    """One sentence says which file, and what is wrong with it."""
    path = run.folder / "other" / name.format(next(iter(reviewed)))
    path.parent.mkdir()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    outcome = run(*COMPARE, "--from", "other")

    assert outcome.code == 2
    assert said in outcome.err
    assert "Traceback" not in outcome.err
