"""Sessions and their clients, renewed when a token expires."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import aioboto3
import msgspec
from aiobotocore.config import AioConfig

from pipeline import __version__
from pipeline.aws.credentials import held_credentials
from pipeline.aws.error_codes import CREDENTIALS_STEP, translated
from pipeline.aws.machine import bundle_of, checked_region, endpoint_of, machine_session
from pipeline.config.schema import Limits
from pipeline.errors import CannotRun, Expired
from pipeline.net.http import trusting

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from pipeline.config.schema import Aws

_CONNECT_SECONDS = 10
_RENEWAL_SECONDS = 60.0
_READ_SECONDS = 60
_NO_OTHER_LIMITS = Limits()


class Session:
    """An open connection to one account and region: the clients, renewed when a token expires."""

    transcribe: Any
    s3: Any
    credentials: Any
    region: str
    trust: ssl.SSLContext

    def __init__(
        self,
        settings: Aws,
        connections: int,
        keys: tuple[str, str] | None,
        limits: Limits = _NO_OTHER_LIMITS,
    ) -> None:
        self.settings = settings
        self.limits = limits
        self.connections = connections
        self._keys = keys
        self._stack = AsyncExitStack()
        self._clients: dict[str, Any] = {}
        self._opening = asyncio.Lock()
        self._renewing = asyncio.Lock()
        self._renewed_at = -math.inf

    async def open(self) -> None:
        """Open the clients with the credentials that the machine has now.

        Raises:
            BadSettings: no region or none that there is, no such profile, no such certificates.
            NoAccess: no credentials.
            ServiceUnreachable: nobody answers who could give them.
        """
        with translated("connecting"):
            self._machine = machine = machine_session(self.settings, self._keys)
            self._aioboto3 = aioboto3.Session(botocore_session=machine)
            self._bundle = bundle_of(machine)
            self.trust = trusting(self._bundle)
            elsewhere = endpoint_of(machine, self.settings, "transcribe") is not None
            self.region = await checked_region(machine, elsewhere=elsewhere)
            self.credentials = await held_credentials(machine, prompting=not self._keys)
            self.transcribe = await self._opened("transcribe")
            self.s3 = await self._opened("s3")
        self._clients = {"transcribe": self.transcribe, "s3": self.s3}

    async def client(self, service: str) -> Any:
        """The client of a service by botocore's name for it, such as `iam`; opened when asked for.

        Ask for it again before each call: after a renewal it is another one. `aws.service.Service`
        does so, and translates what goes wrong.
        """
        if service not in self._clients:
            async with self._opening:
                if service not in self._clients:
                    with translated(f"connecting to {service}"):
                        self._clients[service] = await self._opened(service)
        return self._clients[service]

    async def _opened(self, service: str) -> Any:
        config = _config(self.connections)
        endpoint = endpoint_of(self._machine, self.settings, service)
        if service == "s3":
            config = config.merge(_s3_config(elsewhere=endpoint is not None))
        client = self._aioboto3.client(
            service, endpoint_url=endpoint, verify=self._bundle, config=config
        )
        return await self._stack.enter_async_context(client)

    async def renew(self, signed: float) -> None:
        """Take up newer credentials, at most once a minute; calls under way keep their client.

        Args:
            signed: when the call was signed whose token had expired (seconds, monotonic).

        Raises:
            Expired: they were renewed just now, and that did not help.
        """
        async with self._renewing:
            if signed < self._renewed_at:
                return  # another call has renewed them in the meantime
            if time.monotonic() - self._renewed_at < _RENEWAL_SECONDS:
                raise Expired("The session token has expired", CREDENTIALS_STEP)
            await self.open()
            self._renewed_at = time.monotonic()

    async def close(self) -> None:
        """Close every client."""
        await self._stack.aclose()


@asynccontextmanager
async def connect(
    settings: Aws,
    connections: int,
    keys: tuple[str, str] | None = None,
    limits: Limits = _NO_OTHER_LIMITS,
) -> AsyncIterator[Session]:
    """Open the clients of a run.

    Args:
        settings: profile, region and endpoint; the AWS environment variables hold below them.
        connections: how many Transcribe calls may be under way at once.
        keys: access key and secret instead of the machine's credentials.
        limits: how long one call may take, and for how long it is made again.

    Raises:
        BadSettings: no region, or no such profile.
        NoAccess: no credentials.
    """
    session = Session(settings, connections, keys, limits)
    try:
        await session.open()
        yield session
    finally:
        await session.close()


@asynccontextmanager
async def connect_lane(session: Session, profile: str) -> AsyncIterator[Session]:
    """Open the clients of another profile in the same region; the session itself for "".

    Raises:
        CannotRun: there is no such profile, or it has no credentials; it names the profile.
    """
    if not profile:
        yield session
        return
    settings = msgspec.structs.replace(session.settings, profile=profile, region=session.region)
    async with AsyncExitStack() as stack:
        try:
            lane = await stack.enter_async_context(
                connect(settings, session.connections, limits=session.limits)
            )
        except CannotRun as error:
            raise type(error)(
                f"The profile {profile} of lanes can't be used: {error.problem}",
                "Have the AWS credentials files of this machine hold its keys, or write the "
                "profile's name in lanes as it is there.",
                action=error.action,
                message=error.message,
            ) from error
        yield lane


def _config(connections: int) -> AioConfig:
    return AioConfig(
        # Found in CloudTrail by this name; botocore's own would be spelt again for every call.
        user_agent=f"transcribe-pipeline/{__version__}",
        max_pool_connections=connections,
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        # The retry layer is RateLimitedCall alone; this mode asks first how many tries are left.
        retries={"total_max_attempts": 1, "mode": "standard"},
    )


def _s3_config(*, elsewhere: bool) -> AioConfig:
    """For presigning: s3v4, or most regions and KMS objects refuse the URL."""
    # "auto" would sign for the global host, which newer regions refuse and new buckets redirect.
    style = "path" if elsewhere else "virtual"
    return AioConfig(signature_version="s3v4", s3={"addressing_style": style})
