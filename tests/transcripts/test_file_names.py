"""The names of recordings in a folder of transcripts."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.transcripts.file_names import Stems
from pipeline.transcripts.formats import SUFFIXES

STEMS = Stems(("mp3", "wav"), SUFFIXES, folds=False)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("calls/a.mp3", "calls/a"),
        ("calls/A.WAV", "calls/A"),
        ("calls/a.b.mp3", "calls/a.b"),
        ("calls/a", "calls/a"),
        ("calls/a.dat", "calls/a.dat"),
        (".mp3", ".mp3"),
        ("calls/.mp3", "calls/.mp3"),
        ("/a.mp3", "%/a"),
        ("../a.mp3", "%2E%2E/a"),
        ("a/./b.mp3", "a/%2E/b"),
        ("a.txt/b.mp3", "a%2Etxt/b"),
        ("a.TextGrid/b.mp3", "a%2ETextGrid/b"),
        ("a\nb%.mp3", "a%0Ab%25"),
    ],
)
def test_a_name_is_the_key_without_its_extension(key, name):
    """What no file can be called is written as in URLs, and no folder is called as a file is."""
    assert STEMS.first(key) == name


keys = st.lists(
    st.text("aA./\\%\n\x00é ", max_size=6) | st.sampled_from(["..", ".", "", "x.txt"]),
    min_size=1,
    max_size=4,
).map("/".join)


@given(keys)
def test_no_name_leads_out_of_the_folder(key):
    """Every part of a name is a name, none of them longer than file systems take."""
    path = PurePosixPath(f"{STEMS.first(key)}.txt")

    assert not path.is_absolute()
    assert ".." not in path.parts
    assert all(0 < len(part.encode()) <= 255 and "\x00" not in part for part in path.parts)


@given(keys, keys)
def test_second_names_are_apart(one, other):
    """Whatever falls together, the second name is nobody else's."""
    assert STEMS.second(one) != STEMS.first(other)
    assert (STEMS.second(one) == STEMS.second(other)) == (one == other)


def test_a_long_name_ends_in_a_hash():
    """255 bytes are a name, with its suffix."""
    one, other = STEMS.first(f"{'x' * 999}1.mp3"), STEMS.first(f"{'x' * 999}2.mp3")

    assert one != other
    assert len(one) <= 200


def test_names_are_one_where_a_folder_folds_them():
    """In case, and in how an accent is written."""
    folding = Stems((), (), folds=True)

    assert folding.known_as("CAF\N{LATIN CAPITAL LETTER E WITH ACUTE}") == folding.known_as(
        "cafe\N{COMBINING ACUTE ACCENT}"
    )
    assert STEMS.known_as("A") != STEMS.known_as("a")
