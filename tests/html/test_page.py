"""The frame of all pages, and what a template does with a value."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from jinja2 import UndefinedError

from pipeline.html.page import render
from tests.support.hostile import HOSTILE

FRAME = "html/templates/page.html"


def test_the_policy_allows_the_style_of_the_page_alone():
    """Its digest is that of what stands between the tags, to the byte."""
    content = render(FRAME, title="A page")

    style = re.search(r"<style>(.*)</style>", content, re.DOTALL)
    allowed = re.search(r"style-src 'sha256-([^']+)'", content)
    assert style
    assert allowed
    digest = hashlib.sha256(style[1].encode()).digest()
    assert allowed[1] == base64.b64encode(digest).decode()


def test_a_value_is_escaped_and_on_one_line():
    """A title that is markup is shown as text; control characters are shown as what they are."""
    content = render(FRAME, title=HOSTILE)

    assert "<script" not in content
    assert "\x1b" not in content
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;" in content
    assert r"\n\x1b[31m/../../key.mp3</title>" in content


def test_a_value_that_is_missing_is_an_error():
    """A template never shows nothing in place of what it names."""
    with pytest.raises(UndefinedError, match="'title' is undefined"):
        render(FRAME)
