from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from pipeline.local.errors import Refused
from pipeline.local.presigned import Signer
from pipeline.local.signatures import Received
from pipeline.local.store import transcript_path

PATH = transcript_path("job", 7)
URL = "http://127.0.0.1:8080"


def asked(address: str, host: str = "127.0.0.1:8080") -> Received:
    """The request of who was handed an address."""
    target = "/" + address.removeprefix("http://").partition("/")[2]
    return Received("GET", target, CIMultiDictProxy(CIMultiDict({"Host": host})))


def test_an_address_opens_for_fifteen_minutes():
    """It says so itself, and it is so."""
    signer = Signer(URL)
    address = signer.sign(PATH, 1000.0)

    assert signer.check(asked(address), 1899.0) == PATH
    with pytest.raises(Refused, match="AccessDenied: Request has expired"):
        signer.check(asked(address), 1900.0)
    assert parse_qs(urlsplit(address).query)["X-Amz-Expires"] == ["900"]


def test_a_port_that_no_client_sends_is_not_signed():
    """Of plain HTTP it is 80: the `Host` of a request that goes there names none."""
    signer = Signer("http://127.0.0.1:80")

    assert signer.check(asked(signer.sign(PATH, 1000.0), "127.0.0.1"), 1000.0) == PATH


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        (lambda address: address[:-1] + ("0" if address[-1] != "0" else "1"), "SignatureDoesNot"),
        (lambda address: address.replace("/job/", "/bob/"), "SignatureDoesNotMatch"),
        (lambda address: address.replace("Expires=900", "Expires=999"), "SignatureDoesNotMatch"),
        (lambda address: address + "\u00e9", "AccessDenied: Access Denied"),
        (lambda address: address.partition("?")[0], "AccessDenied: Access Denied"),
    ],
)
def test_a_made_up_address_does_not_open(forge, words):
    """Neither another path nor a longer life nor a guess passes."""
    signer = Signer(URL)

    with pytest.raises(Refused, match=words):
        signer.check(asked(forge(signer.sign(PATH, 1000.0))), 1000.0)


def test_the_address_of_another_cloud_does_not_open():
    """Each cloud signs with a key of its own, which nobody is told."""
    with pytest.raises(Refused, match="InvalidAccessKeyId"):
        Signer(URL).check(asked(Signer(URL).sign(PATH, 1000.0)), 1000.0)


def test_every_address_is_another():
    """Two signed at the same moment differ."""
    signer = Signer(URL)

    assert signer.sign(PATH, 1000.0) != signer.sign(PATH, 1000.0)
