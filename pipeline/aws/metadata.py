"""The keys of a role that the machine or the container itself has, as botocore's fetchers ask.

aiobotocore's own session follows redirects: a token of the instance would go along to another host,
and keys that it gives would be taken.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from aiobotocore.awsrequest import AioAWSResponse
from botocore.exceptions import EndpointConnectionError
from yarl import URL

from pipeline.aws.http_session import Body
from pipeline.net.body import body_of
from pipeline.net.bounds import MIB

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from botocore.awsrequest import AWSPreparedRequest

_LARGEST = MIB
_CONTAINER_SECONDS = 2.0  # as botocore's fetcher has it


def ask_no_other_host(machine: Any) -> None:
    """Have a session of botocore's, which has fetched nothing yet, ask them alone for metadata."""
    providers = machine.get_component("credential_provider")
    seconds = float(machine.get_config_variable("metadata_service_timeout"))
    of_machine, of_container = map(providers.get_provider, ("iam-role", "container-role"))
    # No argument leads there.
    of_machine._role_fetcher._session = MetadataSession(seconds)  # noqa: SLF001
    of_container._fetcher._session = MetadataSession(_CONTAINER_SECONDS)  # noqa: SLF001
    # "auto" would ask the machine for its region, over a session of its own.
    machine.set_config_variable("defaults_mode", "legacy")


class MetadataSession:
    """A session as botocore's fetchers of metadata want one; a proxy has no part in it."""

    def __init__(self, seconds: float) -> None:
        self._timeout = aiohttp.ClientTimeout(total=seconds)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Self]:
        """What sends the requests of one question."""
        yield self

    async def send(self, request: AWSPreparedRequest) -> AioAWSResponse:
        """Make one request; a redirect is an answer as any other.

        Raises:
            EndpointConnectionError: no answer, which the fetchers know how to go on from.
            AnswerTooLarge: there is more in it than keys.
        """
        url = URL(request.url, encoded=True)
        try:
            async with (
                aiohttp.ClientSession(timeout=self._timeout) as http,
                http.request(
                    request.method, url, headers=dict(request.headers), allow_redirects=False
                ) as answer,
            ):
                body = await body_of(answer, _LARGEST)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise EndpointConnectionError(endpoint_url=request.url, error=error) from error
        return AioAWSResponse(str(url), answer.status, dict(answer.headers), Body(body))
