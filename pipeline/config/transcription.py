"""What the service is asked for: every option of StartTranscriptionJob, as `[transcribe]` has it.

Names and bounds are those of the service's model (botocore, transcribe/2017-10-26). Which options
go together is in `transcription_rules`, how they are written into a request in `jobs/request`. Not
offered is `Media.RedactedMediaFileUri`, which is of Call Analytics alone.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

AUTO = "auto"
MULTIPLE = "multiple"
"""The words of `language` for one language that is to be identified, and for several."""

IDENTIFIED = frozenset({AUTO, MULTIPLE})
DETECT = "detect"
"""The word of `media_format` for none at all."""

OF_THE_RUN = frozenset({"data_access_role", "job_prefix"})
"""Settings that hold for every recording: no rule changes them."""

WITHOUT_EFFECT = OF_THE_RUN | {
    "encryption_context",
    "fallback_language",  # it is of another job of the same recording
    "kms_key",
    "media_format",
    "sample_rate",
    "tags",
}
"""Settings that change nothing of what the service hears or writes down."""

MediaFormat = Literal["mp3", "mp4", "wav", "flac", "ogg", "amr", "webm", "m4a"]
"""The service's names of what it takes, which are extensions too; they stand here alone."""

EXTENSIONS: dict[str, MediaFormat] = {
    "m4b": "m4a",
    "mpeg": "mp3",
    "mpga": "mp3",
    "oga": "ogg",
    "opus": "ogg",
    "wave": "wav",
    "weba": "webm",
}
"""Other extensions that people give to the same containers."""

Names = dict[str, str]


class Transcribe(msgspec.Struct, frozen=True):
    """What the service is asked for."""

    language: Annotated[
        str,
        Meta(description="Language of the recordings (en-US), or auto or multiple to identify it."),
    ] = "en-US"
    language_options: Annotated[
        list[str], Meta(description="Languages to choose from when identifying, two or more.")
    ] = msgspec.field(default_factory=list)
    fallback_language: Annotated[
        str,
        Meta(description="Language of recordings with too little speech to identify theirs by."),
    ] = ""
    vocabulary: Annotated[
        str, Meta(description="Custom vocabulary of that language, as `vocabulary apply` names it.")
    ] = ""
    vocabularies: Annotated[
        Names, Meta(description="Custom vocabulary of each language that may be identified.")
    ] = msgspec.field(default_factory=dict)
    vocabulary_filter: Annotated[str, Meta(description="Vocabulary filter of that language.")] = ""
    vocabulary_filters: Annotated[
        Names, Meta(description="Vocabulary filter of each language that may be identified.")
    ] = msgspec.field(default_factory=dict)
    vocabulary_filter_method: Annotated[
        Literal["", "remove", "mask", "tag"],
        Meta(description="What becomes of a filtered word: remove, mask or tag."),
    ] = ""
    language_model: Annotated[str, Meta(description="Custom language model of that language.")] = ""
    language_models: Annotated[
        Names, Meta(description="Custom language model of each language that may be identified.")
    ] = msgspec.field(default_factory=dict)
    max_speakers: Annotated[
        int, Meta(ge=0, le=30, description="Speakers to tell apart, 2 to 30; 0 tells none apart.")
    ] = 0
    channel_identification: Annotated[
        bool, Meta(description="Whether the two channels are transcribed apart.")
    ] = False
    max_alternatives: Annotated[
        int, Meta(ge=0, le=10, description="Versions of each segment, 2 to 10; 0 is the best one.")
    ] = 0
    redaction: Annotated[
        Literal["", "redacted", "redacted_and_unredacted"],
        Meta(description="Hide personal data: redacted, or redacted_and_unredacted."),
    ] = ""
    pii_entity_types: Annotated[
        list[str], Meta(description="Kinds of personal data to hide; all of them when empty.")
    ] = msgspec.field(default_factory=list)
    toxicity: Annotated[bool, Meta(description="Whether toxic speech is looked for.")] = False
    subtitles: Annotated[
        list[Literal["vtt", "srt"]], Meta(description="Subtitle files below --results: vtt, srt.")
    ] = msgspec.field(default_factory=list)
    subtitle_start_index: Annotated[
        int, Meta(ge=0, le=1, description="Number of the first subtitle, 0 or 1.")
    ] = 0
    media_format: Annotated[
        Literal["", "detect", MediaFormat],
        Meta(description="Container of the recordings; detect says nothing of it."),
    ] = ""
    sample_rate: Annotated[
        int, Meta(ge=0, le=48_000, description="Their sample rate in Hz, 8000 to 48000; 0 is any.")
    ] = 0
    kms_key: Annotated[
        str, Meta(description="ARN of the KMS key that encrypts what is below --results.")
    ] = ""
    encryption_context: Annotated[
        Names, Meta(description="Encryption context of that key, up to ten pairs.")
    ] = msgspec.field(default_factory=dict)
    tags: Annotated[Names, Meta(description="Tags of every job.")] = msgspec.field(
        default_factory=dict
    )
    data_access_role: Annotated[
        str,
        Meta(description="ARN of the role with which the service may queue up to 10,000 jobs."),
    ] = ""
    job_prefix: Annotated[str, Meta(description="What the names of all jobs begin with.")] = (
        "transcribe-pipeline"
    )

    @property
    def identifies(self) -> bool:
        """Whether the service is to find out which language is spoken."""
        return self.language in IDENTIFIED

    def in_language(self, code: str) -> Transcribe:
        """The same settings where the language is given, with what is named for that language."""
        word_filter = self.vocabulary_filters.get(code, "")
        return msgspec.structs.replace(
            self,
            language=code,
            language_options=[],
            fallback_language="",
            vocabulary=self.vocabularies.get(code, ""),
            vocabularies={},
            vocabulary_filter=word_filter,
            vocabulary_filters={},
            vocabulary_filter_method=self.vocabulary_filter_method if word_filter else "",
            language_model=self.language_models.get(code, ""),
            language_models={},
        )

    @property
    def fingerprint(self) -> str:
        """The settings that change a result, as one string: others name no new job.

        Only what is set is in it, so that a new kind of setting leaves every known job its name.
        Of a vocabulary its name counts, not what it holds: an updated one is used for what is new,
        and does not make a whole bucket be paid for again. Under another name it does.
        """
        texts = ((name, _text(getattr(self, name))) for name in _RESULT)
        return f"language={self.language}" + "".join(f"&{n}={text}" for n, text in texts if text)


_RESULT = sorted(set(Transcribe.__struct_fields__) - WITHOUT_EFFECT - {"language"})


def _text(value: Any) -> str:
    """A value without "&" and "=", whatever the order of its parts; "" where it is not set."""
    if isinstance(value, dict):
        return ",".join(f"{name}:{value[name]}" for name in sorted(value))
    if isinstance(value, list):
        return ",".join(sorted(value))
    return str(value) if value else ""


def parse_fingerprint(fingerprint: str) -> dict[str, str]:
    """The settings of a fingerprint by their names, each as text."""
    return dict(part.split("=", 1) for part in fingerprint.split("&"))
