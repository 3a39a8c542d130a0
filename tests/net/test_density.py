"""What would fill the memory once it is read is refused while it is text."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RecordingFailed
from pipeline.net.bounds import LARGEST_ANSWER
from pipeline.net.density import MOST_CONTAINERS, MOST_OF_A_TRANSCRIPT, MOST_VALUES, is_bounded
from pipeline.transcripts.parsing import parse_transcript
from tests.conftest import ROOT

PROGRAM = """
import sys
from pathlib import Path
from pipeline.errors import RecordingFailed
from pipeline.transcripts.parsing import parse_transcript

part, size, most = sys.argv[1].encode(), int(sys.argv[2]), int(sys.argv[3])
count = min(most - 20, (size - 200) // (len(part) + 1))
head = b'{"jobName":"j","results":{"transcripts":[{"transcript":""}],"audio_segments":['
document = head + (part + b",") * (count - 1) + part + b"]}}"
document = document.ljust(size)
try:
    parse_transcript(document)
except RecordingFailed as error:
    print(error.message)
status = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in status if "VmHWM" in line))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the most memory of a process")
@pytest.mark.parametrize(
    ("part", "most", "refused"),
    [
        ("{}", MOST_OF_A_TRANSCRIPT, False),
        ("{}", 10 * MOST_OF_A_TRANSCRIPT, True),
        ('{"items":[' + "1," * 999 + "1]}", MOST_VALUES, True),
    ],
)
def test_a_transcript_of_the_largest_size_is_read_in_300_megabytes(part, most, refused):
    """Refused or taken: 48 MiB of the densest JSON take no more than that, the program with it."""
    command = [sys.executable, "-c", PROGRAM, part, str(LARGEST_ANSWER), str(most)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    *words, kilobytes = said.splitlines()
    assert ("more parts than any recording" in "".join(words)) is refused
    assert int(kilobytes) < 300_000


@given(
    st.lists(
        st.tuples(st.sampled_from([b"{}", b"[1],", b"<a/>", b'"text",']), st.integers(1, 150_000)),
        max_size=5,
    ),
    st.integers(-2, 2),
)
def test_as_many_containers_are_taken_as_are_allowed(parts, more):
    """Wherever they stand, and though they are counted only until the rest can't hold too many."""
    document = b"".join(part * count for part, count in parts)
    containers = sum(map(document.count, (b"{", b"[", b"<")))

    assert is_bounded(document, containers + more) is (more >= 0)


def test_a_document_of_ordinary_size_is_not_counted():
    """What is small can't be too much, and costs nothing."""
    assert is_bounded(b"{" * 1000)
    assert is_bounded(b"[" * MOST_CONTAINERS + b" " * 2**20)
    assert not is_bounded(b"[" * MOST_CONTAINERS + b"{" * 2**20)
    assert not is_bounded(b"1," * (MOST_VALUES + 1))
    assert not is_bounded(b"{}" * MOST_OF_A_TRANSCRIPT + b"{", MOST_OF_A_TRANSCRIPT)
    assert is_bounded(b"{}" * MOST_OF_A_TRANSCRIPT + b"}", MOST_OF_A_TRANSCRIPT)
    with pytest.raises(RecordingFailed, match="not readable JSON"):
        parse_transcript(b"{" * 1000)
