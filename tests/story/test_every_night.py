"""The documents' way from an empty account to the first report, word for word."""

from __future__ import annotations

import re
import shlex
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.conftest import emulator
from tests.support.strict_account import allow_any_job, begin, fill
from tools.docs import DOCS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("every_night")]

SPOKEN = ("calls/invoice.wav", "calls/empty-box.ogg", "calls/cancelled-order.mp3")


def section() -> str:
    """What the documents say about every night."""
    return (DOCS / "how-to" / "nightly-runs.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The section's blocks of code in one language."""
    return re.findall(rf"```{language}\n(.*?)```", section(), re.DOTALL)


def typed(block: str) -> list[list[str]]:
    """The words of each command of a block."""
    return [
        shlex.split(line[2:], comments=True) for line in block.splitlines() if line.startswith("$ ")
    ]


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """The URL of an emulator that enforces policies."""
    with emulator(tmp_path_factory.mktemp("account"), AUTH="true") as url:
        yield url


def test_the_documents_lead_from_an_empty_account_to_the_first_report(account, run):
    """Each command ends with 0 under the rights that `iam apply` gave, and the tasks are there."""
    bucket = f"my-bucket-{uuid.uuid4().hex[:8]}"
    fill(account, bucket, SPOKEN)
    settings, (exported, *commands) = blocks("toml")[0], typed(blocks("console")[0])
    here = settings.replace("my-bucket", bucket).replace("eu-central-1", "us-east-1")
    (run.folder / "nightly.toml").write_text(here, encoding="utf-8")
    begin(run, account, TRANSCRIBE_PIPELINE_CONFIG="nightly.toml")
    for words in commands:
        said = run(*(each.replace("my-bucket", bucket) for each in words[1:]), *agreed(words))
        assert said.code == 0, f"{words}\n{said.err}\n{said.out}"
        if words[1] == "events":
            add_to(run.folder / "nightly.toml", "[aws]", f'events = "{said.out.strip()}"')
        if words[1] == "iam":
            allow_any_job(account, "nightly")

    assert exported == ["export", "TRANSCRIBE_PIPELINE_CONFIG=nightly.toml"]
    assert [words[1] for words in commands] == [
        *("events", "iam", "check", "plan", "run", "status", "report")
    ]
    assert sorted(run.texts()) == sorted(f"s3://{bucket}/{key}" for key in SPOKEN)
    assert (run.folder / "tasks.report.html").stat().st_size > 10_000


def agreed(words: list[str]) -> list[str]:
    """What stands for the answer at a terminal."""
    return {"events": ["--yes"], "iam": ["--yes"]}.get(words[1], [])


def add_to(path: Path, heading: str, line: str) -> None:
    """Add a setting below a section's heading."""
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(heading, f"{heading}\n{line}"), encoding="utf-8")
