"""A long recording as several tasks."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import Job, Layout, Recording, Segment, TaskKind, Transcript, Word
from pipeline.tasks.builder import TaskBuilder
from pipeline.tasks.labeling_config import labeling_config
from pipeline.tasks.recording_parts import (
    Part,
    cuts_between,
    in_parts,
    key_in,
    part_of,
    parts_by_name,
    tasks_of,
    wholes_of,
)
from tests.support.labeling import assert_accepted_by_label_studio

seconds = st.integers(0, 400).map(lambda tenths: tenths / 10)
spans = st.lists(st.tuples(seconds, seconds).map(lambda two: (min(two), max(two))), max_size=60)


def task(times: list[tuple[float, float]], kind: TaskKind = TaskKind.SEGMENTS) -> bytes:
    """The task of a recording with a segment at each of these times, the last word unsure."""
    segments = tuple(
        Segment(
            f"well <{n}>",
            start,
            end,
            speaker=f"spk_{n % 2}",
            words=(Word("well", start, end, 0.9), Word(f"<{n}>", start, end, 0.1)),
        )
        for n, (start, end) in enumerate(times)
    )
    text = " ".join(each.text for each in segments)
    job = Job(1, b"1", "job-1", Recording("long.mp3", "1", 7))
    heard = Transcript("calls", text, segments, 2 * len(times), 0.5, ("en-US", "de-DE"))
    return TaskBuilder(kind, "model", mark_below=0.5).line("s3://calls/long.mp3", job, heard)


def regions(content: bytes) -> list[Any]:
    """The results with a time, under the ids that they have in the whole."""
    results = orjson.loads(content)["predictions"][0]["result"]
    unkeyed = [each | {"id": each["id"].removesuffix(f"-{key_in([each])}")} for each in results]
    return [each for each in unkeyed if "start" in each["value"]]


def keys(content: bytes, cuts: list[float]) -> set[str]:
    """The keys of all parts of a task."""
    parts = [orjson.loads(each) for _, each in in_parts(content, cuts)]
    return {key_in(each["predictions"][0]["result"]) for each in parts}


@given(spans, st.integers(1, 30))
def test_a_segment_is_in_the_part_in_which_it_begins(times, most):
    """Whatever the times, none is lost and none is twice: the parts together are the whole."""
    whole = task(times)

    parts = [each for content in tasks_of(whole, most) for each in regions(content)]

    assert sorted(parts, key=orjson.dumps) == sorted(regions(whole), key=orjson.dumps)
    cuts = cuts_between(times, most)
    assert all(one < other for one, other in pairwise(cuts))
    assert [len(tasks_of(whole, most))] == [len(cuts) + 1]


def test_all_parts_have_the_key_of_their_transcript():
    """Another text, time or speaker makes another transcript; another score or job does not."""
    times = [(float(n), n + 0.5) for n in range(9)]
    whole = orjson.loads(task(times))
    [key] = keys(orjson.dumps(whole), [2.75, 5.75])

    for change in ({"text": ["else"]}, {"start": 0.1}, {"labels": ["spk_7"]}):
        other = deepcopy(whole)
        for each in other["predictions"][0]["result"][:2]:
            each["value"] |= {n: change[n] for n in change if n in each["value"]}
        assert keys(orjson.dumps(other), [2.75, 5.75]) & {key, ""} == set()
    whole["predictions"][0]["score"], whole["data"]["job_id"] = 0.1, "job-2"
    assert keys(orjson.dumps(whole), [4.75]) == {key}
    assert key_in(whole["predictions"][0]["result"]) == ""


def test_the_key_is_that_of_most_results():
    """What another program put beside them, or took out, makes no other transcript."""
    ids = ["seg-00000-0a1b2c3d", "lang-0a1b2c3d", "seg-00001-ffffffff", "seg-1-xyz", "Ab-0a1b2c3d"]

    assert key_in([{"id": each} for each in ids]) == "0a1b2c3d"
    assert key_in([{"id": 7}, {"id": None}, {}]) == ""


@given(st.sets(st.sampled_from([(), (5.0,), (6.0,), (2.0, 4.0)])), st.randoms())
def test_of_two_ways_in_which_it_was_cut_the_first_is_no_chance(ways, shuffled):
    """The order in which parts are met, which a set has by chance, makes no difference."""
    parts = [Part("job", n, cuts) for cuts in ways for n in range(1, len(cuts) + 2)]
    lacking = [each for each in parts if each != Part("job", 1, (5.0,))]

    found = wholes_of(set(lacking))

    assert found == wholes_of(shuffled.sample(lacking, len(lacking)))
    expected = [cuts for cuts in ((2.0, 4.0), (6.0,), ()) if cuts in ways]
    assert [whole[0].cuts for whole in found] == expected


@given(st.sets(seconds, max_size=60), st.integers(1, 30))
def test_no_part_has_more_segments_than_a_task_may_have(starts, most):
    """Where no two segments begin at one moment; and no part is empty."""
    whole = task([(start, start + 1) for start in starts])

    sizes = [len(regions(each)) / 2 for each in tasks_of(whole, most)]

    assert max(sizes) <= most
    assert min(sizes) > 0 or not starts


def test_the_cut_is_in_the_longest_silence_near_the_middle():
    """Nobody's speech is cut, also where two speak at once; a longer silence far away is none."""
    pauses = [30 * (n > 10) + 5 * (n > 58) for n in range(100)]
    times = [(float(n + pause), n + pause + 1.5) for n, pause in enumerate(pauses)]

    assert cuts_between(times, 60) == (91.75,)


