"""What the stages know of events that tell when jobs end; `pipeline.events` is one that does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class JobEvents(Protocol):
    """How far to rely on events, so that jobs are listed no oftener than need be."""

    def listing_is_due(
        self,
        now: float,
        typical: float | None,
        overdue: Callable[[float], int],
        *,
        ending: bool,
    ) -> bool:
        """Whether the jobs are to be listed now.

        Args:
            now: the present moment of the loop's clock, in seconds.
            typical: how long a job takes, None while none has ended.
            overdue: how many of the waiting jobs were started longer ago than so many seconds.
            ending: whether every recording has been started.
        """

    def on_poll(self, begun: float, ended: int) -> bool:
        """A listing, begun then, has shown that so many had ended without an event.

        Returns whether it is time to say, once, that no events come.
        """
