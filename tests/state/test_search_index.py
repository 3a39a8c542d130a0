"""The search index as a file: what is in it, and what its questions find."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import StateUnusable
from pipeline.model import Job, Recording
from pipeline.state import search_index
from pipeline.state.search_index import open_index
from pipeline.transcripts.searchable import has_words, spaced
from tests.support.state_files import SOURCE, begun, listed, written


def job(key: str, identity: bytes = b"1", attempt: int = 1) -> Job:
    """A job that is written."""
    return Job(1, identity, "job", Recording(key, "1", 7), attempt)


@pytest.fixture
def index(tmp_path):
    """An index with nothing in it."""
    with open_index(tmp_path / "index") as found:
        yield found


def found(index, *phrases: str) -> list[str]:
    """The recordings in which phrases are found, each place in capitals."""
    return [
        "".join(
            each.upper() if n % 2 else each for n, each in enumerate(_cut(said.text, said.places))
        )
        for said in index.find([spaced(each) for each in phrases], 3)
    ]


def _cut(text, places):
    edges = [0, *(edge for each in places for edge in each), len(text)]
    return [text[one:other] for one, other in pairwise(edges)]


@pytest.mark.parametrize(
    ("said", "asked", "shown"),
    [
        ("my Order Number, please", "order number", "my ORDER NUMBER, please"),
        ("Grüße aus Köln", "koln", "Grüße aus KÖLN"),
        ("order the number", "order number", None),
        ("orders", "order", None),
        ("don't do it", "don\N{RIGHT SINGLE QUOTATION MARK}t", "DON'T do it"),
        ("की बात", "का", None),
        ("שלום עולם", "עולם", "שלום עולם"),
        ("first take", "text:take", None),
        ("first take", "take NOT first", None),
        ("first take", 'nothing" OR "take', None),
        ("first take", "NEAR(take first)", None),
        ("first take", "t*", None),
        ("first take", "* ^take", "first TAKE"),
    ],
)
def test_words_are_found_as_they_are_said(index, said, asked, shown):
    """Case, accents and punctuation do not count; whatever FTS5 makes of a sign, it is none."""
    index.put([(job("a"), spaced(said), b"")])

    assert found(index, asked) == ([shown] if shown else [])


def test_characters_of_scripts_without_spaces_are_found_inside(index):
    """A word of two characters is found in a sentence, and only as it stands there."""
    index.put([(job("a"), spaced("我想要退款"), b"")])

    assert found(index, "退款")
    assert not found(index, "退要")


def test_phrases_near_one_another_are_found_and_others_are_not(index):
    """With at most three words between, in either order."""
    index.put([(job("a"), "refund of the order number", b"")])
    index.put([(job("b"), "refund of one and another order number", b"")])

    assert found(index, "order number", "refund") == ["REFUND of the ORDER NUMBER"]
    assert index.count(["order number", "refund"], 3) == 1
    assert index.count(["order number"], 3) == 2


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_question_is_too_strange(index, said, asked):
    """Any text with a word finds itself; any other text finds what is there, or nothing."""
    index.put([(job("a"), spaced(said), b"")])

    assert found(index, said) if has_words(said) else True
    if has_words(asked):
        found(index, asked)
        found(index, asked, asked)


def test_a_recording_has_its_last_text_alone(index):
    """Of a new job the old text goes, and so it does where there will be no text."""
    index.put([(job("a"), "first take", b"")])
    index.put([(job("b"), "another take", b"")])
    assert index.due([job("a"), job("a", attempt=2), job("a", b"2"), job("c")]) == [
        *(job("a", attempt=2), job("a", b"2"), job("c")),
    ]
    index.put([(job("a", b"2"), "second take", b"")])
    index.note_lacking(job("b", attempt=2), "gone")

    assert found(index, "take") == ["second TAKE"]
    assert index.lacking() == {"gone": 1}
    assert index.due([job("b", attempt=2)]) == []


def test_what_is_no_recording_any_more_is_forgotten(index, tmp_path):
    """Also what has changed since; what is written as it was stays, and what is being written."""
    with begun(tmp_path / "state") as state:
        written(state, "a", "b")
        jobs = [each for page in state.recordings.written() for each in page]
        for each in (*jobs, job("gone")):
            index.put([(each, f"said in {each.recording.key}", b"")])
        before = state.recordings.written_mark()
        state.begin(SOURCE)
        listed(state, "b", etag="2")
        index.forget_others(state.recordings)

        assert found(index, "said") == ["SAID in a"]
        assert state.recordings.written_mark() != before


def test_many_texts_are_found_page_by_page(index):
    """More than are held at once, each once, in the order in which they came."""
    for n in range(50):
        index.put([(job(f"{n}"), f"number {n}", b"")])

    assert found(index, "number") == [f"NUMBER {n}" for n in range(50)]


def test_a_file_that_is_no_index_is_refused(tmp_path, monkeypatch):
    """Another program's, a damaged one, and a Python without FTS5 have their sentences."""
    (tmp_path / "damaged").write_bytes(b"no database" * 200)
    with closing(sqlite3.connect(tmp_path / "other")) as database:
        database.execute("CREATE TABLE mine (x)")

    with pytest.raises(StateUnusable, match=r"not a search index.*Delete it"):
        open_index(tmp_path / "damaged").__enter__()
    with pytest.raises(StateUnusable, match="another program"):
        open_index(tmp_path / "other").__enter__()
    old = search_index._INDEX
    without = old._replace(new=old.new.replace("USING fts5", "USING fts9"))
    monkeypatch.setattr(search_index, "_INDEX", without)
    with pytest.raises(StateUnusable, match="no FTS5"):
        open_index(tmp_path / "new").__enter__()
