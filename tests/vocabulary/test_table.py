"""The table of a custom vocabulary: how phrases are written, merged and checked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BadSettings
from pipeline.local.phrases import read_table
from pipeline.vocabulary.charsets import character_set
from pipeline.vocabulary.table import (
    LARGEST_TABLE,
    Row,
    as_table,
    complaints,
    merge,
    parse_table,
    row_for,
)

HEADER = "Phrase\tSoundsLike\tIPA\tDisplayAs"
written = st.text("abXYZ0189 .,'&-\u2010é\t\n\x00ß電", max_size=20)
cells = st.text("abcXYZ'", min_size=1, max_size=6)
phrases = st.lists(cells, min_size=1, max_size=3).map("-".join)
rows = st.builds(
    Row, phrases, st.just(""), st.just(""), st.text("ab C.", max_size=6).map(str.strip)
)
tables = st.lists(rows, max_size=6, unique_by=lambda row: row.phrase)


@pytest.mark.parametrize(
    ("text", "phrase", "shown"),
    [
        # The guide's own examples.
        ("Los Angeles", "Los-Angeles", "Los Angeles"),
        ("CLI", "C.L.I.", "CLI"),
        ("ABCs", "A.B.C.-s", "ABCs"),
        ("DynamoDB", "Dynamo-D.B.", "DynamoDB"),
        ("Amazon.com", "Amazon-dot-com", "Amazon.com"),
        ("VX02Q", "V.X.-zero-two-Q.", "VX02Q"),
        ("Eva-Maria", "Eva-Maria", ""),
        # Reviewers' ways of writing.
        ("Kowalczyk,", "Kowalczyk", ""),
        ("\u201cAndorra  la\tVella\u201d.", "Andorra-la-Vella", "Andorra la Vella"),
        ("U.S.", "U.S.", "U.S"),
        ("O'Brien", "O'Brien", ""),
        ("iPhone", "iPhone", ""),
        # What English has no letter for is written without its accent, and shown with it.
        ("José Müller", "Jose-Muller", "José Müller"),
        ("O\u2019Brien", "O'Brien", "O\u2019Brien"),
    ],
)
def test_a_phrase_is_written_as_it_is_said(text, phrase, shown):
    """Hyphens between words, full stops after letters said one by one, numbers spelled out."""
    assert row_for(text, "en-US") == Row(phrase, display_as=shown)


@pytest.mark.parametrize(
    ("text", "language", "phrase"),
    [
        ("Grüße", "de-DE", "Grüße"),
        ("Grüße", "en-US", None),
        ("Gru\u0308ße", "de-DE", "Grüße"),  # decomposed letters are refused by the service
        ("Москва", "ru-RU", "москва"),  # the Russian set has small letters only
        ("Škoda", "de-DE", "Skoda"),
        (
            "\u0932\u095c\u0915\u093e",
            "hi-IN",
            "\u0932\u095c\u0915\u093e",
        ),  # NFC takes one letter apart
        (
            "\u0928\u092e\u0938\u094d\u0924\u0947!",
            "hi-IN",
            "\u0928\u092e\u0938\u094d\u0924\u0947",
        ),  # a vowel is a mark
        ("Acme \u2764\ufe0f", "en-US", "Acme"),
        ("東京", "ja-JP", "東京"),
        ("서울", "ko-KR", "서울"),
        ("Zürich 2", "de-DE", None),  # digits are spelled out in English alone
        ("...", "en-US", None),
        ("x" * 257, "en-US", None),
    ],
)
def test_a_phrase_has_the_characters_of_its_language(text, language, phrase):
    """What a language's set does not hold makes no entry."""
    found = row_for(text, language)

    assert (found.phrase if found else None) == phrase


@given(written, st.sampled_from(["en-US", "de-DE", "ru-RU", "ar-SA", "hi-IN"]))
def test_whatever_reviewers_write_makes_a_row_the_service_takes_or_none(text, language):
    """No text gives a row that the table's own check complains about."""
    row = row_for(text, language)

    if row is not None:
        assert complaints([row], language) == []
        assert parse_table(as_table([row])) == [row]