def test_the_cut_is_not_in_what_somebody_says_at_length():
    """A pause of one speaker is none while another one, who began earlier, still speaks."""
    times = [(float(n + 3 * (n > 48)), n + 3 * (n > 48) + 0.5) for n in range(100)]
    assert cuts_between(times, 60) == (50.25,)

    cut = cuts_between([*times[:10], (10.0, 51.9), *times[11:]], 60)

    assert cut == (52.75,)


def test_a_silence_that_leaves_too_much_for_the_rest_is_passed_over():
    """A cut before the 14th of 36 would leave 23, where a task may have 20."""
    times = [(float(n + 9 * (n > 12)), n + 9 * (n > 12) + 0.5) for n in range(36)]

    assert [len(regions(each)) / 2 for each in tasks_of(task(times), 20)] == [18, 18]


def test_what_begins_at_one_moment_is_not_cut():
    """Segments of several channels that begin together stay together, however many they are."""
    assert cuts_between([(1.0, 2.0)] * 50, 10) == ()
    assert cuts_between([(float(n // 2), n // 2 + 0.5) for n in range(40)], 20) != ()


def test_a_task_that_is_not_too_long_is_as_it_was():
    """Not a byte of it changes, nor of a long one where 0 turns that off, nor of a whole text."""
    times = [(float(n), n + 1.0) for n in range(30)]

    assert tasks_of(task(times), 30) == [task(times)]
    assert tasks_of(task(times), 0) == [task(times)]
    assert tasks_of(task(times, TaskKind.TRANSCRIPT), 10) == [task(times, TaskKind.TRANSCRIPT)]


def test_each_part_is_a_task_that_label_studio_takes():
    """Header, dialogue and marks are the part's own, audio and facts the recording's."""
    whole = task([(20.0 * n, 20.0 * n + 15) for n in range(90)])

    parts = [orjson.loads(each) for each in tasks_of(whole, 40)]

    data = [each["data"] for each in parts]
    assert [each["recording"] for each in data] == [
        "long.mp3 · part 1 of 3, 0:00-9:57",
        "long.mp3 · part 2 of 3, 9:57-19:57",
        "long.mp3 · part 3 of 3, 19:57-29:55",
    ]
    said = orjson.loads(whole)["data"]["dialogue"].split("\n")
    assert [line for each in data for line in each["dialogue"].split("\n")] == said
    assert all("<mark>&lt;" in line for line in said)
    same = ("audio", "job_id", "duration", "mean_confidence", "speakers", "word_count")
    assert {orjson.dumps([each[name] for name in same]) for each in data} == {
        orjson.dumps([orjson.loads(whole)["data"][name] for name in same])
    }
    for each in parts:
        assert_accepted_by_label_studio(each, labeling_config(TaskKind.SEGMENTS, Layout.FOCUS))


def test_where_words_are_marked_they_are_in_the_parts_too():
    """A recording too long to have its dialogue in full has it in its parts, with the marks."""
    whole = orjson.loads(task([(float(n), n + 0.9) for n in range(320)]))
    whole["data"]["dialogue"] = whole["data"]["dialogue"].split("\n")[7]

    parts = [orjson.loads(each)["data"] for each in tasks_of(orjson.dumps(whole), 200)]

    assert [each["dialogue"].count("<p") for each in parts] == [160, 160]
    assert [each["dialogue"].count("<mark>") for each in parts] == [1, 0]


def test_all_parts_have_their_marks():
    """However many words are unsure; a task that is not cut shows as many as open quickly."""
    whole = task([(float(n), n + 0.9) for n in range(700)])

    parts = [orjson.loads(each)["data"]["dialogue"] for each in tasks_of(whole, 200)]
    [uncut] = [orjson.loads(each)["data"]["dialogue"] for each in tasks_of(whole, 0)]

    assert [each.count("<mark>") for each in parts] == [175] * 4
    assert uncut.count("<mark>") == uncut.count("<p") == 300
    assert uncut.split("\n")[:175] == parts[0].split("\n")


def test_pieces_with_a_time_are_those_of_the_part():
    """What else was heard, and toxic speech, stand in the part in which they begin."""
    whole = orjson.loads(task([(float(n), n + 0.9) for n in range(40)]))
    whole["data"]["alternatives"] = [{"start": s, "end": s + 1, "texts": []} for s in (1.0, 39.0)]

    first, second = in_parts(orjson.dumps(whole), [20.0])

    data = [orjson.loads(each)["data"] for _, each in (first, second)]
    assert [each["alternatives"][0]["start"] for each in data] == [1.0, 39.0]
    assert (first[0], second[0]) == (Part("job-1", 1, (20.0,)), Part("job-1", 2, (20.0,)))
    assert [part_of(orjson.loads(each)["meta"]) for _, each in (first, second)] == [
        first[0],
        second[0],
    ]


@pytest.mark.parametrize(
    "named",
    [
        None,
        "2 of 3",
        {"number": 2},
        {"job_id": "j", "number": 0, "cuts": [1.0]},
        {"job_id": "j", "number": 3, "cuts": [1.0]},
        {"job_id": "j", "number": 2, "cuts": [2.0, 1.0]},
        {"job_id": "j", "number": 2, "cuts": ["1"]},
    ],
)
def test_what_names_no_part_is_a_whole(named):
    """Meta is anybody's: a part that can't be one is none."""
    assert part_of({"part": named}, "job") == Part("job")
    assert part_of(None, "job") == Part("job")


@given(spans, st.integers(2, 9), st.data())
def test_the_names_of_all_parts_tell_which_they_are(times, most, data):
    """By one that has its cuts they are exact; by the names alone, to the second."""
    parts = [orjson.loads(each) for each in tasks_of(task(times), most)]
    whole = [part_of(each.get("meta")) for each in parts]
    names = {n: each["data"]["recording"] for n, each in enumerate(parts)}
    cuts = whole[0].cuts
    told = data.draw(st.sampled_from([[cuts], [(0.05, *cuts)], []]))

    found = parts_by_name(names, whole[0].job_id, told)

    whole_seconds = tuple(float(int(each)) for each in cuts)
    ordered = all(one < other for one, other in pairwise(whole_seconds))
    if not cuts:
        assert found == {}
    elif told == [cuts]:
        assert [found[n] for n in names] == whole
    elif ordered:
        assert {each.cuts for each in found.values()} == {whole_seconds}
        assert [each.number for each in found.values()] == [each.number for each in whole]
    else:
        assert found == {}


@pytest.mark.parametrize(
    ("names", "cuts"),
    [
        (["part 1 of 3, 0:00-0:10", "part 3 of 3, 0:20-0:31"], (10.0, 20.0)),
        (["part 2 of 3, 0:10-0:20"], (10.0, 20.0)),
        (["part 2 of 4, 0:10-0:20"], ()),
        (["part 1 of 2, 0:00-0:10", "part 2 of 2, 0:11-0:20"], ()),
        (["part 3 of 2, 0:00-0:10", "part 0 of 2, 0:00-0:10"], ()),
        (["part 2 of 999999, 0:00-0:10", "part 2 of 2, 0:10", "", "part 1 of 1, 0:00-0:10"], ()),
    ],
)
def test_what_names_leave_open_is_not_guessed(names, cuts):
    """A cut that nobody names, or two name otherwise, is unknown; a neighbour names it too."""
    found = parts_by_name({n: f"a.mp3 · {each}" for n, each in enumerate(names)}, "job", [])

    assert {each.cuts for each in found.values()} == ({cuts} if cuts else set())
