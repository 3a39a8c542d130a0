# ruff: noqa: T201
"""Shows the first tasks of a JSON Lines file, for `make demo`.

python -m tools.show_tasks tasks.jsonl
"""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

_FIRST = 6


def main() -> None:
    """Print the file name, score and text of the first tasks, and where all of them are."""
    tasks = Path(sys.argv[1])
    print("\nThe first transcripts (PocketSphinx writes no capitals and no punctuation):")
    with tasks.open(encoding="utf-8") as lines:
        for line in islice(lines, _FIRST):
            task = json.loads(line)
            [prediction] = task["predictions"]
            name = unquote(task["data"]["audio"]).rpartition("/recordings/")[2]
            text = prediction["result"][0]["value"]["text"][0]
            print(f"  {name:<28} {prediction['score']:.2f}  {text}")
    print(f"\nAll tasks, one a line: {tasks.absolute()}")


if __name__ == "__main__":
    main()
