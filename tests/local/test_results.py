from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.local.results import Signer, Store, job_number, transcript_path
from pipeline.local.s3_wire import S3Error

PATH = transcript_path("job", 7)


def test_an_address_opens_for_fifteen_minutes():
    """It says so itself, and it is so."""
    signer = Signer()
    address = signer.sign(PATH, 1000.0)

    signer.check(address, 1899.0)
    with pytest.raises(S3Error, match="AccessDenied: Request has expired"):
        signer.check(address, 1900.0)
    assert parse_qs(urlsplit(address).query)["X-Amz-Expires"] == ["900"]


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        (lambda address: address[:-1] + ("0" if address[-1] != "0" else "1"), "SignatureDoesNot"),
        (lambda address: address.replace("/job/", "/bob/"), "SignatureDoesNotMatch"),
        (lambda address: address.replace("Expires=900", "Expires=999"), "SignatureDoesNotMatch"),
        (lambda address: address + "\u00e9", "SignatureDoesNotMatch"),
        (lambda address: address.partition("?")[0], "AccessDenied: Access Denied"),
    ],
)
def test_a_made_up_address_does_not_open(forge, words):
    """Neither another path nor a longer life nor a guess passes."""
    signer = Signer()

    with pytest.raises(S3Error, match=words):
        signer.check(forge(signer.sign(PATH, 1000.0)), 1000.0)


def test_every_address_is_another():
    """Two signed at the same moment differ."""
    signer = Signer()

    assert signer.sign(PATH, 1000.0) != signer.sign(PATH, 1000.0)


def test_the_path_tells_the_job():
    """The job's number is in it; a path without one belongs to no job."""
    assert job_number(PATH) == 7
    with pytest.raises(S3Error, match="NoSuchKey"):
        job_number("/aws-transcribe-us-east-1-prod/x")


def test_what_is_stored_is_read_back():
    """Each transcript has a place of its own."""
    with Store() as store:
        places = [store.add(content) for content in (b"one", b"", "drei ü".encode())]

        assert [store.read(place) for place in places] == [b"one", b"", "drei ü".encode()]
