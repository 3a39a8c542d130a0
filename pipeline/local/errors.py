"""A call that is refused: an error code, a sentence and an HTTP status."""

from __future__ import annotations

from http import HTTPStatus


class Refused(Exception):
    """The call is answered with `code` and `message`, as JSON by Transcribe and as XML by S3.

    Recorded answers of Amazon Transcribe carry status 400 for everything the caller can change.
    """

    def __init__(self, code: str, message: str, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = int(status)


def bad_request(message: str) -> Refused:
    """A BadRequestException, Transcribe's code for everything that is wrong in a request."""
    return Refused("BadRequestException", message)


def no_such_key() -> Refused:
    """S3's answer for an object that is not there."""
    return Refused("NoSuchKey", "The specified key does not exist.", HTTPStatus.NOT_FOUND)
