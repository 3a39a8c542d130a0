"""`serve FOLDER`: the local endpoint alone, for other programs."""

from __future__ import annotations

NAME = "serve"
EXAMPLES = ""


def command() -> None:
    """Placeholder."""
