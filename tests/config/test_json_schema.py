"""The settings as a JSON Schema: the file that editors read is what the program takes."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from pipeline.config.json_schema import json_schema
from pipeline.config.loading import resolve
from pipeline.config.schema import SECTIONS
from pipeline.errors import BadSettings
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = ROOT / "pipeline/config/config.example.toml"
SHIPPED = ROOT / "pipeline/config/config.schema.json"
VALIDATOR = Draft202012Validator(json_schema())


def complaints(text: str) -> list[str]:
    """What an editor marks in a file."""
    return [error.message for error in VALIDATOR.iter_errors(tomllib.loads(text))]


def refusal(path: Path, text: str) -> str:
    """What the program says of a file."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadSettings) as refused:
        resolve({}, {}, path)
    return str(refused.value)


def test_the_schema_is_one():
    """It is valid by the rules of its dialect, which it names."""
    schema = json_schema()

    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


def test_the_shipped_schema_is_the_programs():
    """The file beside the example is what `config schema` prints."""
    assert json.loads(SHIPPED.read_text(encoding="utf-8")) == json_schema()


def test_the_example_names_the_schema_and_is_valid_by_it():
    """An editor that opens the example completes it, and marks nothing."""
    text = EXAMPLE.read_text(encoding="utf-8")

    assert text.startswith(f"#:schema ./{SHIPPED.name}\n")
    assert complaints(text) == []


def test_every_setting_has_its_meaning_default_and_bounds():
    """What an editor shows is the setting's own description; its bounds are the program's."""
    sections = json_schema()["properties"]
    for section, struct in SECTIONS.items():
        for field in msgspec.structs.fields(struct):
            shown = sections[section]["properties"][field.name]
            assert shown["description"], field.name
            assert shown["default"] == msgspec.to_builtins(getattr(struct(), field.name))

    assert sections["limits"]["properties"]["workers"] | {"description": ""} == {
        "type": "integer", "minimum": 1, "maximum": 1_000, "default": 16, "description": ""
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[aws]\nregoin = "eu-west-1"', "regoin"),
        ("[limit]\nworkers = 4", "limit"),
        ('[[rules]]\ninclude = ["a/**"]\nlanguag = "fr-FR"', "languag"),
        ('[[rules]]\ninclude = ["a/**"]\njob_prefix = "x"', "job_prefix"),
    ],
)
def test_a_typo_is_refused_by_both_with_its_name(tmp_path, text, named):
    """Editor and program name the same key."""
    [marked] = complaints(text)

    assert f"'{named}'" in marked
    assert named in refusal(tmp_path / "c.toml", text)


@pytest.mark.parametrize(
    "text",
    [
        "[limits]\nworkers = 0",
        '[limits]\nworkers = "4"',
        '[tasks]\nkind = "paragraphs"',
        "[transcribe]\nmax_speakers = 31",
        '[transcribe]\nsubtitles = ["ass"]',
        "[[rules]]\ninclude = []",
        '[[rules]]\nlanguage = "fr-FR"',
    ],
)
def test_a_value_out_of_its_bounds_is_refused_by_both(tmp_path, text):
    """What the program refuses of a value alone, an editor marks while it is typed."""
    assert complaints(text)
    assert refusal(tmp_path / "c.toml", text)


def test_a_rule_may_hold_what_the_example_shows(tmp_path):
    """The rules that the program takes are valid."""
    rule: dict[str, Any] = {"include": ["calls/fr/**"], "language": "fr-FR", "max_speakers": 2}
    text = "[[rules]]\n" + "\n".join(f"{name} = {json.dumps(v)}" for name, v in rule.items())
    path = tmp_path / "c.toml"
    path.write_text(text, encoding="utf-8")

    assert complaints(text) == []
    assert resolve({}, {}, path).rules[0].transcribe.max_speakers == 2
