# ruff: noqa: RUF001 # look-alikes of other scripts are what these tests are about
"""What counts as the same when texts are compared."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.quality.normalise import has_words, normalised

LANGUAGES = ["en-US", "de-DE", "tr-TR", "zh-CN", "ja-JP", "th-TH", None]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en-US", "Hello,  World!", "hello world"),
        ("en-US", "Don\u2019t — really…", "don't really"),
        ("en-US", "twenty-one 'quoted' dogs'", "twenty one quoted dogs"),
        ("en-US", "It's 3.5 % at 10:30, or 1,000.", "it's 3.5 % at 10:30 or 1,000"),
        ("en-US", "$5 + 3 rock & roll", "$5 + 3 rock & roll"),
        ("en-US", "zero\u200bwidth \ufb01ne", "zerowidth fine"),
        ("de-DE", "Straße „groß“", "strasse gross"),
        ("fr-FR", "L\u2019eau, c'est « ça »", "l'eau c'est ça"),
        ("es-ES", "¿Qué? ¡No!", "qué no"),
        ("tr-TR", "IĞDIR İstanbul", "ığdır istanbul"),
        ("az-AZ", "BAKI", "bakı"),
        ("en-US", "ISTANBUL", "istanbul"),
        ("zh-CN", "你好,世界。 ＡＢＣ１２３", "你好世界abc123"),
        ("ja-JP", "これは「テスト」です。 ｱ", "これはテストですア"),
        ("ko-KR", "안녕, 세계!", "안녕 세계"),
        ("ar-SA", "مرحبا، كيف؟", "مرحبا كيف"),
        ("hi-IN", "नमस्ते। दुनिया", "नमस्ते दुनिया"),
        (None, "", ""),
        (None, " \n\t ... ", ""),
    ],
)
def test_normalisation_is_as_documented(language, text, expected):
    """Case, punctuation and compatibility forms are no errors; numbers and symbols stay."""
    assert normalised(text, language) == expected


def test_languages_without_spaces_have_no_words():
    """Chinese, Japanese and Thai are compared by characters, whatever the code's form."""
    assert not any(map(has_words, ["zh-CN", "zh-TW", "ja-JP", "th-TH", "ZH_hk", "yue"]))
    assert all(map(has_words, ["en-US", "de-DE", "ko-KR", "vi-VN", None, ""]))


@example(text="\u0149", language="en-US")  # one letter that folds into an apostrophe and n
@example(text="U\u00af", language="zh-CN")  # the accent is apart until a space is dropped
@given(text=st.text(max_size=40), language=st.sampled_from(LANGUAGES))
def test_normalising_twice_is_normalising_once(text, language):
    """What is normalised stays as it is, with single spaces between words and none at its ends."""
    once = normalised(text, language)

    assert normalised(once, language) == once
    assert " ".join(once.split()) == once
    assert has_words(language) or " " not in once


@given(text=st.text(max_size=40), language=st.sampled_from(LANGUAGES))
def test_equivalent_texts_are_the_same(text, language):
    """How a character is composed makes no difference."""
    assert normalised(unicodedata.normalize("NFD", text), language) == normalised(text, language)
