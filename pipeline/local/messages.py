"""The service's own sentences, as they were recorded or documented.

Programs branch on them, so they are kept word for word, odd units and missing spaces included.
Sentences that begin with `LOCAL` are this endpoint's own.
"""

from __future__ import annotations

NAME_TAKEN = "The requested job name already exists. Use a different job name."
NO_SUCH_JOB = "The requested job couldn't be found. Check the job name and try your request again."
STILL_RUNNING = (
    "The requested job can't be deleted because it's still in progress. "
    "Wait for the job to finish and try your request again."
)
NO_FREE_SLOT = "You have too many jobs running at the same time. Try your request again later."
QUEUE_FULL = "The job queue is full. Try your request again later."
RATE_EXCEEDED = "Rate exceeded"
SERVER_ERROR = (
    "There was an internal error. Check the error message, correct the issue, and try again."
)

INPUT_UNREADABLE = (
    "The S3 URI that you provided can't be accessed. "
    "Make sure that you have read permission and try your request again."
)
OUTPUT_UNWRITABLE = (
    "The specified S3 bucket can't be accessed. "
    "Make sure you have write permission on the bucket and try your request again."
)
NO_LANGUAGE = (
    "The language code is missing. Either add a language code or turn on language identification."
)
TOO_MANY_LANGUAGES = (
    "Specify only one of these: a language code, language identification, or "
    "multiple language identification."
)
NO_VOCABULARY = (
    "The requested vocabulary couldn't be found. "
    "Check the vocabulary name and try your request again."
)
VOCABULARY_TAKEN = "The requested vocabulary name already exists. Use a different vocabulary name."
VOCABULARY_NOT_VALID = (
    "The vocabulary that you\u2019re trying to create contains invalid characters or incorrectly "
    "formatted terms. See the developer guide for more information."
)
TOO_MUCH = (
    "You've either sent too many requests or your input file is too long. Wait before you retry "
    "your request, or use a smaller file and try your request again."
)
NO_VOCABULARY_FILTER = (
    "The requested vocabulary filter couldn't be found. "
    "Check the vocabulary filter name and try your request again."
)
NO_LANGUAGE_MODEL = (
    "The requested language model couldn't be found. "
    "Check the language model name and try your request again."
)

FILE_TOO_LARGE = "Invalid file size: file size too large"
AUDIO_TOO_LONG = (
    "Invalid file size: file size too large. Maximum audio duration is 4.000000 hours."
    "Check the length of the file and try your request again."
)
AUDIO_TOO_SHORT = (
    "The input media file length is too small. Minimum audio duration is 0.500000 milliseconds."
    "Check the length of the file and try your request again."
)
TOO_MANY_CHANNELS = "Invalid number of channels: number of channels too large"
UNSUPPORTED_FORMAT = "Unsupported media format"
FORMAT_MISMATCH = "The media format provided does not match the detected media format"
BAD_SAMPLE_RATE = "Invalid sample rate for audio file"
SAMPLE_RATE_MISMATCH = "The sample rate provided does not match the detected sample rate"
DATA_NOT_VALID = (
    "The data in your input media file isn't valid. "
    "Check the media file and try your request again."
)
NO_SPEECH_TO_IDENTIFY = (
    "Your audio file must have a speech segment long enough in duration to perform automatic "
    "language identification. Provide an audio file with someone speaking for a longer period "
    "of time and try your request again."
)
INTERNAL_FAILURE = "Internal failure. Try your request again."

LOCAL_LANGUAGE = (
    "This local endpoint recognizes US English: use en-US (another en- code is recognized with "
    "the same model), or IdentifyLanguage, which is answered as en-US. Language codes of other "
    "languages need Amazon Transcribe itself."
)

LOCAL_VOCABULARY_PENDING = (
    "The requested vocabulary is still being processed. Wait until its state has changed and try "
    "your request again."
)
LOCAL_VOCABULARY_NOT_READY = (
    "The requested vocabulary isn't ready. Wait until its state is READY and try your request "
    "again."
)
LOCAL_VOCABULARY_LANGUAGE = (
    "The requested vocabulary is of another language than the job. Use one of the job's language."
)
LOCAL_VOCABULARY_INPUT = "Include either Phrases or VocabularyFileUri."


def must_include(parameter: str, missing: str) -> str:
    """The sentence for a parameter that goes with another one, which is missing."""
    return f"If you include {parameter} you must also include {missing}."


def local_of_one_language(parameter: str) -> str:
    """The sentence for what goes with a language code, in a request that has none."""
    return (
        f"{parameter} goes with a LanguageCode. With language identification use "
        "LanguageIdSettings."
    )


def local_lacks(parameter: str) -> str:
    """The sentence for a parameter of the service that this endpoint has no machinery for."""
    return f"This local endpoint doesn't offer {parameter}. Leave it out, or use Amazon Transcribe."
