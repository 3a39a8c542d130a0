"""Transcript files of every shape the service has written, and builders of other ones."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from pipeline.model import Word
from pipeline.transcripts import parsing
from pipeline.transcripts.parsing import parse_transcript
from pipeline.transcripts.schema import read_document

if TYPE_CHECKING:
    from pipeline.model import Transcript

FOLDER = Path(__file__).parent
SHAPES = sorted(file.stem for file in FOLDER.glob("*.json") if file.stem != "call_analytics")
DOCUMENTS = {shape: json.loads((FOLDER / f"{shape}.json").read_bytes()) for shape in SHAPES}

# A short alphabet of troublesome letters is drawn from in no time, all of Unicode is not.
LETTERS = "ab09 .,'\"\\\x00\n\x85éß電🚆\u2028"

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(LETTERS, max_size=5)
    | st.sampled_from(["nan", "inf", "-1", "1e999", "0.5", "pronunciation", "spk_0"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(LETTERS, max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
contents = st.text(LETTERS, max_size=8).filter(str.strip)
times = st.integers(0, 10**8).map(lambda milliseconds: milliseconds / 1000)
confidences = st.none() | st.floats(0, 1)


def read(shape: str) -> Transcript:
    return parse_transcript((FOLDER / f"{shape}.json").read_bytes())


def parse(document: Any) -> Transcript:
    return parse_transcript(json.dumps(document).encode())


def words_of(shape_or_document: Any) -> list[Word]:
    """The words that segments are cut from where the service made none."""
    whole = shape_or_document
    whole = DOCUMENTS[whole] if isinstance(whole, str) else whole
    results = read_document(json.dumps(whole).encode()).results
    assert results is not None
    spoken = parsing._spoken(results.items)
    parsing._join_channels(spoken, results)
    return parsing._words(spoken, parsing._texts(results.items))


def spoken(
    content: Any = "word", start: Any = "0.5", end: Any = "1.0", **more: Any
) -> dict[str, Any]:
    alternative = {"content": content, "confidence": more.pop("confidence", "0.9")}
    times = {"start_time": start, "end_time": end}
    return {"type": "pronunciation", "alternatives": [alternative], **times, **more}


def mark(content: str) -> dict[str, Any]:
    return {"type": "punctuation", "alternatives": [{"content": content, "confidence": "0.0"}]}


def document(items: list[Any], text: str = "some text", **results: Any) -> dict[str, Any]:
    parts = {"transcripts": [{"transcript": text}], "items": items, **results}
    return {"jobName": "job", "status": "COMPLETED", "results": parts}


@st.composite
def damaged_documents(draw: st.DrawFn) -> Any:
    """One of the shapes with one value, anywhere in it, replaced by any other or taken out."""
    damaged = copy.deepcopy(DOCUMENTS[draw(st.sampled_from(SHAPES))])
    node = damaged
    while True:
        key = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        child = node[key]
        if not isinstance(child, dict | list) or not child or draw(st.integers(0, 4)) == 0:
            break
        node = child
    if draw(st.booleans()):
        node[key] = draw(json_values)
    else:
        del node[key]
    return damaged


@st.composite
def words_with_marks(draw: st.DrawFn) -> tuple[list[Word], dict[str, Any]]:
    """Some words, each with the punctuation that follows it, and the document they make."""
    words: list[Word] = []
    items: list[Any] = []
    for content in draw(st.lists(contents, max_size=12)):
        start, end = sorted([draw(times), draw(times)])
        confidence = draw(confidences)
        marks = draw(st.lists(st.sampled_from(".,?!。"), max_size=2))
        words.append(Word(content + "".join(marks), start, end, confidence))
        items.append(spoken(content, str(start), str(end), confidence=confidence))
        items += map(mark, marks)
    return words, document(items, " ".join(word.text for word in words))
