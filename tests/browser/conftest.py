"""What is seen in a real browser: left out of `make test`, and without selenium not even read."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

MISSING = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]

collect_ignore = (
    []
    if find_spec("selenium")
    else [
        "test_report_page.py",
        "test_reviewing.py",
        "test_site_pages.py",
    ]
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, so that none forgets to; skip them without a browser."""
    why = f"no {' and no '.join(MISSING)} here: apt-get install chromium chromium-driver"
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")
            if MISSING:
                item.add_marker(pytest.mark.skip(reason=why))
