"""The documents say what the program does."""

from __future__ import annotations

import re
import tomllib

import msgspec
import pytest

from pipeline import __version__
from pipeline.config.loading import resolve
from pipeline.config.schema import RULES, SECTIONS, Config
from pipeline.model import TaskKind
from pipeline.tasks.labeling_config import labeling_config
from tests.conftest import ROOT
from tests.support.labeling import assert_accepted_by_label_studio
from tools.docs import (
    COMMANDS,
    DOCS,
    SURVIVED,
    blocks,
    help_text,
    pages,
    shown_tables,
    survived,
    tables,
)

EXAMPLE = ROOT / "pipeline/config/config.example.toml"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_page_shows_the_help_of_every_command(command):
    """The help on a command's page is what the program prints, to the letter."""
    page = DOCS / "reference" / "commands" / f"{command.replace(' ', '-')}.md"
    shown = blocks()

    assert f"<!-- help: {command} -->" in page.read_text(encoding="utf-8")
    assert shown[f"help: {command}"].rstrip() == help_text(command).rstrip()


def test_the_page_of_what_it_survives_shows_the_table():
    """The tables on the page are those that the tests hold the commands to."""
    page = SURVIVED.read_text(encoding="utf-8")

    assert survived(page) == page
    assert "| `run` | start job |" in page


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_ends_with_numbered_examples(command):
    """Each help text shows by example what the command is for."""
    text = help_text(command)

    assert re.search(r"Examples:\n +1\. .+\n +> transcribe-pipeline " + command, text)


def test_example_configuration_has_every_key_with_its_default():
    """The example file loads, and what it says are the defaults: none missing, none different."""
    table = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))

    assert resolve({}, {}, EXAMPLE) == Config()
    assert table | {RULES: ()} == msgspec.to_builtins(Config())


def test_example_rules_hold_once_their_comments_are_taken_away(tmp_path):
    """The rules that the example shows as comments are rules."""
    text = EXAMPLE.read_text(encoding="utf-8")
    shown = text[text.index("# [[rules]]") : text.index("[cluster]")]
    path = tmp_path / "config.toml"
    path.write_text(re.sub("^# ?", "", shown, flags=re.MULTILINE), encoding="utf-8")

    french, stereo = resolve({}, {}, path).rules

    assert (french.transcribe.language, french.transcribe.vocabulary) == ("fr-FR", "calls-fr")
    assert stereo.transcribe.channel_identification


def test_example_configuration_explains_every_key():
    """Each key of the example has a comment on its line."""
    keys = [field.name for struct in SECTIONS.values() for field in msgspec.structs.fields(struct)]
    text = EXAMPLE.read_text(encoding="utf-8")

    for key in keys:
        assert re.search(rf"^{key} = .*# \w+", text, re.MULTILINE), key


@pytest.mark.parametrize("kind", TaskKind)
def test_the_labeling_configuration_that_is_shown_fits_the_tasks(run, cloud, kind):
    """A project made with what the page shows imports what a run writes."""
    cloud().add(one="first")
    run("run", "s3://audio/", "--task", kind)
    [task] = run.tasks()

    shown = blocks()[f"config: {kind}"]

    assert shown == labeling_config(kind)
    assert_accepted_by_label_studio(task, shown)


def test_the_page_of_run_names_every_reason_for_skipping(run, tmp_path):
    """A reason for skipping that the page does not name would surprise its reader."""
    page = DOCS / "reference" / "commands" / "run.md"
    text = re.sub(r"\s+", " ", page.read_text(encoding="utf-8"))
    for name in ("empty.mp3", "notes.txt", "old.webm"):
        (tmp_path / name).write_text("" if name == "empty.mp3" else "x")
    (tmp_path / "link.mp3").symlink_to(tmp_path / "empty.mp3")

    outcome = run("run", tmp_path, "--exclude", "*.webm", "--json")

    assert len(outcome.counts["skipped"]) == 4
    for reason in outcome.counts["skipped"]:
        assert reason in text


def test_pictures_are_there_small_and_described():
    """Each picture has a text for those who can't see it, and weighs less than 150 kB."""
    shown = [
        (page.parent / path, text)
        for page in pages()
        for text, path in re.findall(r"!\[([^]]*)\]\(([^)]*)\)", page.read_text(encoding="utf-8"))
    ]

    assert {path.resolve() for path, _ in shown} == set(DOCS.rglob("*.png"))
    assert all(len(text) > 80 for _, text in shown)
    assert all(path.stat().st_size < 150_000 for path, _ in shown)


def test_every_file_and_link_that_the_documents_name_is_there():
    """A page that names a file, or links to one, follows it when it moves."""
    lost = [
        f"{page.relative_to(ROOT)}: {name}"
        for page in pages()
        for name in named_files(page.read_text(encoding="utf-8"))
        if not (page.parent / name).exists() and not (ROOT / name).exists()
    ]

    assert lost == []


def named_files(text: str) -> list[str]:
    """Relative links, and the package's own files in backticks."""
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)[^)]*\)", text)
    return links + re.findall(r"`(pipeline/[\w/]+\.py)`", text)


def test_whatever_names_the_version_of_an_image_names_this_one():
    """The version stands in the package alone; what must repeat it repeats it rightly."""
    named_in = [*pages(), *(ROOT / "deploy").rglob("*.y*ml")]
    named = {
        (page.name, version)
        for page in named_in
        for version in re.findall(
            r"/transcribe-pipeline:(\d[\w.]*\w)", page.read_text(encoding="utf-8")
        )
    }

    assert ("cronjob.yaml", __version__) in named
    assert {version for _, version in named} == {__version__}


def test_no_path_of_a_machine_and_no_registry_host_is_in_the_pins():
    """Pins carry names and versions only."""
    pins = ("constraints.txt", "tests/ministack.txt", "tests/label_studio.txt")
    for name in (*pins, "pyproject.toml", "Makefile"):
        assert "://" not in (ROOT / name).read_text(encoding="utf-8"), name


def test_reference_tables_are_what_the_program_prints():
    """Settings, errors, exit codes and commands on the pages are those of this version."""
    helps = {command: help_text(command) for command in COMMANDS}

    assert shown_tables() == tables(helps)
