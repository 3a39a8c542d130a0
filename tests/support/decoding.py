"""How long a decoder finds a file to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from pathlib import Path


def decoded_seconds(path: Path) -> float:
    """How long the sound is that a decoder makes of a file."""
    with av.open(str(path)) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
