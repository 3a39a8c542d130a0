"""How wrong is what nobody reviewed: held to simulated reviewers whose work is known."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from pipeline.ground_truth.record import ReviewedPart
from pipeline.quality.audit import Audit, Heard, Rate, Stratum, audited, poisson_bounds
from pipeline.quality.html_report import page
from pipeline.quality.json_report import as_facts
from pipeline.quality.pace import paces
from pipeline.quality.text_report import in_words
from tests.support.reviewers import STAMPERS, simulated
from tests.support.reviews import auto, measure, review


def stratum(*heard: tuple[int, int], others: int = 0) -> Stratum:
    """Recordings of so many errors in so many words, and others of ten words each."""
    made = Stratum()
    made.heard = [Heard(errors, words, words) for errors, words in heard]
    for _ in range(others):
        made.leave(10)
    return made


def told(found: Audit | None) -> tuple[Rate, Rate]:
    """The error rates of `auto` and of the whole."""
    assert found
    assert found.auto
    assert found.whole
    return found.auto, found.whole


def bounds(found: Rate) -> tuple[float, float]:
    """The interval, which is there."""
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def holds(found: Rate, rate: float) -> bool:
    """Whether the interval has the rate in it."""
    low, high = bounds(found)
    return low <= rate <= high


@pytest.mark.parametrize(
    ("seeds", "least"),
    [(2, 2), pytest.param(100, 93, marks=[pytest.mark.long, pytest.mark.timeout(300)])],
)
def test_the_interval_holds_the_true_error_rate(seeds, least):
    """In 93 of 100 projects, of `auto` and of the whole; who was too fast is named, no one else."""
    auto_held = whole_held = 0
    for seed in range(seeds):
        truth = simulated(2_000, seed)
        doubtful = {name for name, each in paces(truth.lines).items() if each.is_doubtful}
        assert doubtful == set(STAMPERS)
        of_auto, of_whole = told(measure(truth.lines, doubtful=doubtful).audit)
        auto_held += holds(of_auto, truth.auto)
        whole_held += holds(of_whole, truth.whole)

    assert auto_held >= least
    assert whole_held >= least


def test_who_only_presses_the_button_would_hide_the_errors():
    """If they were believed, the estimate would be too low: they are left out, and counted."""
    truth = simulated(2_000, 1)

    believed = measure(truth.lines).audit
    found = measure(truth.lines, doubtful=STAMPERS).audit

    assert told(believed)[0].rate < told(found)[0].rate
    assert believed
    assert found
    assert (believed.doubted, found.reviews + found.doubted) == (0, believed.reviews)


def test_a_recording_of_which_one_part_was_not_heard_is_doubted():
    """As far as it goes through the hands of somebody who only presses the button."""
    parts = tuple(ReviewedPart(start=0, end=1, reviewer=each) for each in ("anna", "ben"))
    line = review("one", "two", audit=True, reviewer="anna, ben", parts=parts)

    found = measure([line], doubtful={"ben"}).audit

    assert found
    assert (found.reviews, found.doubted) == (0, 1)


def test_no_error_in_the_sample_does_not_mean_that_there_is_none():
    """By hand: no error in 1,000 words leaves room for 3.69, wider by 1 + 100/900 recordings."""
    found = audited(stratum(), stratum(*[(0, 10)] * 100, others=900), 0, 0)

    of_auto, _ = told(found)
    assert (of_auto.rate, of_auto.low) == (0.0, 0.0)
    assert of_auto.high == pytest.approx(3.6889 / 1000 * (1 + 1 / 9) ** 0.5, rel=1e-4)


def test_both_strata_make_the_whole():
    """By hand: 20 errors of 100 words reviewed, and 10 of 100 words that stand for 1,000."""
    found = audited(stratum(*[(2, 10)] * 10), stratum(*[(1, 10)] * 10, others=90), 0, 0)

    of_auto, of_whole = told(found)
    assert of_auto.rate == pytest.approx(0.1)
    assert of_whole.rate == pytest.approx((20 + 10 + 90) / (100 + 100 + 900))
    low, high = bounds(of_whole)
    assert low < of_whole.rate < high


def test_all_reviewed_is_known():
    """Where nothing is left that nobody heard, there is no chance in it."""
    found = audited(stratum((2, 10), (0, 10)), stratum((1, 10)), 0, 0)

    assert found.whole == Rate(0.1, 0.1, 0.1)
    assert (found.auto, found.halve) == (None, None)


def test_more_reviews_halve_the_interval():
    """Of very many recordings three times as many more; it is seen when they are made."""
    few = audited(stratum(), stratum(*[(1, 10), (0, 10)] * 50, others=100_000), 0, 0)
    more = audited(stratum(), stratum(*[(1, 10), (0, 10)] * 200, others=99_700), 0, 0)

    assert few.halve == pytest.approx(300, abs=2)
    assert few.share == pytest.approx(400 / 100_100, rel=0.01)
    wide, narrow = (high - low for low, high in (bounds(told(e)[0]) for e in (few, more)))
    assert narrow / wide == pytest.approx(0.5, abs=0.06)


def test_poisson_bounds_are_those_of_the_tables():
    """Garwood's: 0 events 0 to 3.689, 5 events 1.623 to 11.668, 20 events 12.217 to 30.888."""
    assert poisson_bounds(0) == pytest.approx((0, 3.689), abs=1e-3)
    assert poisson_bounds(5) == pytest.approx((1.623, 11.668), abs=1e-3)
    assert poisson_bounds(20) == pytest.approx((12.217, 30.888), abs=1e-3)
    assert poisson_bounds(100) == pytest.approx(poisson_bounds(99), rel=0.02)


