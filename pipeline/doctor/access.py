"""An account as the doctor asks it: its connections, and the line about its credentials."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pipeline.aws.service import Service
from pipeline.doctor import account
from pipeline.doctor.findings import credentials_refused, skipped
from pipeline.doctor.runner import Check, once
from pipeline.errors import PipelineError
from pipeline.net.wait_times import WaitTimes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pipeline.aws.s3 import S3
    from pipeline.aws.session import Session
    from pipeline.doctor.findings import Finding

    Examine = Callable[[], Awaitable[Finding]]


class AccountAccess:
    """What an account is asked through; `identity` tells who its credentials are of."""

    def __init__(self, session: Session, s3: S3) -> None:
        self.session = session
        self.s3 = s3
        self.waiting = WaitTimes()
        self.service = partial(Service, session, waiting=self.waiting)
        self.identity = once(partial(account.who, self.service("sts")))

    def credentials(self) -> Check:
        """The line about the credentials themselves."""
        held = self.session.credentials
        examine = partial(account.credentials, self.identity, held)
        return Check("credentials", examine, needed=False)

    def check(self, name: str, examine: Examine) -> Check:
        """A line that needs good credentials: where they are refused, their own line says it."""

        async def with_credentials() -> Finding:
            try:
                return await examine()
            except PipelineError as error:
                if credentials_refused(error) and await self._are_refused():
                    return skipped("It needs credentials that are good.")
                raise

        return Check(name, with_credentials)

    async def _are_refused(self) -> bool:
        """Whether the credentials' own line says so already."""
        try:
            await self.identity()
        except PipelineError as error:
            return credentials_refused(error)
        return False
