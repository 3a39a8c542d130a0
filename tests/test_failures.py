"""The service's words for a failure, sorted into classes with advice."""

from __future__ import annotations

import pytest

from pipeline.failures import (
    BROKEN_TRANSCRIPT,
    FAULT,
    LOST,
    MEDIA_NOT_ACCESSIBLE,
    NO_SPEECH,
    OTHER_MEDIA,
    OTHER_PLACE,
    REFUSED,
    TOO_LARGE,
    TOO_LONG,
    advice,
    classify,
)

# Documented or recorded; the last column is the class.
RECORDED = [
    ("Unsupported media format", "unsupported format"),
    (
        "The media format provided does not match the detected media format",
        "format does not match",
    ),
    (
        (
            "The media format that you specified doesn't match the detected media format. Check "
            "the media format and try your request again."
        ),
        "format does not match",
    ),
    ("Invalid sample rate for audio file", "sample rate"),
    ("The sample rate provided does not match the detected sample rate", "sample rate"),
    ("Invalid file size: file size too large", TOO_LARGE),
    (
        (
            "Invalid file size: file size too large. Maximum audio duration is 4.000000 hours."
            "Check the length of the file and try your request again."
        ),
        TOO_LONG,
    ),
    ("Invalid number of channels: number of channels too large", "too many channels"),
    (
        (
            "The input media file length is too small. Minimum audio duration is 0.500000 "
            "milliseconds. Check the length of the file and try your request again."
        ),
        "too short",
    ),
    (
        (
            "Your audio file must have a speech segment long enough in duration to perform "
            "automatic language identification. Provide an audio file with someone speaking for a "
            "longer period of time and try your request again."
        ),
        NO_SPEECH,
    ),
    (
        (
            "The data in your input media file isn't valid. Check the media file and try your "
            "request again."
        ),
        "not valid media",
    ),
    ("Failed to parse audio file", "not valid media"),
    ("Internal Error. Please try your request again.", FAULT),
    ("Internal service failure", FAULT),
    (
        (
            "The S3 URI that you provided can't be accessed. Make sure that you have read "
            "permission and try your request again."
        ),
        MEDIA_NOT_ACCESSIBLE,
    ),
    (
        (
            "1 validation error detected: Value 'x' at 'languageCode' failed to satisfy "
            "constraint: Member must satisfy enum value set: [en-US, de-DE]"
        ),
        REFUSED,
    ),
    ("Something that nobody has ever recorded", REFUSED),
    ("", REFUSED),
]


@pytest.mark.parametrize(("words", "reason"), RECORDED)
def test_a_recorded_failure_has_its_class(words, reason):
    """Every failure that was ever recorded is of this class."""
    assert reason == classify(words)


@pytest.mark.parametrize(("words", "reason"), RECORDED)
def test_upper_and_lower_case_do_not_matter(words, reason):
    """A change of case in the service's words changes no class."""
    assert reason == classify(words.upper())


def test_the_word_internal_inside_a_name_is_no_fault():
    """Only what begins with Internal is the service's own fault: a bucket may be called so."""
    words = "1 validation error detected: Value 's3://internal-calls/a' at 'media.mediaFileUri'"

    assert classify(words) == REFUSED


@pytest.mark.parametrize(
    "reason",
    sorted(
        {r for _, r in RECORDED} - {REFUSED} | {BROKEN_TRANSCRIPT, LOST, OTHER_MEDIA, OTHER_PLACE}
    ),
)
def test_every_known_class_has_advice(reason):
    """Who reads a class of failure also reads what to do about it, in a sentence."""
    said = advice(reason)

    assert said is not None
    assert said.endswith(".")


def test_what_is_not_known_has_no_advice():
    """Where only the service's words can tell, nothing is made up."""
    assert advice(REFUSED) is None
