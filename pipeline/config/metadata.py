"""What else is known of a recording and goes with it: where it stands, and what it may be called.

Names and values are foreign, so both have bounds. A name is what Label Studio's Data Manager can
filter and sort by; a value is a text, a number, or true or false.
"""

from __future__ import annotations

import json
import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import orjson
from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

Value = str | int | float | bool
Values = dict[str, Value]

TASK_NAMES = frozenset(
    {
        "alternatives",
        "audio",
        "channel_count",
        "dialogue",
        "duration",
        "job_id",
        "language",
        "language_seconds",
        "languages",
        "lowest_confidence",
        "mean_confidence",
        "model_version",
        "recording",
        "recording_uri",
        "redacted_transcript",
        "speaker_count",
        "speakers",
        "subtitles",
        "toxicity",
        "toxicity_detection",
        "word_count",
    }
)
"""The names in a task's `data` that are ours."""

COPIED = "recording_uri"
"""The one of them that has a recording's own URI where `audio` is Label Studio's copy of it."""

MOST_COLUMNS = 100
MOST_BYTES = 16_384
"""Of the metadata of one recording."""

LONGEST_NAME = 64
LONGEST_VALUE = 1_000

_MOST_DIGITS = 20
"""Of a whole number of 64 bits."""
_MANY_DIGITS = re.compile(r"\d{19}")
_NO_NAME = re.compile(r"\W+")
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_OPENED_BY_ITSELF = frozenset({"http", "https"})
_FIELD = re.compile(r"\{([^{}:]*)(?::([^{}]*))?\}")
_WHOLE_NUMBER = "d"
_MOST_ALIKE = 20
"""What may end a part is in no path oftener: the places to try multiply with every part."""


class Metadata(msgspec.Struct, frozen=True):
    """What else is known of each recording, for its task and the ground truth."""

    source: Annotated[
        Literal["", "manifest", "sidecar", "object", "tags"],
        Meta(
            description="Where it stands: manifest, in its columns; sidecar, in a JSON file beside"
            " the recording; object, S3's user-defined metadata; tags, the object's tags."
        ),
    ] = ""
    columns: Annotated[
        list[str], Meta(description="Which of it is taken, by name; all of it when empty.")
    ] = msgspec.field(default_factory=list)
    key_pattern: Annotated[
        str,
        Meta(description="Names for parts of the path below SOURCE: {agent}/{date:%Y-%m-%d}/."),
    ] = ""


class Unusable(ValueError):
    """Metadata is not taken; the words say why, in a clause about it."""


def decoded(text: str) -> Any:
    """What JSON says; a whole number of more than 64 bits is a text, as a float has fewer digits.

    Raises:
        ValueError: it is not JSON.
    """
    found = orjson.loads(text)
    return json.loads(text, parse_int=_whole) if _MANY_DIGITS.search(text) else found


def _whole(digits: str) -> int | str:
    fits = len(digits) <= _MOST_DIGITS and -(2**63) <= int(digits) < 2**64
    return int(digits) if fits else digits


def packed(found: Mapping[str, Any], columns: Collection[str] = ()) -> Values:
    """What is taken of metadata: of these columns alone where some are named, by usable names.

    Lists, tables and what is empty are left out.

    Raises:
        Unusable: it is more than a task should carry, or named like a part of every task.
    """
    taken = {name: found[name] for name in found if not columns or name in columns}
    if len(taken) > MOST_COLUMNS:
        raise Unusable(f"it has {len(taken):,} columns, and {MOST_COLUMNS} are taken at most")
    values: Values = {}
    for name, value in taken.items():
        if not _is_value(value):
            continue
        usable = usable_name(name)
        if usable in TASK_NAMES:
            raise Unusable(f"its column {name[:LONGEST_NAME]!r} is named like a part of every task")
        if usable in values:
            raise Unusable(f"two of its columns are called {usable}")
        if usable:
            values[usable] = value
    if (size := len(msgspec.json.encode(values))) > MOST_BYTES:
        raise Unusable(f"it has {size:,} bytes, and {MOST_BYTES:,} are taken at most")
    return values


def others(data: Mapping[str, Any]) -> Values:
    """What a task's data holds beside what is ours."""
    return {n: each for n, each in data.items() if n not in TASK_NAMES and _is_value(each)}


def usable_name(name: str) -> str:
    """A name of letters, digits and `_`, as a key of a task's data has it; "" for none."""
    return _NO_NAME.sub("_", name[:LONGEST_NAME]).strip("_")


