"""Training data: what is in it, and what its readers hold it to."""

from __future__ import annotations

import json
import shlex
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BadSettings, OutputUnusable
from pipeline.ground_truth import training
from pipeline.ground_truth.formats import Format
from pipeline.ground_truth.record import REVIEWED, GroundTruth, Segment
from pipeline.ground_truth.splits import Side, Splits
from pipeline.ground_truth.training import Recorded, write_training
from pipeline.ground_truth.utterances import file_of, id_of, probed, utterances
from pipeline.recordings.probe import AudioInfo
from tests.conftest import RECORDINGS

if TYPE_CHECKING:
    from pathlib import Path

SOUND = AudioInfo(10.0, 1, 8000, "wav")
STEREO = AudioInfo(10.0, 2, 8000, "wav")
AUDIO = "s3://b/calls/a.wav"


def segment(
    start: float, end: float, text: str, speaker: str | None = None, **more: Any
) -> Segment:
    return Segment(start=start, end=end, text=text, speaker=speaker, **more)


def recorded(
    *segments: Segment, sound: AudioInfo = SOUND, side: Side = Side.TRAIN, **about: Any
) -> Recorded:
    """A recording on its side."""
    facts = {"audio": AUDIO, "source": REVIEWED, "text": "all of it", **about}
    return Recorded(side, GroundTruth(segments=segments, **facts), "/data/calls/a b.wav", sound)


def write(folder: Path, wanted: Format, *found: Recorded) -> dict[str, list[str]]:
    """The lines of each file by its name."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8").splitlines()
        for path in write_training(iter(found), wanted, folder, Splits())
    }


TWO = (
    segment(0.0, 1.5, "hello [noise]  there", "Anna"),
    segment(1.5, 99.0, "good day", "spk_1"),
    segment(2.0, 3.0, "[laughs]", "spk_1"),
    segment(12.0, 13.0, "after the end", "spk_1"),
    segment(4.0, 4.0, "no length", "spk_1"),
)


def test_speech_is_what_has_a_text_and_a_place_in_the_file():
    """Marks are no words, times end where the file does, and what is left over is no utterance."""
    found = list(utterances(recorded(*TWO).line, SOUND))
    [whole] = utterances(recorded().line, SOUND)

    assert [(e.start, e.end, e.text) for e in found] == [
        (0.0, 1.5, "hello there"),
        (1.5, 10.0, "good day"),
    ]
    assert [e.speaker for e in found] == [id_of("Anna"), f"{id_of(AUDIO)}-spk_1"]
    assert (whole.start, whole.end, whole.text) == (0.0, 10.0, "all of it")


def test_a_role_is_somebody_else_in_each_recording():
    """A name of the settings for a label or channel tells who it is in that recording alone."""
    roles = {"ch_0": "Agent", "spk_1": "Customer"}
    said = (segment(0, 1, "a", channel=0), segment(1, 2, "b", "spk_1"), segment(2, 3, "c", "Anna"))
    found = [
        [each.speaker for each in utterances(recorded(*said, audio=audio).line, STEREO, roles)]
        for audio in ("s3://b/1.wav", "s3://b/2.wav")
    ]

    first, second = id_of("s3://b/1.wav"), id_of("s3://b/2.wav")
    assert found[0] == [f"{first}-Agent", f"{first}-Customer", id_of("Anna")]
    assert found[1] == [f"{second}-Agent", f"{second}-Customer", id_of("Anna")]


@pytest.mark.parametrize(
    ("sound", "channel", "known"), [(STEREO, 1, 1), (STEREO, 2, None), (SOUND, 0, None)]
)
def test_a_channel_is_known_where_the_file_has_it(sound, channel, known):
    """One of several that the file has; who speaks is the recording's own unknown person."""
    [found] = utterances(recorded(segment(0, 1, "x", channel=channel)).line, sound)
    [nobody] = utterances(recorded(segment(0, 1, "x")).line, sound)

    assert found.channel == known
    assert nobody.speaker == f"{id_of(AUDIO)}-unknown"


