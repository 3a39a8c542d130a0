"""The models of the services, each read once for all clients of a process.

botocore reads them anew for every session: a tenth of a second of CPU for each service.
"""

from __future__ import annotations

import functools
from typing import Any

import botocore.loaders


def read_once() -> None:
    """From now on a file of a model is read when it is first asked for, and never again."""
    load = botocore.loaders.JSONFileLoader.load_file
    known: dict[str, Any] = {}

    @functools.wraps(load)
    def load_once(self: Any, file_path: str) -> Any:
        if file_path not in known:
            known[file_path] = load(self, file_path)
        return known[file_path]

    botocore.loaders.JSONFileLoader.load_file = load_once
    listed = botocore.loaders.Loader.list_available_services
    names: dict[tuple[str, ...], Any] = {}

    @functools.wraps(listed)
    def list_once(self: Any, type_name: str) -> Any:
        of = (type_name, *self.search_paths)
        if of not in names:
            names[of] = listed(self, type_name)
        return names[of]

    botocore.loaders.Loader.list_available_services = list_once
