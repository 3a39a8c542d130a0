"""What is never exceeded, whatever a service, a proxy or a file sends: bytes and seconds."""

from __future__ import annotations

MIB = 2**20

LARGEST_ANSWER = 48 * MIB
"""Bytes of one answer, decompressed. A transcript is 2 MB an hour; one of four hours with two
channels and ten alternatives stays below 40 MB. A page of a listing is 4 MB at most."""

HELD_ANSWERS = 8 * MIB
"""Bytes of all answers that a process is reading, but for the one that has been read longest."""

HELD_LINES = 16 * MIB
"""Bytes of the tasks that wait to be written, but for the last one."""

LABEL_STUDIO_SECONDS = 3600.0
"""From the first byte of a call to the last of its answer. An import can take minutes: where
another writer has locked SQLite the server sleeps, each time twice as long as before (1.23)."""
