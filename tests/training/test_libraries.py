"""Training data and transcripts as Lhotse, Hugging Face's datasets and pysubs2 read them."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import RECORDINGS, ROOT, clean_environment

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = ROOT / ".venv-training" / "bin" / "python"
INSIDE = ROOT / "tests" / "training" / "inside.py"
CALLS = ("account-number.m4a", "cancelled-order.mp3", "empty-box.ogg", "invoice.wav")


@pytest.fixture
def training(run) -> Path:
    """The ground truth of 24 recordings of six customers, in a folder to convert it in."""
    lines = [
        {
            "audio": f"s3://calls/{n}/{CALLS[n % 4]}",
            "source": "reviewed",
            "text": "first second",
            "language": "en-US",
            "metadata": {"customer": n % 6 if n % 2 else str(n % 6)},
            "segments": [
                {"start": 0.1, "end": 1.2, "text": f"[noise] “first” {n}", "speaker": "Änna"},
                {"start": 1.2, "end": 99, "text": "sécond", "speaker": "spk_1", "channel": 0},
                {"start": 1.3, "end": 1.4, "text": "[inaudible]", "speaker": "spk_1"},
            ],
        }
        for n in range(24)
    ]
    for n in range(24):
        (run.folder / f"audio/{n}").mkdir(parents=True)
        (run.folder / f"audio/{n}/{CALLS[n % 4]}").symlink_to(RECORDINGS / "calls" / CALLS[n % 4])
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (run.folder / "ground_truth.jsonl").write_text(text, encoding="utf-8")
    found: Path = run.folder
    return found


def converted(run, wanted: str, *more: str) -> Any:
    """What the library reads of the data in this format."""
    flags = (
        "--recordings",
        "audio",
        "--keep-together",
        "customer",
        "--dev",
        "0.25",
        "--test",
        "0.25",
    )
    outcome = run("convert", wanted, *flags, *more)
    assert outcome.code == 0, outcome.err
    return read(run, wanted)


def read(run, wanted: str) -> Any:
    """What the libraries read of this folder."""
    done = subprocess.run(
        [PYTHON, INSIDE, wanted, run.folder / wanted],
        env=clean_environment(HF_HUB_OFFLINE="1", HF_HOME=str(run.folder / "home")),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("wanted", ["lhotse", "kaldi"])
def test_lhotse_reads_and_validates_every_side(run, training, wanted):
    """Every recording is on one side, as long as its file, with all that is said in it."""
    found = converted(run, wanted)

    recordings = [each for side in found.values() for each in side["recordings"]]
    assert len(recordings) == len(set(recordings)) == 24
    assert sum(len(side["supervisions"]) for side in found.values()) == 48
    assert all(side["of_cuts"] == len(side["supervisions"]) > 0 for side in found.values())
    assert {
        text.split()[0] for side in found.values() for *_, text in side["supervisions"].values()
    } == {
        "“first”",
        "sécond",
    }
    lengths = {round(each, 1) for side in found.values() for each in side["recordings"].values()}
    assert lengths == {2.7, 3.0, 3.2, 3.5}


def test_hugging_face_loads_the_folder(run, training):
    """Every side is a split with the columns that the card promises, whatever metadata is."""
    found = converted(run, "datasets")

    rows = {name: split["rows"] for name, split in found.items()}
    sides = {
        (str(json.loads(row["metadata"])["customer"]), name) for name in rows for row in rows[name]
    }
    assert sum(map(len, rows.values())) == 48
    assert set(rows) == {"train", "dev", "test"}
    assert len(sides) == 6
    assert {name: split["types"] for name, split in found.items()}["dev"]["start"] == "float64"


def test_a_side_without_a_recording_is_no_split(run, training):
    """All three formats are read where everything is for training."""
    nothing = ("--dev", "0", "--test", "0")

    assert set(converted(run, "datasets", *nothing)) == {"train"}
    for wanted in ("lhotse", "kaldi"):
        found = converted(run, wanted, *nothing)
        assert {name: len(side["recordings"]) for name, side in found.items()} == {"train": 24}


def test_files_of_transcripts_have_the_words_and_times_of_their_results(run, cloud):
    """In srt and vtt by pysubs2, csv and json by datasets, rttm and ctm by Lhotse."""
    service = cloud()
    spoken = {"first": 'ünd "so", 漢字 =1+1', "second": "the quick brown fox jumps over the dog"}
    service.add(**spoken)
    results = ("--results", "s3://audio/transcripts/")
    run("run", "s3://audio/", *results)
    run("transcripts", "--to", "transcripts/", "--format", "srt,vtt,csv,json,rttm,ctm")

    found = read(run, "transcripts")

    assert set(found) == set(spoken)
    for task in run.tasks():
        result = service.folder / "transcripts" / f"{task['data']['job_id']}.json"
        heard = json.loads(result.read_bytes())["results"]
        words, segments = (
            [[float(each["start_time"]), float(each["end_time"])] for each in heard[part]]
            for part in ("items", "audio_segments")
        )
        name = task["data"]["recording"].removesuffix(".mp3")
        of = found[name]
        text = spoken[name].split()
        for kind in ("json", "ctm"):
            assert [[start, round(end, 3), said] for start, end, said in of[kind]] == [
                [*times, word] for times, word in zip(words, text, strict=True)
            ]
        for kind in ("srt", "vtt"):
            assert of[kind][0][0] == words[0][0]
            assert " ".join(said for *_, said in of[kind]).split() == text
        assert of["csv"] == [[*segments[0], spoken[name]]]
        assert [[start, round(end, 3)] for start, end, _ in of["rttm"]] == segments
