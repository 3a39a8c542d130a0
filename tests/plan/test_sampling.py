"""What a sample tells of the whole: totals within their error, and memory that does not grow."""

from __future__ import annotations

from collections import Counter
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.pricing import Item, billed_seconds
from pipeline.model import Recording
from pipeline.plan.sampling import Sample, Stratum, _quantile, presumed_seconds
from pipeline.recordings.probe import Unreadable, read_audio, why_refused
from pipeline.recordings.range_reader import RangeReader
from tests.support import made_media as made

ITEMS = (Item.TRANSCRIPTION,)
recordings = st.lists(
    st.builds(
        Recording,
        st.sampled_from(["a.mp3", "b.wav", "c.ogg", "noise"]),
        st.just("etag"),
        st.integers(1, 2**31),
    ),
    min_size=1,
    max_size=200,
)


def facts_of(folder, name):
    """What a look into a made recording adds to the totals."""
    path = folder / name
    try:
        sound = read_audio(RangeReader(path.stat().st_size, reader(path)))
    except Unreadable:
        return {"refused": 1.0}
    refused = why_refused(sound, path.suffix[1:])
    facts = {"seconds": sound.seconds}
    return facts | ({"refused": 1.0} if refused else {"billed": billed_seconds(sound.seconds)})


def reader(path):
    def fetch(first, last):
        with path.open("rb") as file:
            file.seek(first)
            return file.read(last - first + 1)

    return fetch


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("count", "size"),
    [(300, 100), *(pytest.param(2000, size, marks=pytest.mark.long) for size in (100, 400))],
)
def test_the_truth_lies_within_the_error(tmp_path, count, size):
    """Of 100 seeded samples of recordings of skewed lengths 95 hold the truth of each total."""
    made.fill(tmp_path, count, seed=1)
    facts = {path.name: facts_of(tmp_path, path.name) for path in tmp_path.iterdir()}
    whole = [Recording(name, "", (tmp_path / name).stat().st_size) for name in sorted(facts)]
    truth = {
        fact: sum(each.get(fact, 0) for each in facts.values()) for fact in ("seconds", "billed")
    }
    hits: Counter[str] = Counter()
    errors = []

    for seed in range(100):
        sample = Sample(size, seed)
        for each in whole:
            sample.add(each, ITEMS)
        for stratum, each in sample.chosen():
            stratum.record(each, facts[each.key])
        for fact, value in truth.items():
            found = sample.total(fact)
            hits[fact] += abs(found.value - value) <= found.error
            errors.append(found.error / value)

    assert all(hits[fact] >= 95 for fact in truth), hits
    assert median(errors) < 0.2  # an error that tells something


@given(recordings)
def test_where_all_were_looked_into_there_is_no_error(whole):
    """The totals of a complete look are the sums, and nothing is estimated."""
    sample = Sample(0)
    seconds = [index * 7.5 for index, _ in enumerate(whole)]

    for each, value in zip(whole, seconds, strict=True):
        sample.add(each, ITEMS).record(each, {"seconds": value})

    assert sample.total("seconds").value == pytest.approx(sum(seconds))
    assert sample.total("seconds").error == 0
    assert sample.total("unheard of").value == 0
    assert sample.probed == len(whole)
    assert all(not stratum.reservoir for stratum in sample.strata.values())


@given(recordings, st.integers(1, 50), st.integers())
def test_lengths_in_proportion_are_known_exactly(whole, size, seed):
    """Where every recording is as long as its size lets presume, the sample makes no error."""
    sample = Sample(size, seed)
    for each in whole:
        sample.add(each, ITEMS)

    for stratum, each in sample.chosen():
        stratum.record(each, {"seconds": 3 * presumed_seconds(each)})

    truth = sum(3 * presumed_seconds(each) for each in whole)
    found = sample.total("seconds")
    assert found.value == pytest.approx(truth)
    assert found.error <= truth * 1e-3


