"""Job + Transcript ─► one Label Studio task, as one line of JSON; pure.

The shape is the one Label Studio (1.23) imports under its strict checks of predictions, for the
labelling configuration

    <View>
      <Audio name="audio" value="$audio"/>
      <TextArea name="transcription" toName="audio" editable="true" maxSubmissions="1"/>
    </View>
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from pipeline.transcript import score

if TYPE_CHECKING:
    from pipeline.model import Job, Transcript

# Line ends to Python's str.splitlines and to editors, though not to JSON Lines. In JSON they can
# only stand inside a string, where the escape says the same.
_LINE_ENDS = {
    "\x85".encode(): rb"\u0085",
    "\u2028".encode(): rb"\u2028",
    "\u2029".encode(): rb"\u2029",
}


def transcript_task(audio: str, job: Job, transcript: Transcript, model_version: str) -> bytes:
    r"""Build the task of one recording: JSON in UTF-8, no line end inside, "\n" at its end.

    `audio` is the source's own URI and comes back unchanged. `model_version` must be the same in
    all of a project's tasks, because Label Studio's queue shows only one version's predictions.
    The text is the service's own; a silent recording has the text "", the score 0 and
    `meta.silent`. What `data` holds beside `audio` is for sorting and looking up:

        job_id         the job's name, the key by which a task is found again
        word_count     how many words were spoken
        speech_end     seconds at which the last word ends; the recording is at least as long
        speaker_count  how many speakers were told apart; only when they were
        language       the language identified first; only when one was

    `meta` says what was transcribed: `etag` and `size` (bytes), and only where it applies
    `silent`, `redacted` and `languages`.
    """
    task = {
        "data": {"audio": audio, "job_id": job.name, **_facts(transcript)},
        "predictions": [
            {
                "model_version": model_version,
                "score": round(score(transcript), 4),
                "result": [_text_area(transcript)],
            }
        ],
        "meta": _provenance(job, transcript),
    }
    line = orjson.dumps(task, option=orjson.OPT_APPEND_NEWLINE)
    for line_end, escape in _LINE_ENDS.items():
        line = line.replace(line_end, escape)
    return line


def _text_area(transcript: Transcript) -> dict[str, Any]:
    return {
        "id": "tr",
        "from_name": "transcription",
        "to_name": "audio",
        "type": "textarea",
        "value": {"text": ["" if transcript.silent else transcript.text]},
    }


def _facts(transcript: Transcript) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "word_count": len(transcript.words),
        # The words of two channels are not in the order in which they end.
        "speech_end": max((word.end for word in transcript.words), default=0.0),
    }
    if transcript.speakers:
        facts["speaker_count"] = len(transcript.speakers)
    if transcript.languages:
        facts["language"] = transcript.languages[0]
    return facts


def _provenance(job: Job, transcript: Transcript) -> dict[str, Any]:
    meta: dict[str, Any] = {"etag": job.recording.etag, "size": job.recording.size}
    if transcript.silent:
        meta["silent"] = True
    if transcript.redacted:
        meta["redacted"] = True
    if transcript.languages:
        meta["languages"] = transcript.languages
    return meta
