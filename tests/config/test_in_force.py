"""Which value each setting has, and what gave it."""

from __future__ import annotations

import tomllib

import pytest

from pipeline.config.in_force import Given, in_force
from pipeline.config.loading import resolve

FILE = """
[aws]
region = "eu-west-1"
[limits]
workers = 4
collectors = 5
[transcribe]
language = "de-DE"
"""


def shown(tmp_path, flags=None, **environment):
    """Every setting by name: its value and its origin, `file` for the file's path."""
    path = tmp_path / "c.toml"
    path.write_text(FILE, encoding="utf-8")
    config = resolve(flags or {}, environment, path)
    given = Given(frozenset(flags or ()), environment, "file", tomllib.loads(FILE))
    return {each.name: (each.value, each.origin) for each in in_force(config, given)}


def test_the_value_in_force_is_told_with_what_gave_it(tmp_path):
    """A flag wins over the environment, that over the file, and this over the default."""
    found = shown(tmp_path, {"workers": 9}, TRANSCRIBE_PIPELINE_COLLECTORS="7")

    assert found["workers"] == (9, "flag")
    assert found["collectors"] == (7, "TRANSCRIBE_PIPELINE_COLLECTORS")
    assert found["region"] == ("eu-west-1", "file")
    assert found["start_rate"] == (25.0, "default")


def test_what_is_made_of_other_settings_is_told_as_it_is_used(tmp_path):
    """State file, name of the predictions and queued jobs follow from others where not set."""
    found = shown(
        tmp_path, {"output": "night.jsonl", "data_access_role": "arn:aws:iam::123456789012:role/r"}
    )

    assert found["state"] == ("night.jsonl.state", "default")
    assert found["model_version"] == ("amazon-transcribe/de-DE", "default")
    assert found["max_in_flight"] == (10_000, "default")


@pytest.mark.parametrize(
    ("variable", "name"),
    [("AWS_PROFILE", "profile"), ("AWS_ENDPOINT_URL", "endpoint_url"), ("LABEL_STUDIO_URL", "url")],
)
def test_what_the_variables_of_other_programs_give_is_told(tmp_path, variable, name):
    """AWS's and Label Studio's own variables hold where a setting is not made."""
    assert shown(tmp_path, **{variable: "https://x"})[name] == ("https://x", variable)


def test_a_setting_that_is_made_wins_over_other_programs_variables(tmp_path):
    """The region of the file holds, whatever AWS_REGION says."""
    assert shown(tmp_path, AWS_REGION="us-east-2")["region"] == ("eu-west-1", "file")


def test_no_secret_is_told(tmp_path):
    """A token is not shown, nor what an address holds before its host."""
    found = shown(
        tmp_path,
        {"endpoint_url": "https://me:secret@host/x"},
        LABEL_STUDIO_API_KEY="secret",
        LABEL_STUDIO_URL="https://secret@studio/",
    )

    assert found["token_file"] == ("(not shown)", "LABEL_STUDIO_API_KEY")
    assert found["endpoint_url"] == ("https://host/x", "flag")
    assert "secret" not in str(found)
