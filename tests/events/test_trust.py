"""How far events are relied on, and how often they are asked for."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.events.trust import EventTrust, late, pause


@given(st.none() | st.floats(0.01, 20_000))
def test_receiving_waits_for_more_but_never_long(typical):
    """Between two Receive calls there are 2 seconds at most, a sixtieth of a job's time."""
    assert 0.05 <= pause(typical) <= 2
    assert typical is None or pause(typical) <= max(0.05, typical / 60)


# Seconds of a clock that begins at 0


def due(
    event_trust: EventTrust,
    now: float,
    typical: float | None = 60,
    *,
    ending=False,
    some_late=False,
) -> bool:
    """Whether the jobs are to be listed at this moment."""
    ages = [late(typical) + 1] if some_late else []  # in seconds, of the jobs that run
    return event_trust.listing_is_due(
        now, typical, lambda seconds: sum(age > seconds for age in ages), ending=ending
    )


def told(event_trust: EventTrust, count: int) -> None:
    """So many events come."""
    for _ in range(count):
        event_trust.on_event()


def looks(event_trust: EventTrust, until: int, **how: Any) -> list[int]:
    """The seconds at which the jobs are listed, when no listing finds anything."""
    seen = []
    for now in range(1, until):
        if due(event_trust, now, **how):
            event_trust.on_poll(now, 0)
            seen.append(now)
    return seen


def relied_on(events: int = 10) -> EventTrust:
    """What is relied on since the first second: a listing then found nothing that was not told."""
    event_trust = EventTrust(0)
    told(event_trust, events)
    event_trust.on_poll(0, 0)
    return event_trust


def test_while_events_come_jobs_are_listed_every_five_minutes():
    """Lost events are found by a listing now and then."""
    assert looks(relied_on(), 1000) == [300, 600, 900]


def test_until_the_first_event_listings_become_rarer():
    """Nobody knows yet whether events come, so the listings begin often."""
    seen = looks(EventTrust(0), 300)

    gaps = [later - sooner for sooner, later in zip([0, *seen], seen, strict=False)]
    assert seen[:3] == [15, 38, 72]
    assert gaps == sorted(gaps)
    assert len(seen) < 6


def test_a_late_job_is_looked_for():
    """A job that takes three times as long as others may have lost its event."""
    event_trust = relied_on()

    assert not due(event_trust, 29, some_late=True)
    assert due(event_trust, 30, some_late=True)
    assert (late(None), late(1), late(60)) == (300, 30, 180)


def test_at_the_end_of_the_night_lost_events_are_found_sooner():
    """When every recording was started the jobs are listed as often as a job takes."""
    assert looks(relied_on(), 200, typical=60, ending=True) == [60, 120, 180]
    assert looks(relied_on(), 40, typical=1, ending=True) == [15, 30]


def test_ends_that_no_event_told_end_the_reliance():
    """When a listing finds more ends than events told, the jobs are listed as without events."""
    event_trust = relied_on()
    told(event_trust, 3)

    event_trust.on_poll(300, 4)

    assert not event_trust.relied_on
    assert due(event_trust, 300.1)


def test_quiet_listings_say_nothing_about_events():
    """Where nothing ended and nothing was told, events are trusted as before, or distrusted."""
    event_trust = relied_on()
    event_trust.on_poll(300, 4)

    event_trust.on_poll(301, 0)

    assert not event_trust.relied_on


def test_events_that_come_again_are_relied_on_again():
    """As soon as events tell of as many ends as a listing finds, listings are rare again."""
    event_trust = relied_on()
    event_trust.on_poll(300, 4)
    told(event_trust, 2)

    event_trust.on_poll(303, 1)

    assert event_trust.relied_on
    assert not due(event_trust, 400)


def test_without_the_queue_nothing_is_relied_on():
    """While the queue can't be read the jobs are listed; when it can, they need not be."""
    event_trust = relied_on()

    event_trust.lost()
    assert due(event_trust, 1)
    event_trust.found()
    assert not due(event_trust, 1)


def test_what_was_left_in_flight_is_looked_for_at_once():
    """Jobs that were never listed are, and what that finds says nothing about events."""
    event_trust = EventTrust(-math.inf)

    assert due(event_trust, 0)
    assert not event_trust.on_poll(0, 7)


def test_the_silence_of_events_is_said_once_after_a_minute():
    """One listing may come before an event does; a minute of them is worth a word."""
    event_trust = EventTrust(0)

    said = [now for now in range(5, 300, 5) if event_trust.on_poll(now, 1)]

    assert said == [65]