def test_lhotse_has_recordings_and_supervisions(tmp_path):
    """Samples and channels are those of the file; a channel that nobody named is all of them."""
    on_two = (segment(0, 1, "left", channel=0), segment(1, 2, "right", channel=1))
    found = write(
        tmp_path,
        Format.LHOTSE,
        recorded(*on_two, segment(2, 3, "both"), sound=STEREO, metadata={"customer": 7}),
        recorded(segment(0, 1, " "), audio="s3://b/silent.wav", side=Side.DEV),
    )
    [recording] = map(json.loads, found["train/recordings.jsonl"])
    said = [json.loads(each) for each in found["train/supervisions.jsonl"]]

    assert (recording["num_samples"], recording["channel_ids"]) == (80_000, [0, 1])
    assert [each["channel"] for each in said] == [0, 1, [0, 1]]
    assert {each["recording_id"] for each in said} == {recording["id"]}
    assert said[0]["custom"] == {"customer": 7, "source": "reviewed"}
    assert found["dev/recordings.jsonl"] == found["test/supervisions.jsonl"] == []
    assert json.loads(found["splits.json"][0])["recordings"] == {"train": 1, "dev": 1, "test": 0}


def test_kaldi_has_a_recording_for_each_channel(tmp_path):
    """Each is a command that turns the file into one channel, whatever the file is called."""
    on_two = (segment(0, 1, "left", channel=0), segment(1, 2, "right", channel=1))
    found = write(tmp_path, Format.KALDI, recorded(*on_two, segment(2, 3, "both"), sound=STEREO))
    commands = dict(each.split(" ", 1) for each in found["train/wav.scp"])
    words = {name[-3:]: shlex.split(command) for name, command in commands.items()}

    assert len(commands) == 3
    assert all("/data/calls/a b.wav" in each and each[-1] == "|" for each in words.values())
    assert "pan=mono|c0=c1" in words["-c1"]
    assert found["dev/wav.scp"] == []


def test_a_dataset_has_rows_of_one_type(tmp_path):
    """Metadata of whatever types is a text, and a side without a row is not named."""
    found = write(
        tmp_path,
        Format.DATASETS,
        recorded(segment(0, 1, "one"), metadata={"customer": 7}),
        recorded(segment(0, 1, "two"), audio="s3://b/b.wav", metadata={"customer": "x"}),
    )
    rows = [json.loads(each) for each in found["train.jsonl"]]

    assert [json.loads(each["metadata"]) for each in rows] == [{"customer": 7}, {"customer": "x"}]
    assert rows[0]["recording"] == AUDIO
    assert "  - split: train" in found["README.md"]
    assert "  - split: dev" not in found["README.md"]


names = st.none() | st.text(max_size=5) | st.sampled_from(["spk_0", "spk_1", "Anna", "Änna", "a-b"])


@given(
    st.lists(
        st.lists(
            st.builds(segment, st.floats(0, 5), st.floats(5.1, 20), st.text(max_size=9), names),
            max_size=4,
        ),
        max_size=5,
    )
)
def test_kaldi_takes_the_folder_whatever_is_said(tmp_path_factory, calls):
    """The rules of its validate_data_dir.sh: one order for all, and what they name is there."""
    folder = tmp_path_factory.mktemp("kaldi")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_SORTED_AT_ONCE", 2)
        found = write(
            folder,
            Format.KALDI,
            *(recorded(*each, audio=f"s3://b/t {n}/{'ü' * n}") for n, each in enumerate(calls)),
        )
    files = {
        name: [
            each.split(" ", 1) for each in (folder / "train" / name).read_text().split("\n")[:-1]
        ]
        for name in ("wav.scp", "reco2dur", "segments", "text", "utt2spk", "spk2utt")
    }
    ids = {name: [first for first, _ in lines] for name, lines in files.items()}

    assert all(sorted(set(each), key=str.encode) == each for each in ids.values())
    assert ids["segments"] == ids["text"] == ids["utt2spk"]
    assert ids["wav.scp"] == ids["reco2dur"]
    assert {rest.split()[0] for _, rest in files["segments"]} == set(ids["wav.scp"])
    speakers = [speaker for _, speaker in files["utt2spk"]]
    assert [speaker for speaker, _ in groupby(speakers)] == ids["spk2utt"]
    assert all(utterance.startswith(speaker) for utterance, speaker in files["utt2spk"])
    assert [each for _, rest in files["spk2utt"] for each in rest.split()] == ids["utt2spk"]
    for _, rest in files["segments"]:
        _, start, end = rest.split()
        assert 0 <= float(start) < float(end) <= SOUND.seconds
    assert all(text.strip() for _, text in files["text"])
    assert found


