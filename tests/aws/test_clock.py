"""A clock that is wrong is told as one, by how much, and never as a wrong key."""

from __future__ import annotations

import pytest

from pipeline.aws.error_codes import meaning
from pipeline.errors import Denied, NoAccess

EARLY = (
    "Signature expired: 20261128T100000Z is now earlier than 20261128T110500Z "
    "(20261128T111000Z - 5 min.)"
)
LATE = (
    "Signature not yet current: 20261129T111000Z is still later than 20261128T111500Z "
    "(20261128T111000Z + 5 min.)"
)


@pytest.mark.parametrize(
    "code", ["InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure"]
)
@pytest.mark.parametrize(("words", "off"), [(EARLY, "1 h 10 min behind"), (LATE, "1 d ahead")])
def test_a_signature_out_of_its_time_says_how_wrong_the_clock_is(code, words, off):
    """Transcribe, STS and IAM tell both moments, with the code of a wrong secret key."""
    error = meaning("transcribe:ListTranscriptionJobs", code, words)

    assert type(error) is NoAccess
    assert f"this machine's clock is {off}" in error.problem
    assert words in error.problem
    assert "NTP" in error.advice


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is"),
        ("AccessDenied", "Request has expired"),
        ("AccessDenied", "Request is not yet valid"),
        ("RequestExpired", "Request has expired."),
    ],
)
def test_s3_says_only_that_it_is_wrong(code, words):
    """S3 takes a presigned URL out of its time for one without a permission."""
    error = meaning("s3:ListBucket on s3://audio", code, words)

    assert type(error) is NoAccess
    assert "this machine's clock is wrong" in error.problem


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        ("SignatureDoesNotMatch", "The request signature we calculated does not match", NoAccess),
        ("AccessDenied", "Access Denied", Denied),
    ],
)
def test_other_refusals_are_about_what_they_were(code, words, kind):
    """A key that is wrong, or a right that is missing, has nothing to do with the clock."""
    error = meaning("s3:ListBucket on s3://audio", code, words)

    assert type(error) is kind
    assert "clock" not in str(error)
