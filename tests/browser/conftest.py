"""What is seen in a real browser: left out of `make test`, and without selenium not even read."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.conftest import RECORDINGS, Cli
from tests.label_studio_server.server import LabelStudio, from_seed, s3_access

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.browser.project import Project
    from tests.browser.reviewer import Reviewer

MISSING = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]

collect_ignore = (
    []
    if find_spec("selenium")
    else [
        "test_layouts.py",
        "test_report_page.py",
        "test_reviewing.py",
        "test_site_pages.py",
    ]
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip every test of this folder without a browser."""
    why = f"no {' and no '.join(MISSING)} here: apt-get install chromium chromium-driver"
    for item in items:
        if MISSING and item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled recordings and a conversation, as a folder."""
    from tests.browser.content import conversation
    from tests.browser.project import CONVERSATION

    folder: Path = tmp_path_factory.mktemp("recordings") / "calls"
    shutil.copytree(RECORDINGS, folder)
    folder.joinpath(CONVERSATION).write_bytes(conversation()[0])
    return folder


@pytest.fixture(scope="session")
def server(
    ministack: str, bucket: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LabelStudio]:
    """A Label Studio that can read the recordings from S3."""
    from tests.browser.project import bucket_at

    there = bucket_at(ministack)
    there.create()
    for path in bucket.rglob("*.*"):
        there.upload_file(str(path), path.relative_to(bucket).as_posix())
    server = from_seed(tmp_path_factory.mktemp("label-studio") / "data", **s3_access(ministack))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def reviewer(server: LabelStudio) -> Iterator[Reviewer]:
    """Someone who has logged in."""
    from tests.browser.reviewer import Reviewer

    person = Reviewer(server.url)
    try:
        person.log_in()
        yield person
    finally:
        person.leave()


@pytest.fixture
def pushed(server: LabelStudio) -> Callable[..., Project]:
    """Pushes an output into a new project, with what else `push` is told."""
    from tests.browser.project import BUCKET, Project

    def push(run: Cli, title: str, *told: str) -> Project:
        run.use(LABEL_STUDIO_URL=server.url, LABEL_STUDIO_API_KEY=server.token)
        outcome = run("push", "--create", title, "--json", *told)
        assert outcome.code == 0, outcome.err
        number = json.loads(outcome.out)["project"]
        tasks = server.tasks(number)
        return Project(
            number, {each["data"]["audio"].removeprefix(f"s3://{BUCKET}/"): each for each in tasks}
        )

    return push
