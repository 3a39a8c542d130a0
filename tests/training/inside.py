# ruff: noqa: T201
"""What other hands' libraries read of training data and of files of transcripts, as JSON.

    inside.py lhotse|kaldi|datasets|transcripts FOLDER

It is run by the Python that has them: Lhotse, `datasets` and pysubs2.

Lhotse imports torch, which its manifests do not use: it is not there, and names of it are nothing.
"""

from __future__ import annotations

import json
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any


class _Nothing(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return cls

    def __call__(cls, *given: Any, **_: Any) -> Any:
        return given[0] if given and callable(given[0]) else cls  # a decorator leaves what it is on

    def __or__(cls, _: Any) -> Any:
        return cls

    def __getitem__(cls, _: Any) -> Any:
        return cls


class Nothing(metaclass=_Nothing):
    """Whatever a name of torch is."""


class _Torch(ModuleType):
    __path__ = []  # noqa: RUF012 # as every package has it
    __version__ = "0"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing


class _NoTorch(MetaPathFinder, Loader):
    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        found = fullname.partition(".")[0] == "torch"
        return ModuleSpec(fullname, self, is_package=True) if found else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Torch(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


def of_lhotse(folder: Path) -> dict[str, Any]:
    """Every side's recordings and supervisions, validated, and put together as cuts."""
    from lhotse import CutSet, RecordingSet, SupervisionSet

    return {
        side: _facts(
            CutSet,
            RecordingSet.from_file(folder / side / "recordings.jsonl"),
            SupervisionSet.from_file(folder / side / "supervisions.jsonl"),
        )
        for side in _sides(folder, "recordings.jsonl")
    }


def of_kaldi(folder: Path) -> dict[str, Any]:
    """The same of the data folders, at the rate that their commands give."""
    from lhotse import CutSet
    from lhotse.kaldi import load_kaldi_data_dir

    return {
        side: _facts(CutSet, *load_kaldi_data_dir(folder / side, sampling_rate=16_000)[:2])
        for side in _sides(folder, "wav.scp")
    }


def _sides(folder: Path, name: str) -> list[str]:
    """Those that have a recording; the files of the others are empty, which Lhotse refuses."""
    return [each for each in ("train", "dev", "test") if (folder / each / name).stat().st_size]


def _facts(cuts: Any, recordings: Any, supervisions: Any) -> dict[str, Any]:
    from lhotse.qa import validate_recordings_and_supervisions

    validate_recordings_and_supervisions(recordings, supervisions)
    made = cuts.from_manifests(recordings, supervisions)
    return {
        "recordings": {each.id: each.duration for each in recordings},
        "channels": [each.channel_ids for each in recordings],
        "supervisions": {each.id: [each.start, each.end, each.text] for each in supervisions},
        "speakers": sorted({each.speaker for each in supervisions}),
        "of_cuts": sum(len(each.supervisions) for each in made),
    }


def of_datasets(folder: Path) -> dict[str, Any]:
    """Every split's rows, and the types of its columns."""
    from datasets import load_dataset

    found = load_dataset(str(folder), cache_dir=str(folder / "cache"))
    return {
        name: {"rows": split.to_list(), "types": {k: v.dtype for k, v in split.features.items()}}
        for name, split in found.items()
    }


def of_transcripts(folder: Path) -> dict[str, Any]:
    """What each recording's files say, by format: start, end and text of each piece."""
    import pysubs2
    from datasets import load_dataset
    from lhotse import SupervisionSet

    found: dict[str, Any] = {}
    for stem in sorted({path.with_suffix("") for path in folder.iterdir() if path.is_file()}):
        of = {kind: f"{stem}.{kind}" for kind in ("srt", "vtt", "csv", "json", "rttm", "ctm")}
        turns = SupervisionSet.from_rttm(of["rttm"])
        words = turns.with_alignment_from_ctm(of["ctm"])
        rows = {
            kind: load_dataset(kind, data_files=of[kind], cache_dir=str(folder / "cache"))["train"]
            for kind in ("csv", "json")
        }
        found[stem.name] = {
            **{
                kind: [[e.start / 1000, e.end / 1000, e.plaintext] for e in pysubs2.load(of[kind])]
                for kind in ("srt", "vtt")
            },
            "csv": [[each["start"], each["end"], each["text"]] for each in rows["csv"]],
            "json": [
                [each["start"], each["end"], each["text"]]
                for segment in rows["json"][0]["segments"]
                for each in segment["words"]
            ],
            "rttm": [[each.start, each.end, each.speaker] for each in turns],
            "ctm": [
                [each.start, each.end, each.symbol]
                for turn in words
                for each in turn.alignment["word"]
            ],
        }
    return found


if __name__ == "__main__":
    sys.meta_path.insert(0, _NoTorch())
    read = {
        "lhotse": of_lhotse,
        "kaldi": of_kaldi,
        "datasets": of_datasets,
        "transcripts": of_transcripts,
    }[sys.argv[1]]
    print(json.dumps(read(Path(sys.argv[2]))))
