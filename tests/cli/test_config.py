"""`config example`, `config schema` and `config show` through the command line."""

from __future__ import annotations

import json

from pipeline.config.schema import SECTIONS
from tests.support.in_process import InProcess


def test_the_example_that_is_printed_is_a_settings_file(tmp_path, monkeypatch):
    """What is printed can be given to `--config`, and changes nothing."""
    config = InProcess("config", tmp_path / "work", monkeypatch)
    printed = config("example").out
    (config.folder / "calls.toml").write_text(printed, encoding="utf-8")

    facts = json.loads(config("show", "--config", "calls.toml", "--json").out)

    assert printed.splitlines()[0] == "#:schema ./config.schema.json"
    by_file = {each["section"] for each in facts["settings"] if each["origin"] == "calls.toml"}
    assert by_file == set(SECTIONS)
    assert [each["value"] for each in facts["settings"]] == [
        each["value"] for each in json.loads(config("show", "--json").out)["settings"]
    ]


def test_the_schema_is_printed_as_the_file_has_it(tmp_path, monkeypatch):
    """What is printed is the file that an editor reads."""
    outcome = InProcess("config", tmp_path / "work", monkeypatch)("schema")

    assert outcome.code == 0
    assert json.loads(outcome.out)["properties"]["limits"]["additionalProperties"] is False


def test_what_is_in_force_is_a_table_by_section(tmp_path, monkeypatch):
    """Each setting has a line with its value and origin; rules follow with what they change."""
    config = InProcess("config", tmp_path / "work", monkeypatch)
    (config.folder / "c.toml").write_text(
        '[limits]\nworkers = 4\n[[rules]]\ninclude = ["fr/**"]\nlanguage = "fr-FR"\n',
        encoding="utf-8",
    )
    config.use(TRANSCRIBE_PIPELINE_CONFIG="c.toml")

    lines = config("show", "--region", "eu-west-1").out.splitlines()

    rows = [line.split() for line in lines]
    assert ["region", '"eu-west-1"', "flag"] in rows
    assert ["workers", "4", "c.toml"] in rows
    assert lines.index("[limits]") < rows.index(["workers", "4", "c.toml"])
    assert rows[-2:] == [["include", '["fr/**"]', "c.toml"], ["language", '"fr-FR"', "c.toml"]]


def test_what_is_in_force_is_told_to_programs(tmp_path, monkeypatch):
    """With --json every setting is an object of its own."""
    config = InProcess("config", tmp_path / "work", monkeypatch)

    facts = json.loads(config("show", "s3://bucket/calls/", "--workers", "3", "--json").out)

    assert facts["config_file"] == ""
    assert {"section": "limits", "name": "workers", "value": 3, "origin": "flag"} in facts[
        "settings"
    ]


def test_a_source_is_checked_as_a_run_does(run):
    """Settings that do not go with a folder are refused before anything is shown."""
    outcome = run("config", "show", ".", "--language", "de-DE")

    assert (outcome.code, outcome.out) == (2, "")
    assert "knows US English only" in outcome.err