def test_a_raised_score_moves_the_old_sample():
    """What was audited below all that is left unreviewed is one of the reviewed ones."""
    early = review("one two", "one too", score=0.91, audit=True)
    late = review("one two", "one two", score=0.97, audit=True, audio="s3://b/l.mp3")

    since = review("one two", "one two", score=0.95, audio="s3://b/s.mp3")

    found = measure([early, since, late, auto("hm hm", score=0.96)]).audit

    of_auto, of_whole = told(found)
    assert (of_auto.rate, of_whole.rate) == (0.0, 1 / 8)


def test_the_lowest_of_the_audit_stay_in_its_sample():
    """Where they alone are reviewed so far, they are reviews of the audit and no others."""
    lines = [review("one two", "one too", score=0.91, audit=True), auto("hm", score=0.99)]

    found = measure(lines).audit

    assert found
    assert found.reviews == 1
    assert told(found)[0].rate == 0.5
    assert not any("none of its" in line for line in in_words(measure(lines)))


@pytest.mark.parametrize(
    ("reviews", "waiting", "why"),
    [
        (9, 0, "too few reviews of the audit to tell: 9 of 10"),
        (
            40,
            3,
            (
                "3 of the audit wait for their review; "
                "the estimate holds only when all 43 are reviewed"
            ),
        ),
    ],
)
def test_a_sample_that_is_small_or_not_complete_has_no_interval(reviews, waiting, why):
    """The rate is there, and why it has no interval, in text, JSON and on the page."""
    lines = [
        review("one two", "one too", score=0.95, audit=True, audio=f"s3://b/{n}.mp3")
        for n in range(reviews)
    ]
    lines += [auto("hm", score=0.96, audit=n < waiting, audio=f"s3://b/a{n}") for n in range(60)]
    quality = measure(lines)

    said = list(in_words(quality))

    assert f"Not reviewed (auto): 50.0 % errors, by {reviews} reviews of the audit" in said
    assert f"No interval: {why}" in said
    facts = as_facts(quality)["audit"]
    assert facts["auto"] == facts["whole"] == {"rate": 0.5, "low": None, "high": None}
    assert facts["halve"] is None
    assert page(quality, date(2026, 1, 2)).count(why) == 2


def test_no_more_than_all_can_be_audited():
    """The share that halves the interval is at most 1, whoever was too fast."""
    assert audited(stratum(), stratum(*[(1, 10)] * 30, others=3), 0, 5).share == 1


def test_an_audit_that_nobody_has_reviewed_tells_nothing_yet():
    """It says how many wait; without an audit nothing is said at all."""
    waiting = [review("one", "one", score=0.5), auto("two"), auto("two", audit=True)]

    assert "Audit: none of its 1 recording is reviewed yet" in in_words(measure(waiting))
    assert measure(waiting[:2]).audit is None
    facts = as_facts(measure(waiting))["audit"]
    assert (facts["waiting"], facts["auto"], facts["whole"]) == (1, None, None)


def test_the_command_says_it_in_words(run):
    """The rates with their intervals, what more would help, and who was too fast."""
    truth = simulated(1_000, 7)
    path = run.folder / "ground_truth.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in truth.lines))

    said = run("quality").out
    facts = run("quality", "--json").summary["audit"]

    assert f"Not reviewed (auto): {100 * facts['auto']['rate']:.1f} % errors, 95 % interval" in said
    assert f"All recordings here: {100 * facts['whole']['rate']:.1f} % errors" in said
    assert f"{facts['halve']:,} more reviews would halve the interval of all recordings" in said
    assert f"push --audit {-int(-100 * facts['share'] // 1)}% has them" in said
    assert "Faster than it can be heard: emil, " in said
    assert "Faster than it can be heard: anna" not in said
