"""A real Label Studio for the tests of this folder, which `make test` leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.label_studio_server.server import LabelStudio, from_seed

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudio]:
    """A running server; each test makes projects of its own in it."""
    server = from_seed(tmp_path_factory.mktemp("label-studio") / "data")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def personal_token(label_studio: LabelStudio) -> str:
    """A personal access token for it, as people make one in their account settings."""
    return label_studio.personal_token()
