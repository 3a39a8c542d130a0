"""The ground truth in the formats of other tools, from one line for each recording."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from msgspec.structs import replace

from pipeline.errors import OutputUnusable
from pipeline.files import folds_names, replacing
from pipeline.ground_truth.choice import one_each
from pipeline.ground_truth.formats import Format
from pipeline.ground_truth.record import REVIEWED
from pipeline.ground_truth.subtitles import all_segments, speaker, srt, text_grid, vtt
from pipeline.ground_truth.unusable import trainable, without_marks
from pipeline.tasks.export import later_exports, write_arrays
from pipeline.transcripts.file_names import FileNames

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from pipeline.config.label_studio import LabelStudio
    from pipeline.ground_truth.record import GroundTruth, Segment

_FILES = {
    Format.SRT: (".srt", b"1\n", srt),
    Format.VTT: (".vtt", b"WEBVTT", vtt),
    Format.TEXTGRID: (".TextGrid", b'File type = "ooTextFile"', text_grid),
}


def convert(
    lines: Iterable[GroundTruth],
    wanted: Format,
    folder: Path,
    recordings: str = "",
    left_out: Counter[str] | None = None,
) -> Iterator[Path | OutputUnusable]:
    """Write the lines in a format below `folder`, mode 0600; yield the paths.

    Where a recording's file can't be written the error is yielded, and the others are written.

    `nemo` is one `manifest.jsonl`, `text-tasks` the arrays that Label Studio's Import button takes,
    the others a file for each recording, at the place of its key.

    Args:
        lines: of the ground truth, one for each recording.
        wanted: the format.
        folder: where to write.
        recordings: a folder that holds what the bucket holds, for the paths in a manifest.
        left_out: gets the counts of what is unusable; subtitles and grids have that too.

    Raises:
        OutputUnusable: a file of all recordings can't be written.
    """
    if wanted is Format.TEXTGRID:
        import pipeline.transcripts.praat  # noqa: F401 # tells at once when it is not installed
    if wanted not in _FILES:
        lines = trainable(lines, Counter() if left_out is None else left_out)
    if wanted is Format.NEMO:
        yield _write_manifest(lines, folder / "manifest.jsonl", recordings)
    elif wanted is Format.TEXT_TASKS:
        yield from write_arrays((_text_task(line) for line in lines if line.text), folder)
    else:
        suffix, begins, written = _FILES[wanted]
        names = FileNames(suffix, folds=folds_names(_existing(folder)))
        for line in lines:
            path = folder / names.of(line.audio)
            try:
                with replacing(path, begins) as file:
                    file.write(written(line).encode("utf-8", "replace"))
            except OutputUnusable as error:
                yield error
            else:
                yield path


def converted_lines(known: LabelStudio, *, reviewed: bool) -> Iterator[GroundTruth]:
    """One line for each recording, with the speakers' names of the settings.

    Args:
        known: the settings, with the path of the ground truth.
        reviewed: whether what nobody reviewed is left out.

    Raises:
        OutputUnusable: as of `read_ground_truth`.
    """
    for line in one_each(Path(known.ground_truth), prefer=known.prefer):
        if line.source == REVIEWED or not reviewed:
            yield renamed(line, known.speakers)


def renamed(line: GroundTruth, names: Mapping[str, str]) -> GroundTruth:
    """The line with other names for its speakers.

    Args:
        line: of the ground truth.
        names: by the segments' labels, or by `ch_0` and `ch_1` for all that is on a channel. Where
            both have a name, that of the label is taken.
    """
    segments = tuple(
        replace(each, speaker=name_of(each, names) or each.speaker) for each in line.segments
    )
    return replace(line, segments=segments)


def name_of(segment: Segment, names: Mapping[str, str]) -> str | None:
    """What its speaker is called by the settings, where they name the label or the channel."""
    return names.get(segment.speaker or "") or names.get(f"ch_{segment.channel}")


def left_over(folder: Path, wanted: Format, written: Collection[Path]) -> list[Path]:
    """Files of an earlier convert to this format that this one, which wrote `written`, left."""
    if wanted in _FILES:
        found = folder.rglob(f"*{_FILES[wanted][0]}")
        return sorted(path for path in found if path not in written)
    if wanted is Format.TEXT_TASKS:
        return later_exports(folder, max(written, default=None))
    return []


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there: the file system is the same."""
    return next(each for each in (folder.absolute(), *folder.absolute().parents) if each.is_dir())


def _write_manifest(lines: Iterable[GroundTruth], path: Path, recordings: str) -> Path:
    with replacing(path, b'{"audio_filepath":') as file:
        for line in lines:
            for entry in _manifest_entries(line, recordings):
                file.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
    return path


def _manifest_entries(line: GroundTruth, recordings: str) -> Iterator[dict[str, Any]]:
    """NeMo's manifest: an entry for each segment, by its offset and duration in seconds."""
    for segment in all_segments(line):
        entry = {
            "audio_filepath": _local(line.audio, recordings),
            "offset": segment.start,
            "duration": round(segment.end - segment.start, 3),
            "text": " ".join(without_marks(segment.text).split()),
            "speaker": speaker(segment) or None,
            "channel": segment.channel,
            "lang": line.language,
            "source": line.source,
        }
        yield {name: value for name, value in entry.items() if value is not None}


def _local(audio: str, recordings: str) -> str:
    """Where a recording of a bucket lies in a folder that holds what the bucket holds."""
    scheme, _, rest = audio.partition("://")
    if scheme != "s3" or not recordings:
        return audio
    return f"{recordings.rstrip('/')}/{rest.partition('/')[2]}"


def _text_task(line: GroundTruth) -> bytes:
    """A task on the reviewed text, for projects that label text (`$text`)."""
    data = {
        "text": line.text,
        "audio": line.audio,
        "job_id": line.job_id,
        "language": line.language,
        "source": line.source,
        "reviewer": line.reviewer,
    }
    return orjson.dumps({"data": {name: value for name, value in data.items() if value}})
