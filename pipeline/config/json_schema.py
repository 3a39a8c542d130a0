"""The settings as a JSON Schema, from the types that they are read by: editors complete by it.

JSON Schema 2020-12, as `taplo` and "Even Better TOML" read it from `config.schema.json`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.config.schema import RULES, SECTIONS
from pipeline.config.transcription import OF_THE_RUN, Transcribe

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_GLOBS = {
    "description": "Globs of the keys that the rule holds for, matched as those of [input] are.",
    "type": "array",
    "items": {"type": "string"},
    "minItems": 1,
}


def json_schema() -> dict[str, Any]:
    """The schema of a settings file: every section and key, with meaning, unit and bounds."""
    names = {struct.__name__: section for section, struct in SECTIONS.items()}
    _, parts = msgspec.json.schema_components(SECTIONS.values(), ref_template="#/$defs/{name}")
    sections = {names[part]: _closed(schema) for part, schema in parts.items() if part in names}
    for section, schema in sections.items():  # msgspec leaves out those of a factory
        for name, setting in schema["properties"].items():
            setting.setdefault("default", msgspec.to_builtins(getattr(SECTIONS[section](), name)))
    return {
        "$schema": _DIALECT,
        "title": "Settings of transcribe-pipeline",
        "description": "A flag wins over the environment, that over this file.",
        "type": "object",
        "properties": sections | {RULES: _rules(parts[Transcribe.__name__])},
        "additionalProperties": False,
        "$defs": {part: schema for part, schema in parts.items() if part not in names},
    }


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """A section that takes no other keys, so that a typo is one."""
    kept = {name: value for name, value in schema.items() if name != "required"}
    return kept | {"additionalProperties": False}


def _rules(transcribe: dict[str, Any]) -> dict[str, Any]:
    """A rule has its globs, and the keys of a recording; what it does not name is as elsewhere."""
    keys = {
        name: {fact: value for fact, value in schema.items() if fact != "default"}
        for name, schema in transcribe["properties"].items()
        if name not in OF_THE_RUN
    }
    return {
        "description": "What else is asked for some recordings; of the rules the first counts.",
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"include": _GLOBS} | keys,
            "required": ["include"],
            "additionalProperties": False,
        },
    }
