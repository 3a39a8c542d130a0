"""Why a recording fails: the service's words sorted into classes with advice. Pure.

The words are those of the service's documentation and of recorded answers; what is not known
stays in the service's own words.
"""

from __future__ import annotations

REFUSED = "refused by the service"
MEDIA_NOT_ACCESSIBLE = "media not accessible"
GONE = "no longer there"
NO_SPEECH = "no speech to identify the language by"
BROKEN_TRANSCRIPT = "broken transcript"
OTHER_MEDIA = "job name taken by other media"
OTHER_PLACE = "transcript in another place"
UNREADABLE = "transcript not readable"
FAULT = "fault at the service"
LOST = "job or transcript lost"
ELSEWHERE = "perhaps in another account"
NEVER_ENDED = "job never ended"
TOO_LONG = "too long"
TOO_LARGE = "too large"
TOO_SHORT = "too short"
UNSUPPORTED = "unsupported format"
FORMAT_MISMATCH = "format does not match"
SAMPLE_RATE = "sample rate"
TOO_MANY_CHANNELS = "too many channels"
NOT_VALID = "not valid media"

KEPT_JOBS = frozenset({UNREADABLE, NEVER_ENDED, ELSEWHERE})
"""After these the job may have a transcript yet: another job would be paid for twice."""

_CLASSES = (
    ("the s3 uri that you provided can't be accessed", MEDIA_NOT_ACCESSIBLE),
    ("your audio file must have a speech segment", NO_SPEECH),
    ("maximum audio duration", TOO_LONG),
    ("too long", TOO_LONG),
    ("minimum audio duration", TOO_SHORT),
    ("file length is too small", TOO_SHORT),
    ("invalid file size", TOO_LARGE),
    ("file size", TOO_LARGE),
    ("unsupported media format", UNSUPPORTED),
    ("the media format provided does not match", FORMAT_MISMATCH),
    ("the media format that you specified doesn't match", FORMAT_MISMATCH),
    ("invalid sample rate", SAMPLE_RATE),
    ("the sample rate provided does not match", SAMPLE_RATE),
    ("invalid number of channels", TOO_MANY_CHANNELS),
    ("the data in your input media file isn't valid", NOT_VALID),
    ("failed to parse audio file", NOT_VALID),
)

_ADVICE = {
    MEDIA_NOT_ACCESSIBLE: "Allow s3:GetObject there, in the region of the jobs; then `retry`.",
    GONE: "It was deleted since it was listed; there is nothing to do.",
    NO_SPEECH: "Set fallback_language in [transcribe]; `retry` then has it transcribed in that "
    "language.",
    BROKEN_TRANSCRIPT: "Put it back with `transcribe-pipeline retry`; that pays for it again.",
    OTHER_MEDIA: "Put it back with `transcribe-pipeline retry`: its next job has another name.",
    OTHER_PLACE: "Delete this state file and run with the --results of that job, or use `retry`.",
    ELSEWHERE: "Run the same command with credentials of that account; if no account has the "
    "job, `retry --new-job` pays for another one.",
    LOST: "Put it back with `transcribe-pipeline retry`; that pays for it again.",
    UNREADABLE: "Allow s3:GetObject on it, and kms:Decrypt with its key; `retry` then reads it "
    "again, without a new job.",
    NEVER_ENDED: "`retry` looks at the job again; `retry --new-job` starts another.",
    TOO_LONG: "Split the recording; the service takes four hours.",
    TOO_SHORT: "The service takes recordings of half a second and more.",
    TOO_LARGE: "Split or re-encode the recording; the service takes 2 GB.",
    UNSUPPORTED: "Convert it to FLAC, WAV or MP3.",
    FORMAT_MISMATCH: "Give the file the extension of what it holds, or set media_format = "
    "'detect' for it in [[rules]]; then `retry`.",
    SAMPLE_RATE: "Convert it to between 8 and 48 kHz.",
    TOO_MANY_CHANNELS: "Mix it down to one or two channels.",
    NOT_VALID: "Listen to the file; it is damaged or no audio.",
    FAULT: "Put it back with `transcribe-pipeline retry`.",
}


def classify(message: str) -> str:
    """The class of a failure, from the service's words."""
    lower = message.lower()
    otherwise = FAULT if lower.startswith("internal") else REFUSED
    return next((reason for part, reason in _CLASSES if part in lower), otherwise)


def advice(reason: str) -> str | None:
    """What to do about a class of failure; None where only the service's words can tell."""
    return _ADVICE.get(reason)
