"""What is sent to Label Studio beside JSON, and what its answers hold."""

from __future__ import annotations

from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import aiohttp
import msgspec

from pipeline.label_studio.errors import no_label_studio
from pipeline.net.density import is_bounded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

T = TypeVar("T")


class Upload(NamedTuple):
    """A file that is sent: what the server is to call it, and its content or where that is."""

    name: str
    content: bytes | Path


@contextmanager
def sendable(body: bytes | Upload | None) -> Iterator[bytes | aiohttp.FormData | None]:
    """A body as it is sent; a file is read on the way, in small pieces."""
    if not isinstance(body, Upload):
        yield body
        return
    content = body.content
    with BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        form = aiohttp.FormData()
        form.add_field("file", file, filename=body.name, content_type="application/octet-stream")
        yield form


def decoded(url: str, kind: type[T], body: bytes) -> T:
    """What the answer of the server at `url` holds.

    Raises:
        BadSettings: it is not that of the API.
    """
    if not is_bounded(body):
        raise no_label_studio(url, "its answer holds more than was asked for")
    try:
        return msgspec.json.decode(body, type=kind)
    except Exception as error:
        raise no_label_studio(url, "its answer is not that of the API") from error
