"""What tutorial, README and how-to page say of Label Studio, typed word by word."""

from __future__ import annotations

import boto3
import pytest

from tests.label_studio_server.outputs import add_tasks
from tests.label_studio_server.server import from_seed, s3_access
from tests.support.documents import is_what_is_shown, typed
from tools.docs import DOCS, README

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("ministack")]

OF_LABEL_STUDIO = ["push", "pull", "quality", "convert"]
HEARD = {
    "invoice.wav": "please send the invoice to my office",
    "order.wav": "my older number is ten",
    "call-back.wav": "we will call you back",
}
REVIEWED = {
    HEARD["invoice.wav"]: HEARD["invoice.wav"],
    HEARD["order.wav"]: "my order number is ten",
}


@pytest.fixture(scope="module")
def server(ministack, tmp_path_factory):
    """A server that reads the bucket with credentials of its own."""
    boto3.client(
        "s3", "us-east-1", endpoint_url=ministack,
        aws_access_key_id="test", aws_secret_access_key="test",
    ).create_bucket(Bucket="calls")  # fmt: skip
    running = from_seed(tmp_path_factory.mktemp("tutorial") / "data", **s3_access(ministack))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def tasks(run, server):
    """Three transcribed recordings, and the server's address and token."""
    add_tasks(run.folder, HEARD)
    run.use(LABEL_STUDIO_URL=server.url, LABEL_STUDIO_API_KEY=server.token, COLUMNS="96")


def commands(page):
    return [each for each in typed(page) if each.is_run and each.words[1] in OF_LABEL_STUDIO]


def test_the_tutorial_leads_from_tasks_to_ground_truth(run, server, tasks):
    """Push, two reviews, pull, error rates and a manifest print what the page shows."""
    project = ""
    for command in commands(DOCS / "tutorial.md"):
        ended = run(*(project if word == "12" else word for word in command.words[1:]))

        assert ended.code == 0, ended.err
        printed = ended.out + ended.err
        assert is_what_is_shown(command.shown, printed), f"{command.line}\n{printed}"
        if command.words[1] == "push":
            project = printed.splitlines()[0].rpartition("/")[2]
            submit(server, int(project))

    assert [each.words[1] for each in commands(DOCS / "tutorial.md")] == OF_LABEL_STUDIO


@pytest.mark.parametrize("page", [README, DOCS / "how-to" / "label-studio.md"])
def test_a_project_is_made_and_filled_with_one_command(run, tasks, page):
    """The first command of the page makes a project and says so in the words that it shows."""
    command, *_ = commands(page)

    ended = run(*command.words[1:-1], f"Calls of {page.name}")

    assert ended.code == 0
    shown = command.shown.replace("18,204", "3")
    assert is_what_is_shown(shown, ended.out + ended.err), ended.err


def submit(server, project: int) -> None:
    """Review the first recordings as the tutorial says."""
    for task in server.tasks(project):
        area, *others = task["predictions"][0]["result"]
        if said := REVIEWED.get(area["value"]["text"][0]):
            server.annotate(task["id"], [area | {"value": {"text": [said]}}, *others])
