"""A bucket of any size that is computed instead of stored; pure.

The recording of a number has a key, an ETag, a size, and the seconds that its job takes; all of
them follow from the number and a seed.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDER = 1000
_MASK = 2**64 - 1
_BEHIND = "\U0010ffff"
_BYTES_PER_JOB_SECOND = 40_000
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_ENTRY = (
    "<Contents><Key>%s</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
    "<ETag>&quot;%032x&quot;</ETag><Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>"
)


@dataclass(frozen=True)
class Bucket:
    """`count` recordings; a job takes between the two `seconds`, evenly spread.

    The sizes follow the seconds, as longer recordings take longer, give or take a fifth.
    """

    count: int
    seconds: tuple[float, float] = (0.0, 0.0)
    seed: int = 1

    def job_seconds(self, number: int) -> float:
        """Seconds that the job of a recording takes."""
        low, high = self.seconds
        return low + (high - low) * _share(number, self.seed)

    def size(self, number: int) -> int:
        """Bytes of a recording."""
        about = 0.8 + 0.4 * _share(number, self.seed + 1)
        return int(_BYTES_PER_JOB_SECOND * (self.job_seconds(number) + 1) * about)

    def listing(self, query: Mapping[str, str]) -> bytes:
        """The answer to ListObjectsV2, for its parameters as they stand in the URL, decoded.

        Understood are `prefix`, `start-after`, `continuation-token`, `max-keys` and
        `encoding-type=url`.
        """
        prefix, most = query.get("prefix", ""), int(query.get("max-keys", 1000))
        begin, end = self._place(prefix), self._place(prefix + _BEHIND)
        if after := query.get("start-after"):
            begin = max(begin, self._place(after + "\0"))
        begin = max(begin, int(query.get("continuation-token", 0)))
        numbers = range(begin, min(end, begin + most))
        entries = [_ENTRY % (key_of(n), n + 1, self.size(n)) for n in numbers]
        more = numbers.stop < end
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{_NAMESPACE}">'
            f"<Prefix>{quote_plus(prefix)}</Prefix><KeyCount>{len(entries)}</KeyCount>"
            f"<MaxKeys>{most}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>"
            + "".join(entries)
            + (f"<NextContinuationToken>{numbers.stop}</NextContinuationToken>" if more else "")
            + "</ListBucketResult>"
        ).encode()

    def _place(self, key: str) -> int:
        return bisect_left(range(self.count), key, key=key_of)


def key_of(number: int) -> str:
    """The key of a recording; keys are in the order of the numbers."""
    return f"{number // _FOLDER:05}/{number:08}.mp3"


def number_of(key: str) -> int:
    """The number of a recording, by its key."""
    return int(key[6:14])


def _share(number: int, seed: int) -> float:
    """0 to 1, evenly spread: SplitMix64, as a seeded Random costs ten times as much."""
    x = (number + 1) * 0x9E3779B97F4A7C15 + seed * 0xD1342543DE82EF95 & _MASK
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & _MASK
    return (x ^ x >> 31) / 2**64
