"""The tutorial and the README, typed word by word, and what they show compared.

The commands of Label Studio are typed in tests/label_studio_server, which has a real one.
"""

from __future__ import annotations

import pytest

from tests.conftest import emulator
from tests.support.documents import NOT_RUN, is_what_is_shown, typed
from tests.support.strict_account import allow_any_job, begin, fill
from tools.docs import DOCS, README

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("tutorial")]

TUTORIAL = DOCS / "tutorial.md"
SPOKEN = ("calls/invoice.wav", "calls/empty-box.ogg", "calls/cancelled-order.mp3")
OF_LABEL_STUDIO = {"push", "pull", "quality", "convert"}


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """The URL of an emulator that enforces policies, with three recordings."""
    with emulator(tmp_path_factory.mktemp("account"), AUTH="true") as url:
        fill(url, "my-bucket", SPOKEN)
        yield url


def test_the_tutorial_and_then_the_readme_show_what_a_new_account_gives(account, run):
    """Each command on AWS ends with 0 and prints what its page shows below it."""
    begin(run, account, AWS_REGION="us-east-1", COLUMNS="96")
    tutorial, readme = (
        [each for each in typed(page) if on_aws(each)] for page in (TUTORIAL, README)
    )
    for command in [*tutorial, *readme]:
        words = command.words[1:]
        ended = run(*words, *(["--yes"] if words[0] == "iam" else []))
        printed = "".join(sorted((ended.out, ended.err), key=len))

        assert ended.code == 0, f"{command.line}\n{printed}"
        assert is_what_is_shown(command.shown or "…", printed), f"{command.line}\n{printed}"
        if words[0] == "iam":
            allow_any_job(account, "speech")
            run.use(AWS_PROFILE="speech")

    assert [each.words[1] for each in tutorial] == ["iam", "check", "plan", "run", "run", "status"]
    assert [each.words[1] for each in readme] == ["run", "export"]


def on_aws(command) -> bool:
    return command.is_run and command.words[1] not in OF_LABEL_STUDIO


def test_each_command_that_no_test_types_has_its_reason():
    """What README, tutorial and how-to pages show is typed by a test, or named with its reason."""
    pages = (README, TUTORIAL, *(DOCS / "how-to").glob("*.md"))
    lines = [each.line for page in pages for each in typed(page)]
    left = [line for line in lines if not any(line.startswith(each) for each in NOT_RUN)]

    assert all(line.startswith(("transcribe-pipeline ", ".venv/bin/", "test -n")) for line in left)
    assert all(any(line.startswith(each) for line in lines) for each in NOT_RUN)


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\n", "a\nb\n", False),
        ("a\n…\nd\n", "a\nb\nc\nd\n", True),
        ("a\n…\nd\n", "a\nb\nc\n", False),
        ("Done in 31 s: 3 written\n", "Done in 2 s: 3 written\n", True),
        ("Done in 31 s: 3 written\n", "Done in 2 s: 4 written\n", False),
    ],
)
def test_what_is_shown_is_compared_to_the_letter(shown, printed, same):
    """Only what differs from reader to reader may differ."""
    assert is_what_is_shown(shown, printed) is same
