"""The command line: one file per command, all in the same rhythm (help, options, validate, run).

Heavy libraries are imported inside the commands, so that `--help` is quick. It may import every
room, and no room imports it. Read `run` first, then `flags`, which makes the settings' flags;
`app` has all commands, and `ending` is how each ends.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, and end with the command's exit code.

    Everything is imported in here, as Ctrl-C may come while it is.
    """
    try:
        from pipeline.cli.ending import run_to_its_end

        code = run_to_its_end(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
