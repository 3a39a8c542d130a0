"""What the package index shows: the README with links that lead somewhere, and the addresses.

Where the code lies is not known to the code: whoever releases it sets REPOSITORY_URL, as the
workflow of releases does. Without it links to files are plain words, as no address would be right.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_RELATIVE = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|mailto:|#)([^)\s]+)\)")


def index_readme(text: str, repository: str, tag: str) -> str:
    """The README for a package index, whose pages stand beside none of our files.

    Args:
        text: the README, whose links to files of the repository are relative.
        repository: where the repository is, "" where that is not known.
        tag: of the release, whose files are linked to.
    """

    def absolute(link: re.Match[str]) -> str:
        picture, words, path = link.groups()
        if not repository:
            return "" if picture else words
        return f"{picture}[{words}]({repository}/{'raw' if picture else 'blob'}/{tag}/{path})"

    return _RELATIVE.sub(absolute, text)


def addresses(repository: str, tag: str) -> dict[str, str]:
    """The addresses of the project that the package index links to; none where none is known."""
    if not repository:
        return {}
    return {
        "Source": repository,
        "Documentation": f"{repository}/blob/{tag}/README.md",
        "Changelog": f"{repository}/blob/{tag}/CHANGELOG.md",
        "Issues": f"{repository}/issues",
    }


class PackageMetadata(MetadataHookInterface):  # type: ignore[misc] # its library has no types
    """Called by hatchling, the build backend."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set what pyproject.toml calls dynamic."""
        root = Path(self.root)
        package = (root / "pipeline" / "__init__.py").read_text("utf-8")
        [version] = re.findall(r'^__version__ = "(.+)"$', package, re.MULTILINE)
        repository, tag = os.environ.get("REPOSITORY_URL", "").rstrip("/"), f"v{version}"
        text = index_readme((root / "README.md").read_text("utf-8"), repository, tag)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = addresses(repository, tag)
