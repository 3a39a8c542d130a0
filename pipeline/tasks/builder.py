"""Job + Transcript ─► one Label Studio task, as one line of JSON; pure.

The shapes are those that Label Studio (1.23) imports under its strict checks of predictions, for
the configurations of `labeling_config.py`. `data` holds beside `audio`:

    recording          the key, as people know the recording; shown above it
    job_id             the job's name, the key by which a task is found again
    duration           seconds until the last segment ends; the service does not say how
                       long a recording is, so it may be longer by the silence at its end
    word_count         how many words were spoken
    mean_confidence    of its words, 0..1, which is the prediction's score too
    lowest_confidence  the lowest of its segments' means, 0..1
    speaker_count      how many speakers were told apart; only when they were
    channel_count      on how many channels someone speaks; only when they were apart
    language           the language transcribed: that which was identified first, else the
                       one that was named; not there where neither is known
    languages          what to choose the language from; [] when none was identified
    language_seconds   how long each was spoken; only where several were looked for
    toxicity           of the most toxic speech, 0..1; only when it was asked for, as is
    toxicity_detection each stretch of speech with `start`, `end`, `toxicity`, `categories`
    alternatives       what else was heard: `start`, `end`, `texts`; only when asked for
    redacted_transcript  URI of the redacted transcript; only with --results, as are
    subtitles          the URIs of the subtitles
    speakers           the labels of the segments, and two for people whom the service did
                       not tell apart; only in tasks of segments
    dialogue           what was said as HTML, to read along, with the words marked that the
                       service was least sure of: all of it in tasks of up to 300 segments;
                       else, and in tasks of one text, the segments with such words alone,
                       of which a task that is not cut is given 300

`meta` says what was transcribed: `etag` and `size` (bytes), and only where it applies
`silent`, `redacted` and `unredacted_transcript`. That URI is not in `data`, where Label
Studio would turn it into an address that reviewers can open.
"""

from __future__ import annotations

from itertools import count, islice
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from pipeline.model import JobSettings, TaskKind
from pipeline.tasks.dialogue import SPEECH, dialogue, speaker_of
from pipeline.tasks.labeling_config import AUDIO, LANGUAGE, SPEAKER, TEXT, TRANSCRIPTION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.model import Job, Transcript

_NOTHING_KNOWN = JobSettings()
_NO_METADATA: Mapping[str, Any] = {}
_SPARE = 2  # labels for speakers that a reviewer hears and the service did not
_COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf")

# Line ends to Python's str.splitlines and to editors, though not to JSON Lines. In JSON they can
# only stand inside a string, where the escape says the same.
_LINE_ENDS = {
    "\x85".encode(): rb"\u0085",
    "\u2028".encode(): rb"\u2028",
    "\u2029".encode(): rb"\u2029",
}


class TaskBuilder:
    """Makes the tasks of one project: all of one kind and one model version.

    The version must not change within a project, because Label Studio's queue shows only one
    version's predictions. In it words with a confidence below `mark_below` are marked.
    """

    def __init__(self, kind: TaskKind, model_version: str, mark_below: float = 0.0) -> None:
        self._kind = kind
        self.mark_below = mark_below
        self._model_version = model_version

    def line(
        self,
        audio: str,
        job: Job,
        transcript: Transcript,
        settings: JobSettings = _NOTHING_KNOWN,
        metadata: Mapping[str, Any] = _NO_METADATA,
    ) -> bytes:
        r"""Build the task of one recording: JSON in UTF-8, no line end inside, "\n" at its end.

        `audio` is the source's own URI and comes back unchanged. Texts are the service's own; a
        silent recording has the text "" or no segment, the score 0 and `meta.silent`. `metadata`
        stands in `data` under its own names, none of which is in `TASK_NAMES`.
        """
        segments = self._kind is TaskKind.SEGMENTS
        data: dict[str, Any] = {"audio": audio, "recording": job.recording.key, "job_id": job.name}
        data |= _facts(transcript, settings)
        if segments:
            data["speakers"] = _speakers(transcript)
        if said := dialogue(transcript.segments, self.mark_below, in_full=segments):
            data["dialogue"] = said
        data |= metadata
        result = _regions(transcript) if segments else [_text_area(transcript)]
        if transcript.languages:
            choice = {"choices": [transcript.languages[0]]}
            result.append(_result("lang", LANGUAGE, "choices", choice))
        prediction = {
            "model_version": self._model_version,
            "score": data["mean_confidence"],
            "result": result,
        }
        meta = _provenance(job, transcript, settings)
        task = {"data": data, "predictions": [prediction], "meta": meta}
        line = orjson.dumps(task, option=orjson.OPT_APPEND_NEWLINE)
        if not line.isascii():  # which is seen in a tenth of the time
            for line_end, escape in _LINE_ENDS.items():
                line = line.replace(line_end, escape)
        return line


