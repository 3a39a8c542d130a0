"""What jobs cost: by the second, 15 at least, what is asked for on top, and tiers of a month."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.loading import resolve
from pipeline.config.pricing import (
    FREE,
    Item,
    Prices,
    billed_seconds,
    cost,
    items_of,
    unknown_prices,
)
from pipeline.config.transcription import Transcribe
from pipeline.errors import BadSettings
from pipeline.stages.counters import Counters
from tests.conftest import SILENT

pytestmark = pytest.mark.usefixtures("in_this_process")

TIERS = Prices(price_tiers=["250: 0.024", "1000: 0.015"], price_per_minute=0.01)
lengths = st.floats(0, 30_000)


@pytest.mark.parametrize(
    ("seconds", "billed"),
    [(0, 15), (0.5, 15), (15, 15), (15.2, 16), (59.9996, 60), (60.0004, 60), (3600, 3600)],
)
def test_a_job_is_billed_by_the_second(seconds, billed):
    """A begun second counts, and less than fifteen are billed as fifteen."""
    assert billed == billed_seconds(seconds)


@given(st.lists(lengths))
def test_a_cost_is_never_less_than_by_the_minute(seconds):
    """Many short recordings cost more than their minutes, by less than 15 seconds each."""
    figures = Counters()
    for each in seconds:
        figures.bill(each, [Item.TRANSCRIPTION])
    least = sum(seconds) / 60 * 0.006

    assert least - 1e-6 <= cost(figures.billed, Prices()) <= least + len(seconds) * 0.0015 + 1e-6


def test_what_is_asked_for_on_top_is_billed_on_top():
    """Each item costs its own price for each of its minutes."""
    prices = Prices(price_of_toxicity=0.5)

    found = cost({Item.TRANSCRIPTION: 600, Item.REDACTION: 600, Item.TOXICITY: 60}, prices)

    assert found == pytest.approx(10 * 0.006 + 10 * 0.0024 + 0.5)


def test_a_price_that_nobody_knows_is_told():
    """What is asked for and has no price in the settings would be missing from a cost."""
    asked = [Item.TRANSCRIPTION, Item.REDACTION, Item.TOXICITY]

    assert unknown_prices(asked, Prices()) == [Item.TOXICITY]


def test_a_folder_costs_nothing():
    """What this machine recognises has no price, whatever was asked for."""
    assert cost(dict.fromkeys(Item, 3600), FREE) == 0


@pytest.mark.parametrize(
    ("before", "minutes", "expected"),
    [
        (0, 100, 2.4),
        (0, 250, 6.0),
        (0, 300, 6.0 + 0.75),
        (200, 100, 1.2 + 0.75),
        (0, 2000, 6.0 + 11.25 + 10),
        (5000, 100, 1.0),
    ],
)
def test_the_minutes_of_a_month_have_tiers(before, minutes, expected):
    """Each minute costs what its place in the month costs."""
    prices = Prices(price_tiers=TIERS.price_tiers, price_per_minute=0.01, minutes_this_month=before)

    assert cost({Item.TRANSCRIPTION: minutes * 60}, prices) == pytest.approx(expected)


@given(lengths, lengths)
def test_a_night_in_two_parts_costs_what_it_costs_in_one(first, second):
    """Where the second part counts the minutes of the first, the tiers come out the same."""
    later = Prices(
        price_tiers=TIERS.price_tiers, price_per_minute=0.01, minutes_this_month=first / 60
    )
    parts = cost({Item.TRANSCRIPTION: first}, TIERS) + cost({Item.TRANSCRIPTION: second}, later)

    assert parts == pytest.approx(cost({Item.TRANSCRIPTION: first + second}, TIERS))


@pytest.mark.parametrize(
    "tiers", [["0.024"], ["a: 1"], ["100: x"], ["100: 1", "50: 2"], ["0: 1"], ["nan: 1"], ["1: -1"]]
)
def test_tiers_that_are_written_otherwise_are_refused(tiers):
    """A tier that can't be read is a complaint that shows how one is written."""
    with pytest.raises(BadSettings, match="write each as minutes and price"):
        resolve({"price_tiers": tiers}, {})


def test_a_run_tells_what_it_cost(run, cloud):
    """The seconds of each transcript are billed, 15 at least, and told in one line and in JSON."""
    cloud().add(short="one word", long=" ".join(["word"] * 240))

    outcome = run("run", "s3://audio/", "--json")
    again = run("run", "s3://audio/", "--json")

    assert outcome.summary["cost"]["billed_seconds"] == 15 + 120
    assert outcome.summary["cost"]["amount"] == pytest.approx(135 / 60 * 0.006)
    assert (again.summary["cost"]["billed_seconds"], again.summary["cost"]["amount"]) == (0, 0)


def test_what_was_paid_before_is_not_counted_again(run, cloud):
    """With a lost output the tasks are written from the results, which cost nothing more."""
    cloud().add(one="first", two="second")
    paid = run("run", "s3://audio/", "--results", "s3://audio/t/", "--json")

    anew = run("run", "s3://audio/", "--results", "s3://audio/t/", "--rebuild-output", "--json")

    assert [each.summary["cost"]["billed_seconds"] for each in (paid, anew)] == [30, 0]
    assert anew.counts["written"] == 2


def test_a_folder_s_run_has_no_cost(run, recordings):
    """Recordings that this machine recognises are counted, but no cost is told."""
    outcome = run("run", recordings, "--include", SILENT)

    assert outcome.code == 0
    assert "Cost" not in outcome.err


def test_each_option_with_a_price_is_an_item():
    """Redaction, a custom language model and toxicity detection are items of their own."""
    plain, model = Transcribe(max_speakers=3), Transcribe("auto", language_models={"en-US": "m"})

    assert items_of(plain) == (Item.TRANSCRIPTION,)
    assert items_of(model) == (Item.TRANSCRIPTION, Item.LANGUAGE_MODEL)
    assert items_of(Transcribe(redaction="redacted", toxicity=True)) == (
        Item.TRANSCRIPTION,
        Item.REDACTION,
        Item.TOXICITY,
    )