def column_names(metadata: Metadata, ours: Collection[str]) -> dict[str, str]:
    """The columns of a table for what the settings name, and what each is called beside `ours`.

    Case makes no difference there, as in SQL; a name that is taken gets `metadata_` before it.
    """
    named = map(usable_name, metadata.columns if metadata.source else ())
    names = dict.fromkeys(filter(None, [*KeyPattern(metadata.key_pattern).forms, *named]))
    taken = {each.lower() for each in ours}
    called = {}
    for name in names:
        column = name
        while column.lower() in taken:
            column = f"metadata_{column}"
        taken.add(column.lower())
        called[name] = column
    return called


def _is_value(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, (str, int)) and value != ""


def shown(values: Values) -> Values:
    """What of it a task shows: long texts cut, and no address of a storage.

    Label Studio opens such an address (s3://, gs://) for reviewers, whoever wrote it there.
    """
    return {
        name: value[:LONGEST_VALUE] if isinstance(value, str) else value
        for name, value in values.items()
        if not (isinstance(value, str) and _leads_into_a_storage(value))
    }


def _leads_into_a_storage(text: str) -> bool:
    return any(each.lower() not in _OPENED_BY_ITSELF for each in _ADDRESS.findall(text))


class KeyPattern:
    """Values from the parts of a path: `{agent}/{date:%Y-%m-%d}/*`.

    A field without a format is a text without `/`, `d` a whole number, any other one a date or time
    as `strptime` reads it. `*` is anything; what follows the pattern in a path is anything too.
    `forms` has the format of each field by its name.

    Raises:
        ValueError: it is no such pattern; the words say why.
    """

    def __init__(self, pattern: str) -> None:
        self.forms: dict[str, str] = {}
        end, regex = 0, ""
        for field in _FIELD.finditer(pattern):
            if end and end == field.start():
                raise ValueError(f"{field[0]} follows another part: write what stands between them")
            regex += _literal(pattern[end : field.start()])
            regex += r"(-?\d{1,18})" if field[2] == _WHOLE_NUMBER else "([^/]+)"
            self._add(field[1], field[2] or "")
            end = field.end()
        self._regex = re.compile(regex + _literal(pattern[end:]), re.DOTALL)
        self._between = [each for each in re.split(r"\{[^{}]*\}|\*", pattern) if each]

    def _add(self, name: str, form: str) -> None:
        if not name or usable_name(name) != name:
            raise ValueError(f"{{{name}}} is no name of letters, digits and _")
        if name in TASK_NAMES:
            raise ValueError(f"{name} is named like a part of every task")
        if name in self.forms:
            raise ValueError(f"{name} is there twice")
        if form and form != _WHOLE_NUMBER and "%" not in form:
            raise ValueError(f"{form} is no format: write none, d for a number, or %Y-%m-%d")
        self.forms[name] = form

    def values(self, path: str) -> Values:
        """The values of a path; none where it is of another shape."""
        if any(path.count(each) > _MOST_ALIKE for each in self._between):
            return {}
        match = self._regex.match(path)
        if match is None:
            return {}
        found = zip(self.forms.items(), match.groups(), strict=True)
        try:
            return {name: _read(text, form) for (name, form), text in found}
        except ValueError:  # no such date
            return {}


def _literal(text: str) -> str:
    if "{" in text or "}" in text:
        raise ValueError("a brace is open or stands alone")
    return ".*".join(map(re.escape, text.split("*")))


def _read(text: str, form: str) -> Value:
    if form in ("", _WHOLE_NUMBER):
        return int(text) if form else text
    moment = datetime.strptime(text, form)  # noqa: DTZ007 # a key has the zone that its writer had
    is_time = any(each in form for each in ("%H", "%I", "%M", "%S", "%f", "%p", "%X", "%c"))
    return moment.isoformat() if is_time else moment.date().isoformat()


def complaints(metadata: Metadata) -> Iterator[str]:
    """What is wrong with the settings, each a sentence."""
    try:
        KeyPattern(metadata.key_pattern)
    except ValueError as error:
        yield f"key_pattern = {metadata.key_pattern!r}: {error}."
    for name in metadata.columns:
        if usable_name(name) in TASK_NAMES:
            yield (
                f"columns has {name!r}, which is named like a part of every task: give it another "
                "name where it stands."
            )
    if len(metadata.columns) > MOST_COLUMNS:
        yield f"columns: {len(metadata.columns)} of them; {MOST_COLUMNS} are taken at most."