def _result(region: str, control: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"id": region, "from_name": control, "to_name": AUDIO, "type": kind, "value": value}


def _text_area(transcript: Transcript) -> dict[str, Any]:
    text = "" if transcript.silent else transcript.text
    return _result("tr", TRANSCRIPTION, "textarea", {"text": [text]})


def _regions(transcript: Transcript) -> list[dict[str, Any]]:
    """Two results per segment, which share one id: who speaks, and what is said."""
    results: list[dict[str, Any]] = []
    for number, segment in enumerate(transcript.segments):
        region = f"seg-{number:05}"
        who: dict[str, Any] = {"start": segment.start, "end": segment.end}
        what = who | {"text": [segment.text]}
        who["labels"] = [speaker_of(segment)]
        if segment.channel:
            who["channel"] = what["channel"] = _channel_number(segment.channel)
        speaker = _result(region, SPEAKER, "labels", who)
        if segment.confidence is not None:
            speaker["score"] = round(segment.confidence, 4)
        results += (speaker, _result(region, TEXT, "textarea", what))
    return results


def _speakers(transcript: Transcript) -> list[dict[str, str]]:
    labels = list(dict.fromkeys(map(speaker_of, transcript.segments))) or [SPEECH]
    others = (label for number in count() if (label := f"spk_{number}") not in labels)
    labels += islice(others, _SPARE)
    return [
        {"value": label, "background": _COLOURS[number % len(_COLOURS)]}
        for number, label in enumerate(labels)
    ]


def _channel_number(label: str) -> int:
    """The service calls its channels ch_0 and ch_1."""
    digits = label.rpartition("_")[2]
    return int(digits) if digits in ("0", "1") else 0


def _facts(transcript: Transcript, settings: JobSettings) -> dict[str, Any]:
    known = [s.confidence for s in transcript.segments if s.confidence is not None]
    facts: dict[str, Any] = {
        "duration": transcript.duration,
        "word_count": transcript.word_count,
        "mean_confidence": round(transcript.confidence or 0.0, 4),
        "lowest_confidence": round(min(known, default=0.0), 4),
    }
    if speakers := transcript.speakers:
        facts["speaker_count"] = len(speakers)
    if channels := transcript.channels:
        facts["channel_count"] = len(channels)
    if language := next(iter(transcript.languages), settings.language):
        facts["language"] = language
    facts["languages"] = [{"value": language} for language in transcript.languages]
    return facts | _on_top(transcript, settings)


def _on_top(transcript: Transcript, settings: JobSettings) -> dict[str, Any]:
    """What is there only when it was asked for."""
    worst = max((each.toxicity for each in transcript.toxicity), default=None)
    facts = {
        "language_seconds": transcript.language_seconds,
        "toxicity": worst,
        "toxicity_detection": transcript.toxicity,
        "alternatives": transcript.alternatives,
        "redacted_transcript": settings.redacted_transcript,
        # Of a recording without speech the service writes none.
        "subtitles": () if transcript.silent else settings.subtitles,
    }
    found = {name: fact for name, fact in facts.items() if fact or fact == 0}
    return msgspec.to_builtins(found) if found else found


def _provenance(job: Job, transcript: Transcript, settings: JobSettings) -> dict[str, Any]:
    meta: dict[str, Any] = {"etag": job.recording.etag, "size": job.recording.size}
    if transcript.silent:
        meta["silent"] = True
    if transcript.redacted or settings.redacted:
        meta["redacted"] = True
    if settings.unredacted_transcript:
        meta["unredacted_transcript"] = settings.unredacted_transcript
    return meta
