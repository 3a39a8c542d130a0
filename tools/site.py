"""The site of the documents, as zensical.toml describes it.

python -m tools.site    # builds it into site/

Links to files outside docs/ lead to the repository at `REPOSITORY_URL`. Without it only their
words stay.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import PurePosixPath

from pipeline import __version__
from tests.conftest import ROOT
from tools.docs import DOCS

SITE = ROOT / "site"
SOURCE = ROOT / "site-source"
_BESIDE = re.compile(r"^(<!-- [^>]*-->)\n(?=\|)|(?<=\|)\n(?=<!-- )", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((\.\.?/[^)\s]+)\)")


def site_page(text: str, page: PurePosixPath, repository: str) -> str:
    """A page for the site: links to files outside docs/ are absolute, tables stand by themselves.

    GitHub takes a table beside a comment for one, Python-Markdown takes both for HTML.

    Args:
        text: the page as docs/ has it.
        page: its path below docs/.
        repository: where the repository is at this version, "" where that is not known.
    """

    def outward(link: re.Match[str]) -> str:
        words, target = link.groups()
        path = PurePosixPath(os.path.normpath("docs" / page.parent / target.partition("#")[0]))
        if path.is_relative_to("docs"):
            return link[0]
        return f"[{words}]({repository}/{path})" if repository else words

    return _BESIDE.sub(lambda match: f"{match[1] or ''}\n\n", _LINK.sub(outward, text))


def main() -> int:
    """Stage the pages and build them; return the builder's exit code."""
    address = os.environ.get("REPOSITORY_URL", "").rstrip("/")
    repository = f"{address}/blob/v{__version__}" if address else ""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(DOCS, SOURCE)
    for path in SOURCE.rglob("*.md"):
        page = PurePosixPath(path.relative_to(SOURCE).as_posix())
        path.write_text(site_page(path.read_text("utf-8"), page, repository), "utf-8")
    zensical = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    return subprocess.run(zensical, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
