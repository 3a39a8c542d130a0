"""A Label Studio with the demo's recordings to hear and to correct: `make demo-review`.

Ctrl-C ends all of it.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import typer

from tests.conftest import COMMAND, ROOT, clean_environment
from tests.label_studio_server.server import EMAIL, PASSWORD, LabelStudio, from_seed

RECORDINGS = ROOT / "pipeline/local/recordings"
FOLDER = ROOT / "demo/review"
RUNS = (
    ("run", RECORDINGS, "--task", "segments"),
    ("push", "--create", "Demo", "--upload-audio"),
)
SOME_FAILED = 1  # one of the recordings is broken on purpose


def main() -> None:
    """Transcribe, push, and wait for Ctrl-C. The folder for all of it may be named."""
    folder = Path(sys.argv[1]) if sys.argv[1:] else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "label-studio", ignore_errors=True)
    server = from_seed(folder / "label-studio")
    server.start()
    try:
        with suppress(KeyboardInterrupt):
            run_and_push(folder, server)
            typer.echo(f"\nReview them at {server.url} as {EMAIL}, {PASSWORD}. Ctrl-C ends it.")
            signal.pause()
    finally:
        server.stop()


def run_and_push(folder: Path, server: LabelStudio) -> None:
    """Transcribe the recordings, and push the tasks into a project that is made for them."""
    told = {"LABEL_STUDIO_URL": server.url, "LABEL_STUDIO_API_KEY": server.token}
    for arguments in RUNS:
        done = subprocess.run(
            [COMMAND, *arguments, "--output", folder / "tasks.jsonl"],
            env=clean_environment(**told),
            check=False,
        )
        if done.returncode not in (0, SOME_FAILED):
            sys.exit(done.returncode)


if __name__ == "__main__":
    main()
