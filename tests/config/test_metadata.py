"""What a recording's metadata may be called and hold, and what the path of a key tells."""

from __future__ import annotations

import json
import time
from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.loading import resolve
from pipeline.config.metadata import (
    TASK_NAMES,
    KeyPattern,
    Unusable,
    Values,
    decoded,
    others,
    packed,
    shown,
)
from pipeline.errors import BadSettings

values = st.one_of(
    st.text(min_size=1, max_size=20), st.integers(-(2**63), 2**63), st.booleans(), st.floats()
)


def test_texts_numbers_and_truths_keep_their_types():
    """What Label Studio can sort by is taken as it is; lists, tables and what is empty are not."""
    found = {"a": "0042", "b": 42, "c": 4.2, "d": False, "e": [1], "f": {}, "g": None, "h": ""}

    assert packed(found) == {"a": "0042", "b": 42, "c": 4.2, "d": False}
    assert packed(found, ["c", "a", "z"]) == {"a": "0042", "c": 4.2}


def test_names_are_those_that_a_task_can_have():
    """Whatever no name has becomes one `_`; a name without anything else is left out."""
    assert packed({" Agent (name)": "x", "Straße": "y", "?!": "z"}) == {
        "Agent_name": "x",
        "Straße": "y",
    }


@given(st.dictionaries(st.text(max_size=70), values, max_size=120))
def test_no_metadata_is_larger_than_a_task_should_carry_or_takes_the_name_of_ours(found):
    """Any names and values are bounded or refused, and never stand for a part of a task."""
    try:
        kept = packed(found)
    except Unusable:
        return
    assert len(kept) <= 100
    assert not TASK_NAMES & set(kept)
    assert all(name.replace("_", "a").isalnum() and len(name) <= 64 for name in kept)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({f"c{n}": n for n in range(200)}, "it has 200 columns, and 100 are taken at most"),
        ({"duration": 9}, "its column 'duration' is named like a part of every task"),
        ({"job id": "x"}, "its column 'job id' is named like a part of every task"),
        ({"a b": 1, "a-b": 2}, "two of its columns are called a_b"),
        ({"a": "x" * 17_000}, "it has 17,008 bytes, and 16,384 are taken at most"),
    ],
)
def test_what_is_too_much_or_named_like_ours_is_refused(found, why):
    """Each refusal says what is wrong; naming other columns is what helps."""
    with pytest.raises(Unusable) as refused:
        packed(found)

    assert str(refused.value) == why
    assert packed(found, ["other"]) == {}


def test_no_value_lets_label_studio_open_a_storage():
    """An address of a storage in a text would be signed for reviewers, whoever wrote it."""
    hostile: Values = {"a": "s3://payroll/all.csv", "b": 'x" src=GS://b/c', "c": "azure-blob://a"}

    assert shown(hostile | {"d": "https://crm/1", "e": "a:b//c", "f": "y" * 2_000}) == {
        "d": "https://crm/1",
        "e": "a:b//c",
        "f": "y" * 1_000,
    }


def test_ground_truth_keeps_what_is_beside_ours():
    """What a team's own task holds is told apart from our names, and what is no value left out."""
    assert others({"audio": "s3://a/b", "agent": "x", "tags": ["y"], "word_count": 3}) == {
        "agent": "x"
    }


@given(
    st.from_regex(r"[^/{}*]{1,9}", fullmatch=True),
    st.dates(date(1000, 1, 1)),  # %Y writes fewer digits before
    st.integers(-(10**17), 10**17),
    st.text(max_size=9),
)
def test_the_parts_of_a_path_come_back_with_their_types(agent, day, number, rest):
    """A text, a date and a number are read from any path of that shape, whatever follows."""
    pattern = KeyPattern("*/{agent}/{day:%Y-%m-%d}/call-{number:d}.")

    found = pattern.values(f"a/b/{agent}/{day:%Y-%m-%d}/call-{number}.{rest}")

    assert found == {"agent": agent, "day": day.isoformat(), "number": number}


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        ("", "a/b.mp3", {}),
        ("{a}/", "b.mp3", {}),
        ("{d:%Y%m%d}/", "20261340/a.mp3", {}),
        ("{n:d}/", "x/a.mp3", {}),
        ("{t:%Y%m%dT%H%M}.", "20261128T0559.mp3", {"t": "2026-11-28T05:59:00"}),
        ("{a}.{b}", "x.y.mp3", {"a": "x.y", "b": "mp3"}),
        ("calls(1)/{a}/", "calls(1)/x/", {"a": "x"}),
    ],
)
def test_a_path_of_another_shape_tells_nothing(pattern, path, found):
    """What does not fit has no values; signs of a regular expression are signs of a key."""
    assert KeyPattern(pattern).values(path) == found


def test_a_path_that_could_be_read_in_too_many_ways_is_read_in_none():
    """It would be tried for hours, while nothing else of the run goes on."""
    pattern = KeyPattern("{a}_{b}_{c}_{d}.wav")
    begun = time.process_time()

    assert pattern.values("_" * 1_000 + ".mp3") == {}
    assert pattern.values("_".join("x" * 20) + ".mp3") == {}
    assert time.process_time() - begun < 1
    assert pattern.values("a_b_c_d_e.wav") == {"a": "a_b", "b": "c", "c": "d", "d": "e"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"key_pattern": "{a"}, "a brace is open or stands alone"),
        ({"key_pattern": "{a}/{a}"}, "a is there twice"),
        ({"key_pattern": "{a}{b}"}, "{b} follows another part: write what stands between them"),
        ({"key_pattern": "{}"}, "{} is no name of letters, digits and _"),
        ({"key_pattern": "{a b}"}, "{a b} is no name of letters, digits and _"),
        ({"key_pattern": "{duration}"}, "duration is named like a part of every task"),
        ({"key_pattern": "{a:x}"}, "x is no format: write none, d for a number, or %Y-%m-%d"),
        ({"columns": ["Job id", "job id"]}, "columns has 'job id', which is named like a part"),
        ({"columns": [f"c{n}" for n in range(200)]}, "columns: 200 of them; 100 are taken"),
    ],
)
def test_settings_that_no_metadata_can_have_are_refused(settings, said):
    """Each is a sentence that names the setting."""
    with pytest.raises(BadSettings) as refused:
        resolve(settings, {})

    assert said in str(refused.value)


@given(st.integers() | st.integers(-(2**65), 2**65) | st.integers().map(lambda n: n * 10**25))
def test_a_whole_number_keeps_its_digits(number):
    """One of up to 64 bits is a number, and a longer one a text that can be written as JSON."""
    found = decoded(json.dumps({"n": number}))["n"]

    assert found == (number if -(2**63) <= number < 2**64 else str(number))
    assert json.loads(msgspec.json.encode(packed({"n": found}))) == {"n": found}
