"""Training data from a ground truth and the tasks of a run."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import RECORDINGS

if TYPE_CHECKING:
    from tests.conftest import Cli

FOLDER = str(RECORDINGS)


def reviewed(run: Cli, *keys: str, **more: Any) -> None:
    """Have reviews of recordings of a bucket."""
    lines = [
        {"audio": f"s3://calls/{key}", "source": "reviewed", "text": "what was said", **more}
        for key in keys
    ]
    (run.folder / "ground_truth.jsonl").write_text("".join(f"{json.dumps(e)}\n" for e in lines))


def texts(run: Cli, *flags: str) -> dict[str, str]:
    """What each recording says in the dataset."""
    flags = ("--recordings", FOLDER, "--dev", "0", "--test", "0", *flags)
    outcome = run("convert", "datasets", *flags)
    assert outcome.code == 0, outcome.err
    rows = (run.folder / "datasets/train.jsonl").read_text().splitlines()
    return {row["recording"]: row["text"] for row in map(json.loads, rows)}


def test_what_has_no_file_is_told_and_the_others_are_written(run):
    """A recording that was not copied is named, and the command ends with 1."""
    reviewed(run, "calls/invoice.wav", "calls/gone.wav", "texts.json")

    outcome = run("convert", "lhotse", "--recordings", FOLDER)

    assert outcome.code == 1
    assert "2 recordings have no file of audio" in outcome.err
    assert "s3://calls/calls/gone.wav" in outcome.err
    assert json.loads((run.folder / "lhotse/splits.json").read_bytes())["recordings"]["train"] == 1


def test_a_wrong_folder_of_recordings_replaces_nothing(run, tmp_path):
    """Where no recording at all has a file, what was written before stays."""
    reviewed(run, "calls/invoice.wav")
    before = texts(run)

    outcome = run("convert", "datasets", "--recordings", str(tmp_path / "wrong"))

    assert outcome.code == 2
    assert f"None of 1 recording has a file of audio below {tmp_path}/wrong" in outcome.err
    rows = (run.folder / "datasets/train.jsonl").read_text().splitlines()
    assert {json.loads(row)["recording"] for row in rows} == set(before)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ((), "is in a bucket, and length, rate and channels are read off a file here"),
        (("--recordings", FOLDER, "--dev", "0.6", "--test", "0.6"), "more than all"),
    ],
)
def test_what_can_not_be_split_is_refused(run, flags, says):
    """And nothing is written."""
    reviewed(run, "calls/invoice.wav")

    outcome = run("convert", "kaldi", *flags)

    assert outcome.code == 2
    assert says in outcome.err
    assert not list(run.folder.glob("kaldi/**/text"))


def test_recordings_that_have_not_what_keeps_together_are_counted(run):
    """Each stands alone, and it is said how many do."""
    reviewed(run, "calls/invoice.wav", metadata={"agent": "meier"})

    outcome = run("convert", "datasets", "--recordings", FOLDER, "--keep-together", "customer")

    assert outcome.code == 0
    assert "1 recording has no 'customer': each stands alone." in outcome.err


def test_roles_keep_no_recordings_together(run):
    """Recordings whose speakers are only called Agent and Customer are split one by one."""
    keys = ("invoice.wav", "manager.flac", "call-back.webm", "two-channels.flac")
    said = [{"start": 0, "end": 1, "text": "said", "speaker": label} for label in ("ch_0", "ch_1")]
    reviewed(run, *(f"calls/{key}" for key in keys), segments=said)
    (run.folder / "roles.toml").write_text(
        '[label_studio]\nspeakers = {ch_0 = "Agent", ch_1 = "Customer"}\n'
    )
    flags = ("--recordings", FOLDER, "--config", "roles.toml", "--keep-together", "speaker")

    outcome = run("convert", "kaldi", *flags, "--dev", "0.5", "--test", "0")

    assert outcome.code == 0
    speakers = [
        len((run.folder / f"kaldi/{side}/spk2utt").read_text().splitlines())
        for side in ("train", "dev")
    ]
    assert sum(speakers) == 8
    assert all(speakers)
    assert "No recording" not in outcome.err


def test_a_side_that_stays_empty_is_told(run):
    """One recording is on one side, and the others that were asked for are named."""
    reviewed(run, "calls/invoice.wav")

    outcome = run("convert", "datasets", "--recordings", FOLDER, "--dev", "0.999", "--test", "0")

    assert outcome.code == 0
    assert "No recording is in train: there are too few" in outcome.err


def test_a_line_break_in_a_key_is_no_line_of_kaldis(run, tmp_path):
    """The recording is left out of every file and named; other formats take it."""
    odd = "odd\nkey.wav"
    for key in (odd, "plain.wav"):
        shutil.copy(RECORDINGS / "calls/invoice.wav", tmp_path / key)
    reviewed(run, odd, "plain.wav")
    flags = ("--recordings", str(tmp_path), "--dev", "0", "--test", "0")

    kaldi, lhotse = run("convert", "kaldi", *flags), run("convert", "lhotse", *flags)

    assert (kaldi.code, lhotse.code) == (1, 0)
    assert "1 recording has a line break in the name" in kaldi.err
    assert "odd\\nkey.wav" in kaldi.err
    for name in ("wav.scp", "reco2dur", "segments", "text", "utt2spk", "spk2utt"):
        assert len((run.folder / f"kaldi/train/{name}").read_text().split("\n")) == 2
    assert len((run.folder / "lhotse/train/recordings.jsonl").read_text().splitlines()) == 2


def test_unreviewed_transcripts_are_added_from_a_score_on(run, recordings):
    """A review takes the place of the transcript, and what is less certain is left out."""
    run("run", recordings, "--include", "calls/*-order.mp3", "--include", "calls/invoice.wav")
    scores = {task["data"]["recording"]: task["predictions"][0]["score"] for task in run.tasks()}
    uris = {task["data"]["recording"]: task["data"]["audio"] for task in run.tasks()}
    sure = "calls/cancelled-order.mp3"
    assert scores["calls/invoice.wav"] < 0.9 < scores[sure]

    alone = texts(run, "--unreviewed", "0.9")
    everything = texts(run, "--unreviewed", "0")
    line = {"audio": uris[sure], "source": "reviewed", "text": "reviewed"}
    (run.folder / "ground_truth.jsonl").write_text(f"{json.dumps(line)}\n")
    with_review = texts(run, "--unreviewed", "0")

    assert set(alone) == {uris[sure]}
    assert set(everything) == set(with_review) == set(uris.values())
    assert with_review[uris[sure]] == "reviewed" != everything[uris[sure]]
    assert texts(run) == {uris[sure]: "reviewed"}

    lines = [
        {**line, "source": "auto", "text": "certified", "score": scores[sure]},
        {"audio": "s3://calls/calls/manager.flac", "source": "auto", "text": "said", "score": 0.84},
        {"audio": "s3://calls/calls/call-back.webm", "source": "auto", "text": "ok", "score": 0.9},
    ]
    (run.folder / "ground_truth.jsonl").write_text("".join(f"{json.dumps(e)}\n" for e in lines))
    assert set(texts(run, "--unreviewed", "0.9")) == {uris[sure], lines[2]["audio"]}
    assert texts(run, "--reviewed", "--unreviewed", "0.9") == alone
