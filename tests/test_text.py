"""Words for people; those of a service tell no secret, whatever it repeats."""

from __future__ import annotations

import pytest

from pipeline.errors import Unavailable
from pipeline.text import count_of, hide, printable, redacted

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ0b2tlbl90eXBlIjoiYSJ9.ElbRf_LkIO3U"
SIGNED = "https://b.s3.amazonaws.com/k.json?X-Amz-Credential=AKIA%2F1&X-Amz-Signature=5e4c"


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (f"{SIGNED} is gone", "https://b.s3.amazonaws.com/k.json?... is gone"),
        ("Authorization: Token 0a1b2c3d4e5f", "Authorization: ***"),
        ('{"authorization": "Bearer abc", "x": 1}', '{"authorization": "***", "x": 1}'),
        ("Invalid token 0a1b2c3d4e5f6a7b given", "Invalid token *** given"),
        (f"{JWT} is revoked", "*** is revoked"),
        (f"sent {JWT[:-1]},", "sent ***,"),
        (f"Credential=AKIA/1, Signature={'0a' * 32}", "Credential=AKIA/1, Signature=***"),
        ("Token authentication is disabled", "Token authentication is disabled"),
        ("Authentication credentials were not provided.",) * 2,
        ("calls/why?.mp3",) * 2,
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_left_out_and_nothing_else(words, kept):
    """A signed query, an Authorization header, a token; the words around them stay."""
    assert redacted(words) == kept


def test_a_secret_that_is_known_is_left_out_in_every_form():
    """Where it is repeated, as it is or in an address, by whatever is printed, logged or raised."""
    hide("Wq3/secret+secret9")
    error = Unavailable("It said Wq3/secret+secret9.", message="Wq3%2Fsecret%2Bsecret9 is wrong")

    assert str(error) == "It said ***."
    assert error.message == "*** is wrong"
    assert "secret" not in repr(error)
    assert printable("a Wq3/secret+secret9") == "a ***"
    error.message = "once more Wq3/secret+secret9"
    assert error.message == "once more ***"


def test_a_word_that_is_too_short_to_be_a_secret_is_left_alone():
    """A token of three letters would be found in many a word."""
    hide("a")

    assert redacted("a manager") == "a manager"


@pytest.mark.parametrize(
    ("count", "said", "with_verb"),
    [
        (0, "0 files", "0 copies are"),
        (1, "1 file", "1 copy is"),
        (2_000, "2,000 files", "2,000 copies are"),
    ],
)
def test_a_count_has_its_noun(count, said, with_verb):
    """One is one: nothing else is said in the singular."""
    assert count_of(count, "file") == said
    assert count_of(count, "copy is", "copies are") == with_verb