def test_each_has_the_same_chance_and_few_are_kept():
    """Of a stratum as many are kept as asked for, and none more often than another."""
    often: Counter[str] = Counter()
    for seed in range(400):
        sample = Sample(10, seed)
        for number in range(100):
            sample.add(Recording(f"{number}.mp3", "", 100_000), ITEMS)
        (stratum,) = sample.strata.values()
        assert len(stratum.reservoir) == 10
        often.update(each.key for each in stratum.reservoir)

    assert len(often) == 100
    assert max(often.values()) < 2 * 40 < 4 * min(often.values()) * 2


def test_more_are_looked_into_where_more_audio_is():
    """A few long recordings are probed rather than many short ones, a few of each at least."""
    sample = Sample(100, 7)
    chance = Random(7)
    for number in range(10_000):
        sample.add(Recording(f"{number}.mp3", "", chance.randrange(20_000, 30_000)), ITEMS)
    for number in range(1_000):
        sample.add(Recording(f"long{number}.mp3", "", 40_000_000), ITEMS)

    looked = Counter(each.key.startswith("long") for _, each in sample.chosen())

    assert looked[True] >= 90
    assert 8 <= looked[False] <= 24


def test_what_holds_of_all_is_counted_as_all():
    """Counts are of recordings, however long they are: what holds of each holds of all."""
    sample = Sample(20, 3)
    chance = Random(3)
    for number in range(5_000):
        sample.add(Recording(f"{number}.mp3", "", chance.randrange(10, 10**8)), ITEMS)
    for stratum, each in sample.chosen():
        stratum.record(each, {"refused": 1, "odd": int(each.key[-5]) % 2})

    assert sample.count("refused") == 5_000
    assert sample.in_sample("refused") == sample.probed < 200
    assert 1_500 < sample.count("odd") < 3_500


def test_what_is_billed_for_more_is_told_apart():
    """Totals of an item are those of the recordings that are billed for it."""
    sample = Sample(0)
    for items, seconds in ((ITEMS, 10.0), ((*ITEMS, Item.REDACTION), 5.0)):
        each = Recording("a.mp3", "", 1000)
        sample.add(each, items).record(each, {"seconds": seconds})

    assert sample.total("seconds").value == 15
    assert sample.total("seconds", Item.REDACTION).value == 5
    assert sample.items() == sorted([Item.REDACTION, Item.TRANSCRIPTION])


def test_sizes_tell_more_than_numbers():
    """Recordings of one bit rate are known from few of them, however different their sizes are."""
    sample = Sample(20, 5)
    chance = Random(5)
    whole = [Recording(f"{n}.wav", "", chance.randrange(2**21, 2**25)) for n in range(2_000)]
    for each in whole:
        sample.add(each, ITEMS)
    for stratum, each in sample.chosen():
        stratum.record(each, {"seconds": each.size / 16_000})

    found = sample.total("seconds")

    assert sample.probed < 60
    assert found.value == pytest.approx(sum(each.size / 16_000 for each in whole), rel=1e-6)
    assert found.error < found.value / 1000


def probed_of(count: int, probed: int) -> tuple[float, float]:
    """The total of seconds over so many alike recordings, and its variance."""
    stratum = Stratum()
    random = Random(0)
    for number in range(count):
        stratum.add(Recording(f"{number}.mp3", "etag", 1_200_000), count, random)
    for number, recording in enumerate(stratum.reservoir[:probed]):
        stratum.record(recording, {"seconds": 90.0 + 20 * (number % 2)})
    return stratum.estimate("seconds")


def test_what_was_probed_is_no_part_of_the_error():
    """Half of a stratum leaves half of the variance that the same sample of a large one has."""
    total, variance = probed_of(20, 20)
    assert (round(total, 6), variance) == (2_000, 0)
    half, large = probed_of(20, 10)[1] / 20**2, probed_of(2_000, 10)[1] / 2_000**2
    assert half / large == pytest.approx(0.5 / (1 - 10 / 2_000))


@pytest.mark.parametrize(
    ("freedom", "errors"), [(5, 4.032), (10, 3.169), (30, 2.750), (1e6, 2.576)]
)
def test_few_recordings_make_a_larger_error(freedom, errors):
    """How many standard errors hold 99 in 100 is Student's t, as its table has it."""
    assert _quantile(freedom) == pytest.approx(errors, rel=0.02)
