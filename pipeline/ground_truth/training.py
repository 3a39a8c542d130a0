"""The ground truth as what trains: for Lhotse, Kaldi, and the `datasets` of Hugging Face.

Each is a folder with a part for training, development and testing, and `splits.json`, which says
how they were split. What is there before is replaced only where that file says that it is ours.
"""

from __future__ import annotations

import heapq
import shlex
from contextlib import ExitStack, contextmanager
from itertools import groupby
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import orjson

from pipeline.errors import OutputUnusable
from pipeline.files import refuse_foreign_file, replacing
from pipeline.ground_truth.formats import Format
from pipeline.ground_truth.splits import Side
from pipeline.ground_truth.utterances import id_of, utterances

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pipeline.ground_truth.record import GroundTruth
    from pipeline.ground_truth.splits import Splits
    from pipeline.recordings.probe import AudioInfo

_BEGINS = b'{"made_by":"transcribe-pipeline"'
_CARD = "README.md"
_CARD_BEGINS = b"---\nconfigs:\n"
_SORTED_AT_ONCE = 20_000
KALDI_RATE = 16_000
"""Hertz: what `wav.scp` has every recording turned into, as Kaldi's models take one rate."""


class Recorded(NamedTuple):
    """A recording on its side: what is said in it, where its file is, and what that says.

    `roles` as of `utterances`.
    """

    side: Side
    line: GroundTruth
    path: str
    sound: AudioInfo
    roles: Mapping[str, str] | None = None


def write_training(
    recorded: Iterator[Recorded], wanted: Format, folder: Path, splits: Splits
) -> Iterator[Path]:
    """Write the recordings below `folder`, mode 0600; yield the paths once all are whole.

    Raises:
        OutputUnusable: something of another program is there, or it can't be written.
    """
    files = _FILES[wanted]
    paths = [folder / name for name in files]
    about = folder / "splits.json"
    _refuse_others([*paths, *(folder / name for name in _FROM_THESE.get(wanted, ()))], about)
    counts = dict.fromkeys(map(str, Side), 0)
    with ExitStack() as opened:
        ordered = wanted is Format.KALDI
        into = {
            name: opened.enter_context(_written(path, ordered=ordered))
            for name, path in zip(files, paths, strict=True)
        }
        for each in recorded:
            counts[each.side] += 1
            for name, line in _LINES[wanted](each):
                into[name](line)
        _tell(about, splits)  # before the first file takes its place, which it shows to be ours
    if wanted is Format.KALDI:
        paths += [_speakers(folder / side) for side in Side]
    if wanted is Format.DATASETS:
        paths.append(_card(folder, paths))
    _tell(about, splits, recordings=counts)
    yield from (*paths, about)


def _refuse_others(paths: list[Path], about: Path) -> None:
    """Refuse to write where anything lies that no earlier convert wrote."""
    refuse_foreign_file(about, _BEGINS)
    for path in paths:
        refuse_foreign_file(path, _CARD_BEGINS if path.name == _CARD else b"")
    there = [path for path in paths if path.exists()]
    if there and not (about.is_file() and about.read_bytes().startswith(_BEGINS)):
        raise OutputUnusable(
            f"{there[0]} holds something else already, and only what this program wrote there is "
            "replaced",
            "Move it away, or name another folder with --to.",
        )


def _tell(about: Path, splits: Splits, **more: Any) -> None:
    with replacing(about, _BEGINS) as file:
        file.write(_line({"made_by": "transcribe-pipeline", **splits._asdict(), **more}))


@contextmanager
def _written(path: Path, *, ordered: bool) -> Iterator[Callable[[bytes], object]]:
    """What adds a line to a file, which is there once it is whole.

    Where it is `ordered` the lines are in C's order. What is to be sorted lies in runs on the disk,
    so memory does not grow with it.
    """
    with ExitStack() as opened:
        file = opened.enter_context(replacing(path, b""))
        if not ordered:
            yield file.write
            return
        held: list[bytes] = []
        runs: list[IO[bytes]] = []

        def add(line: bytes) -> None:
            held.append(line)
            if len(held) >= _SORTED_AT_ONCE:
                runs.append(run := opened.enter_context(TemporaryFile()))
                run.writelines(sorted(held))
                run.seek(0)
                held.clear()

        yield add
        file.writelines(heapq.merge(*runs, sorted(held)))


