"""Lists that come page by page: each page leads on, or the list would never end; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pipeline.errors import ServiceUnreachable

if TYPE_CHECKING:
    from collections.abc import Hashable

Mark = TypeVar("Mark", bound="Hashable")


class Pages:
    """What the pages of one list were asked for with; `title` names the list in a sentence."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._marks: set[int] = set()

    def following(self, mark: Mark) -> Mark:
        """The mark of the next page (a token, a number), which no page before it had.

        Raises:
            ServiceUnreachable: one had. What was listed so far is not the whole list.
        """
        known = hash(mark)  # tokens are long, and a bucket has thousands of pages
        if known in self._marks:
            raise ServiceUnreachable(
                f"{self._title} has no end: the service gives out the same page again",
                "A proxy or another program may answer in the service's place; run the same "
                "command again later.",
            )
        self._marks.add(known)
        return mark
