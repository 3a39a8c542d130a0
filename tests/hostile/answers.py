"""What stands before a command that meets an answer, which calls get it, and how long it waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.world import IMPATIENT, SOON_TIRED
from tests.support.hostile_answers import BODIES, REDIRECTS, Hostile
from tests.support.interceptor import Hostility

if TYPE_CHECKING:
    from tests.hostile.commands import Command
    from tests.hostile.world import World

ONE_OF_MANY = {
    "find recording",
    "read sidecar",
    "read tags",
    "read transcript",
    "fetch transcript",
    "read recording",
    "start job",
    "get job",
    "find transcript",
}
"""Calls about one of many things, which may be gone while the others are there."""


def hostility(kind: str, answer: Hostile) -> Hostility:
    """The calls that are answered so: where something is gone it is one, or for a moment.

    A transcript that is too large is one too.
    """
    gone = answer is Hostile.GONE
    for_a_moment = gone and kind in ("get job", "get vocabulary")
    one = gone and kind in ONE_OF_MANY
    one |= answer is Hostile.HUGE and kind in ("read transcript", "fetch transcript")
    return Hostility(kind, answer, one=one, most=1 if for_a_moment else 10**6)


def patience(answer: Hostile) -> dict[str, str]:
    """The settings that make a test quick: an answer that never ends is waited for in vain."""
    if answer in (Hostile.ENDLESS, Hostile.DRIPPING):
        return IMPATIENT
    return SOON_TIRED if answer in BODIES or answer in REDIRECTS else {}


def begin(world: World, given: Command) -> None:
    """What is there before the command."""
    given.prepare(world)
    if given.before:
        assert world.run(*given.before).code == 0
    world.interceptor.calls.clear()