def _lhotse(of: Recorded) -> Iterator[tuple[str, bytes]]:
    """A recording and its supervisions, by Lhotse's names."""
    spoken, sound = list(utterances(of.line, of.sound, of.roles)), of.sound
    samples, channels = round(sound.seconds * sound.sample_rate), list(range(sound.channels))
    if spoken:
        yield (
            f"{of.side}/recordings.jsonl",
            _line(
                {
                    "id": id_of(of.line.audio),
                    "sources": [{"type": "file", "channels": channels, "source": of.path}],
                    "sampling_rate": sound.sample_rate,
                    "num_samples": samples,
                    "duration": samples / sound.sample_rate,
                    "channel_ids": channels,
                }
            ),
        )
    unknown: int | list[int] = channels if len(channels) > 1 else 0
    for each in spoken:
        supervision = {
            "id": each.id,
            "recording_id": id_of(of.line.audio),
            "start": each.start,
            "duration": round(each.end - each.start, 6),
            "channel": unknown if each.channel is None else each.channel,
            "text": each.text,
            "language": of.line.language,
            "speaker": each.speaker,
            "custom": {**of.line.metadata, "source": str(of.line.source)},
        }
        yield f"{of.side}/supervisions.jsonl", _line(supervision)


def is_kaldi_path(path: str) -> bool:
    """Whether a line of `wav.scp` can hold it: a shell's quotes keep a newline one."""
    return not {"\n", "\r"} & set(path)


def _kaldi(of: Recorded) -> Iterator[tuple[str, bytes]]:
    """The lines of a data folder; each channel that somebody speaks on is a recording."""
    recordings: dict[str, int | None] = {}
    for each in utterances(of.line, of.sound, of.roles):
        recording = id_of(of.line.audio)
        if each.channel is not None:
            recording += f"-c{each.channel}"
        recordings[recording] = each.channel
        for name, value in (
            ("segments", f"{recording} {each.start:.3f} {each.end:.3f}"),
            ("text", each.text),
            ("utt2spk", each.speaker),
        ):
            yield f"{of.side}/{name}", f"{each.id} {value}\n".encode("utf-8", "replace")
    for recording, channel in recordings.items():
        one = "-ac 1" if channel is None else f"-af 'pan=mono|c0=c{channel}'"
        command = (
            f"ffmpeg -nostdin -loglevel error -i {shlex.quote(of.path)} -map 0:a:0 "
            f"-ar {KALDI_RATE} {one} -f wav - |"
        )
        yield f"{of.side}/wav.scp", f"{recording} {command}\n".encode("utf-8", "surrogateescape")
        yield f"{of.side}/reco2dur", f"{recording} {of.sound.seconds:.3f}\n".encode()


def _datasets(of: Recorded) -> Iterator[tuple[str, bytes]]:
    """A row for each utterance; metadata as JSON, since a column has one type."""
    metadata = orjson.dumps(of.line.metadata).decode()
    for each in utterances(of.line, of.sound, of.roles):
        row = {
            **each._asdict(),
            "audio": of.path,
            "recording": of.line.audio,
            "language": of.line.language,
            "source": str(of.line.source),
            "metadata": metadata,
        }
        yield f"{of.side}.jsonl", _line(row)


def _line(facts: dict[str, Any]) -> bytes:
    return orjson.dumps(facts, option=orjson.OPT_APPEND_NEWLINE)


def _speakers(folder: Path) -> Path:
    """Kaldi's spk2utt, the reverse of utt2spk."""
    path = folder / "spk2utt"
    with (folder / "utt2spk").open("rb") as pairs, replacing(path, b"") as file:
        for speaker, lines in groupby(pairs, lambda line: line.split()[1]):
            file.write(b" ".join([speaker, *(line.split()[0] for line in lines)]) + b"\n")
    return path


def _card(folder: Path, paths: list[Path]) -> Path:
    """The dataset's README, whose head names files and types; a side without a row is left out."""
    files = [
        f"  - split: {path.stem}\n    path: {path.name}\n" for path in paths if path.stat().st_size
    ]
    columns = [f"  - name: {name}\n    dtype: {kind}\n" for name, kind in _COLUMNS.items()]
    path = folder / _CARD
    with replacing(path, _CARD_BEGINS) as file:
        file.write(
            f"---\nconfigs:\n- config_name: default\n  data_files:\n{''.join(files)}"
            f"dataset_info:\n  features:\n{''.join(columns)}---\n".encode()
        )
    return path


_COLUMNS = {
    **dict.fromkeys(("id", "speaker", "text"), "string"),
    **dict.fromkeys(("start", "end"), "float64"),
    "channel": "int64",
    **dict.fromkeys(("audio", "recording", "language", "source", "metadata"), "string"),
}
_KALDI_FILES = ("wav.scp", "reco2dur", "segments", "text", "utt2spk")
_FILES = {
    Format.LHOTSE: [
        f"{each}/{name}.jsonl" for each in Side for name in ("recordings", "supervisions")
    ],
    Format.KALDI: [f"{each}/{name}" for each in Side for name in _KALDI_FILES],
    Format.DATASETS: [f"{each}.jsonl" for each in Side],
}
_FROM_THESE = {
    Format.KALDI: [f"{each}/spk2utt" for each in Side],
    Format.DATASETS: [_CARD],
}
"""What is made of the files above once they are whole."""

_LINES: dict[Format, Callable[[Recorded], Iterator[tuple[str, bytes]]]] = {
    Format.LHOTSE: _lhotse,
    Format.KALDI: _kaldi,
    Format.DATASETS: _datasets,
}
