"""The real libraries for the tests of this folder, which `make test` leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, so that none forgets to."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("training")