@given(tables)
def test_a_table_comes_back_as_it_was_written(table):
    """Also by the rules of the endpoint, which knows nothing of this module."""
    content = as_table(table)

    assert parse_table(content) == table
    assert len(read_table(content)) == len(table)


def test_columns_stand_in_any_order_and_editors_line_ends_are_taken():
    """What Excel or Windows makes of a table is read, and written as the service wants it."""
    text = "\ufeffDisplayAs\tPhrase\tIPA\tSoundsLike\r\nBig Apple\tBig-Apple\t\t\r\n\r\n\tx\r\n"

    found = parse_table(text.encode())

    assert found == [Row("Big-Apple", display_as="Big Apple"), Row("x")]
    assert as_table(found) == f"{HEADER}\nBig-Apple\t\t\tBig Apple\nx\t\t\t\n".encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "must name Phrase, SoundsLike, IPA, DisplayAs"),
        (b"Phrase,DisplayAs\nx,y\n", "with tabs between them"),
        (f"{HEADER}\nx\ty\tz\ta\tb\n".encode(), "Line 2 of the table has 5 columns"),
        (b"Phrase\xff", "not UTF-8 at byte 6"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_a_sentence(content, said):
    """The sentence names what is wrong and where."""
    with pytest.raises(BadSettings, match=said):
        parse_table(content)


@given(tables, tables)
def test_merging_keeps_every_row_of_people_and_adds_each_new_one_once(known, new):
    """Their rows come first, untouched; a second merge adds nothing."""
    merged = merge(known, new)

    assert merged.rows[: len(known)] == known
    assert set(merged.rows) <= set(known) | set(new)
    folded = [row.phrase.casefold() for row in merged.rows[len(known) :]]
    assert len(folded) == len(set(folded))
    assert merge(merged.rows, new).added == 0


def test_a_phrase_that_people_rewrote_is_not_offered_again():
    """A row is known by what it displays too: its phrase may be spelt as it sounds."""
    known = [Row("cooper-netties", display_as="Kubernetes")]

    assert merge(known, [Row("Koo", display_as="kubernetes")]).added == 0


def test_a_table_is_filled_to_the_limit_and_no_further():
    """The most important rows come in, and what finds no room is counted."""
    ranked = [Row(f"{'x' * 90}-{'y' * number}") for number in range(1, 600)]

    merged = merge([], ranked)

    assert LARGEST_TABLE - 800 < len(as_table(merged.rows)) <= LARGEST_TABLE
    assert merged.rows == ranked[: merged.added]
    assert merged.added + merged.left_out == len(ranked)


def test_every_complaint_about_a_table_comes_at_once():
    """Each names its phrase; a table without rows and one that is too large are refused too."""
    table = [Row("ok"), Row("two words"), Row("ok"), Row("1"), Row("x", display_as="y" * 257)]

    assert len(complaints(table, "en-US")) == 4
    assert complaints([], "en-US") == ["The table has no rows."]
    large = [Row(f"{'x' * 240}{'y' * number}") for number in range(1, 16)] * 20
    assert any("the service takes 50,000" in said for said in complaints(large, "en-US"))


@pytest.mark.parametrize(
    ("language", "taken", "refused"),
    [
        ("en-GB", "azAZ'-.", "é1 _"),
        ("de-CH", "äöüßÄÖÜ", "éẞ"),
        ("fr-CA", "éàœ"[:2] + "Û", "œñ"),
        ("ru-RU", "яё-", "Яa"),
        ("he-IL", "את-", "."),
        ("fa-IR", "پی-", "ي"),
        ("ko-KR", "가힣-", "ㄱa"),
        ("th-TH", "กํ.", "ำ"),
        ("ta-IN", "அௌ", "அ௦"[1]),
    ],
)
def test_the_character_sets_are_those_of_the_guide(language, taken, refused):
    """Spot checks at the edges of each kind of list."""
    known = character_set(language)

    assert known is not None
    assert set(taken) <= known
    assert not set(refused) & known


def test_languages_without_a_list_here_are_left_to_the_service():
    """Nothing is refused on a guess."""
    assert character_set("zh-CN") is None
    assert complaints([Row("世界博览会", display_as="世博会")], "zh-CN") == []