def test_what_is_ours_is_replaced_and_what_is_not_stays(tmp_path):
    """A second convert writes the same bytes, and another program's folder is left alone."""
    first = write(tmp_path / "ours", Format.KALDI, recorded(*TWO))
    assert write(tmp_path / "ours", Format.KALDI, recorded(*TWO)) == first
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "ours").rglob("*.*")} == {0o600}
    (tmp_path / "theirs/train").mkdir(parents=True)
    (tmp_path / "theirs/train/text").write_text("utterance one\n")

    with pytest.raises(OutputUnusable, match="holds something else already"):
        write(tmp_path / "theirs", Format.KALDI, recorded(*TWO))
    assert (tmp_path / "theirs/train/text").read_text() == "utterance one\n"
    assert len(list((tmp_path / "theirs").rglob("*"))) == 2


@pytest.mark.parametrize(
    ("wanted", "theirs"), [(Format.DATASETS, "README.md"), (Format.KALDI, "train/spk2utt")]
)
def test_whatever_is_written_is_looked_for_first(tmp_path, wanted, theirs):
    """Nothing is written beside another program's file, and once that is away everything is."""
    (tmp_path / theirs).parent.mkdir(exist_ok=True)
    (tmp_path / theirs).write_text("theirs")

    with pytest.raises(OutputUnusable, match="holds something else already"):
        write(tmp_path, wanted, recorded(*TWO))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / theirs]
    assert (tmp_path / theirs).read_text() == "theirs"

    (tmp_path / theirs).unlink()
    assert write(tmp_path, wanted, recorded(*TWO))[theirs]


@pytest.mark.parametrize("wanted", [Format.DATASETS, Format.KALDI])
def test_what_ended_between_its_files_is_written_again(tmp_path, wanted, monkeypatch):
    """A full disk or a kill leaves files that are known to be ours."""

    def full(*_: object) -> None:
        raise OutputUnusable("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(training, "_card", full)
        patch.setattr(training, "_speakers", full)
        with pytest.raises(OutputUnusable, match="No space"):
            write(tmp_path, wanted, recorded(*TWO))
    assert "recordings" not in json.loads((tmp_path / "splits.json").read_bytes())

    assert write(tmp_path, wanted, recorded(*TWO))["splits.json"]


def test_files_are_found_where_the_bucket_was_copied_to(tmp_path):
    """The length, rate and channels are the file's; what is no audio or not there has none."""
    (tmp_path / "text.wav").write_text("no audio")

    assert file_of("s3://b/calls/a.mp3", "/data/") == "/data/calls/a.mp3"
    assert file_of("file:///data/a%20b.wav", "") == "/data/a b.wav"
    with pytest.raises(BadSettings, match="--recordings"):
        file_of("s3://b/a.mp3", "")
    found = probed(RECORDINGS / "calls/invoice.wav")
    assert found
    assert (round(found.seconds, 2), found.channels, found.sample_rate) == (3.46, 1, 16_000)
    assert probed(tmp_path / "text.wav") is None
    assert probed(tmp_path / "gone.wav") is None
    assert probed(tmp_path) is None
