"""What botocore sends its requests through: our own connections, as S3's are.

aiobotocore's own session follows redirects with the token and the body of a request, checks no
certificate behind a proxy, and keeps the cause of what went wrong to itself.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.config import AioConfig
from botocore.httpsession import get_cert_path
from yarl import URL

from pipeline.errors import AnswerTooLarge
from pipeline.net.density import is_bounded
from pipeline.net.http import answered, open_http, trusting
from pipeline.net.unreachable import AWS_HINTS, not_the_service

if TYPE_CHECKING:
    import aiohttp
    from botocore.awsrequest import AWSPreparedRequest


class HttpSession:
    """A session as botocore's clients want one; its arguments are the client's."""

    def __init__(self, **client: Any) -> None:
        self._client = client
        self._stack = AsyncExitStack()
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        trust = trusting(trusted(self._client["verify"]))
        # `Service` bounds the whole call, as the settings say.
        opening = open_http(self._client["max_pool_connections"], None, trust)
        self._http = await self._stack.enter_async_context(opening)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._stack.aclose()

    async def send(self, request: AWSPreparedRequest) -> AioAWSResponse:
        """Make one request that is signed already.

        Raises:
            Unavailable: no answer, or none of the service's: it is a redirect or a web page.
            AnswerTooLarge: there is more in it than any call asks for.
        """
        assert self._http is not None
        url = URL(request.url, encoded=True)
        named = {name: _text(value) for name, value in request.headers.items()}
        how: dict[str, Any] = {
            "headers": named | {"Accept-Encoding": "identity"},
            "data": request.body,
            "skip_auto_headers": ("Content-Type",),
        }
        answer, body = await answered(self._http, request.method, url, AWS_HINTS, **how)
        if not is_bounded(body):
            raise AnswerTooLarge(
                f"{url.origin()} answers with more than any call asks for",
                "Check the address, and the proxy in between.",
            )
        if foreign := not_the_service(url, answer.status, answer.headers, body):
            raise foreign
        return AioAWSResponse(str(url), answer.status, dict(answer.headers), Body(body))


class SessionConfig(AioConfig):  # type: ignore[misc] # published without types
    """Settings of clients that keep to our connections, whatever they are merged with."""

    def __init__(self, connector_args: dict[str, Any] | None = None, **settings: Any) -> None:
        settings["http_session_cls"] = HttpSession
        super().__init__(connector_args, **settings)

    def merge(self, other_config: Any) -> SessionConfig:
        """These settings, below those of another one."""
        merged = super().merge(other_config)
        return SessionConfig(self.connector_args, **merged._user_provided_options)  # noqa: SLF001 # as AioConfig.merge does itself, without the class of the session


class Body(NamedTuple):
    """The whole body of an answer, as botocore's parsers ask for it."""

    content: bytes

    async def read(self) -> bytes:
        """All of it."""
        return self.content


def trusted(verify: object) -> str:
    """The file of the authorities that a client trusts: the one it was given, else botocore's."""
    return verify if isinstance(verify, str) and verify else str(get_cert_path(verify=True))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
