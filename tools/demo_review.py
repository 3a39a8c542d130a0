"""A Label Studio with the demo's recordings to hear and to correct: `make demo-review`.

The recordings are served as a bucket, as Label Studio plays no file of a folder: the run, the
player and the project's storage are then those of an account on AWS. Ctrl-C ends all of it.
"""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tests.conftest import COMMAND, ROOT, clean_environment, end
from tests.label_studio_server.server import EMAIL, PASSWORD, LabelStudio, from_seed, s3_access

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDINGS = ROOT / "pipeline/local/recordings"
FOLDER = ROOT / "demo/review"
BUCKET = "recordings"
RUNS = (
    ("run", f"s3://{BUCKET}/", "--task", "segments"),
    ("push", "--create", "Demo"),
)
SOME_FAILED = 1  # one of the recordings is broken on purpose


def main() -> None:
    """Serve, transcribe, push, and wait for Ctrl-C. The folder for all of it may be named."""
    folder = Path(sys.argv[1]) if sys.argv[1:] else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    keys = {
        "AWS_ACCESS_KEY_ID": secrets.token_hex(8),
        "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
    }
    with bucket(keys) as url, suppress(KeyboardInterrupt):
        shutil.rmtree(folder / "label-studio", ignore_errors=True)
        server = from_seed(folder / "label-studio", **(s3_access(url) | keys))
        server.start()
        try:
            run_and_push(
                folder, server, {"AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1", **keys}
            )
            typer.echo(f"\nReview them at {server.url} as {EMAIL}, {PASSWORD}. Ctrl-C ends it.")
            signal.pause()
        finally:
            server.stop()


def run_and_push(folder: Path, server: LabelStudio, aws: dict[str, str]) -> None:
    """Transcribe the recordings, and push the tasks into a project that is made for them."""
    told = aws | {"LABEL_STUDIO_URL": server.url, "LABEL_STUDIO_API_KEY": server.token}
    for arguments in RUNS:
        done = subprocess.run(
            [COMMAND, *arguments, "--output", folder / "tasks.jsonl"],
            env=clean_environment(**told),
            check=False,
        )
        if done.returncode not in (0, SOME_FAILED):
            sys.exit(done.returncode)


@contextmanager
def bucket(keys: dict[str, str]) -> Iterator[str]:
    """The address at which the recordings are served, as S3 and Transcribe."""
    serving = subprocess.Popen(
        [COMMAND, "serve", RECORDINGS, "--bucket", BUCKET, "--keys-from-env"],
        env=clean_environment(**keys),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert serving.stdout is not None
        yield serving.stdout.readline().split()[-1]
    finally:
        end(serving)


if __name__ == "__main__":
    main()
