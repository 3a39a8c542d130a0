"""When a run has had its time: the next moment that a time of day names, whatever clocks do."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.deadline import seconds_left, until

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]
moments = st.datetimes(datetime(2024, 1, 2), datetime(2030, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 # the zone is given beside
times = st.tuples(st.integers(0, 23), st.integers(0, 59))


@pytest.fixture(name="in_berlin")
def machine_in_berlin(monkeypatch):
    """The machine's own zone is Berlin's."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def hours(text: str, now: datetime) -> float:
    """Hours from `now` until the moment that the text names."""
    return (until(text, now) - now.astimezone(UTC)).total_seconds() / 3600


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("06:00Z", 8),
        ("06:00 Z", 8),
        ("06:00+02:00", 6),
        ("06:00 +0200", 6),
        ("06:00-05:30", 13.5),
        ("06:00 Europe/Berlin", 7),
        ("6:00 Europe/Berlin", 7),
        ("23:15 Europe/Berlin", 0.25),
        ("06:00 Asia/Kathmandu", 2.25),
    ],
)
def test_a_time_is_that_of_its_zone(text, expected):
    """A time of day is the next moment at which a clock of its zone shows it."""
    assert hours(text, datetime(2026, 1, 14, 22, tzinfo=UTC)) == expected


def test_a_time_without_a_zone_is_the_machine_s(in_berlin):
    """Without a zone the machine's own clock is meant, whatever zone the moment is told in."""
    now = datetime(2026, 1, 14, 22, tzinfo=UTC)

    assert hours("06:00", now) == hours("06:00", now.astimezone(BERLIN)) == 7


@pytest.mark.parametrize("text", ["06:00", "06:00 Europe/Berlin"])
@pytest.mark.parametrize(
    ("night", "expected"),
    [("2026-03-28", 7), ("2026-10-24", 9), ("2026-06-01", 8), ("2026-12-31", 8)],
)
def test_a_night_is_as_long_as_the_clocks_make_it(in_berlin, text, night, expected):
    """From 22:00 to 06:00 are 7 hours when summer time begins, and 9 when it ends."""
    evening = datetime.fromisoformat(f"{night}T22:00").replace(tzinfo=BERLIN)

    assert hours(text, evening) == expected


@pytest.mark.parametrize("text", ["02:30", "02:30 Europe/Berlin"])
def test_a_time_that_the_clocks_skip_is_an_hour_later(in_berlin, text):
    """Where no clock shows 02:30 that night, the run ends at 03:30."""
    end = until(text, datetime(2026, 3, 28, 22, tzinfo=BERLIN)).astimezone(BERLIN)

    assert (end.day, end.hour, end.minute) == (29, 3, 30)


@pytest.mark.parametrize("zone", ["", " Europe/Berlin"])
@pytest.mark.parametrize(
    ("text", "now", "minutes"),
    [
        ("02:30", "2026-10-25T01:30+02:00", 60),
        ("02:30", "2026-10-25T02:45+02:00", 45),
        ("02:50", "2026-10-25T02:45+02:00", 5),
        ("02:50", "2026-10-25T02:45+01:00", 5),
        ("02:30", "2026-10-25T02:45+01:00", 23 * 60 + 45),
    ],
)
def test_of_a_time_that_comes_twice_the_next_one_counts(in_berlin, zone, text, now, minutes):
    """In the night when 02:00 to 03:00 comes twice no time lies in the past, or too far off."""
    left = hours(text + zone, datetime.fromisoformat(now))

    assert left * 60 == pytest.approx(minutes)


def test_midnight_is_the_end_of_the_day():
    """00:00 is a time as any other: the next midnight."""
    assert hours("00:00Z", datetime(2026, 1, 14, 22, tzinfo=UTC)) == 2


def test_the_present_minute_is_tomorrow_s():
    """A run that is started at the very time it is to end at has a whole day."""
    now = datetime(2026, 1, 14, 6, tzinfo=UTC)

    assert hours("06:00Z", now) == 24
    assert hours("06:00Z", now - timedelta(seconds=1)) == pytest.approx(1 / 3600)


@given(moments, times, st.sampled_from(ZONES))
def test_the_moment_lies_ahead_and_shows_the_time(now, wanted, zone):
    """It comes within a day, and a clock of the zone then shows it, or it was skipped."""
    hour, minute = wanted

    end = until(f"{hour:02}:{minute:02} {zone}", now)
    shown = end.astimezone(ZoneInfo(zone))

    assert timedelta(0) < end - now <= timedelta(hours=25)
    skipped = (end - timedelta(hours=2)).astimezone(ZoneInfo(zone)).utcoffset()
    assert (shown.hour, shown.minute) == wanted or shown.utcoffset() != skipped


@given(moments, times, st.sampled_from(ZONES))
def test_the_machine_s_zone_is_a_zone_as_any(monkeypatch, now, wanted, zone):
    """A time without a zone is the same moment as with the machine's zone beside it."""
    text = f"{wanted[0]:02}:{wanted[1]:02}"
    with monkeypatch.context() as patched:
        patched.setenv("TZ", zone)
        time.tzset()
        here = until(text, now)
    time.tzset()

    assert here == until(f"{text} {zone}", now)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "noon",
            "6",
            "6:5",
            "24:00",
            "06:60",
            "-1:00",
            "06:00:00",
            "06:00\n",
            " 06:00",
            "\u0660\u0666:00",
        ),
        *("06:00 Nowhere", "06:00 Europe", "06:00 ../UTC", "06:00 /etc/passwd", "06:00 \x00"),
        *("06:00+25:00", "06:00+2", "06:00+02:99", "06:00  UTC"),
    ],
)
def test_what_is_no_time_of_day_is_refused(text):
    """A mistyped time is an error with a reason, never another time."""
    with pytest.raises(ValueError, match=r"is no time of day|must be in|there is no time zone"):
        until(text, datetime(2026, 1, 14, 22, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [
        ("", 0, None),
        ("", 1.5, 5_400),
        ("06:00Z", 0, 8 * 3600),
        ("06:00Z", 2, 2 * 3600),
        ("06:00Z", 9, 8 * 3600),
    ],
)
def test_the_nearer_bound_ends_the_run(text, most, expected):
    """Of a time of day and a number of hours the one that comes first counts; 0 is no bound."""
    assert expected == seconds_left(text, most, datetime(2026, 1, 14, 22, tzinfo=UTC))


def test_a_run_within_its_own_zone_has_the_true_seconds():
    """The seconds are those that pass, also where the moment is told in the zone that changes."""
    now = datetime(2026, 3, 28, 22, tzinfo=BERLIN)

    assert seconds_left("06:00 Europe/Berlin", 0, now) == 7 * 3600
