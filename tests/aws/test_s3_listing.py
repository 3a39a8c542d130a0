"""A long listing is cut into ranges, and every key is in exactly one of them."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from itertools import cycle
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.aws import s3_listing
from pipeline.aws.s3_listing import Range, all_folders, cut, list_objects
from pipeline.aws.s3_responses import error_details, parse_folders, parse_listing
from pipeline.errors import ServiceUnreachable, Unavailable
from pipeline.local.bucket import Entry, page_of
from pipeline.local.s3_listing import listing as xml_of
from pipeline.local.s3_listing import to_token
from pipeline.naming import S3Uri
from tests.support.owned_time import in_owned_time, now

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.model import SourceObject


CALLS = S3Uri("bucket", "")
ALPHABET = st.characters(exclude_categories=["Cs"]) | st.sampled_from("/0aZ+% .\x00\x7f\U0010ffff")
KEYS = st.sets(st.text(ALPHABET, min_size=1, max_size=6), max_size=80)
FOLDERS = {f"{year}/{day:02}/{n}.mp3" for year in (2025, 2026) for day in range(30) for n in "ab"}
UUIDS = {f"{number * 2654435761 % 2**32:08x}.mp3" for number in range(200)}


class Bucket:
    """A bucket on the wire: S3's XML of a page, read as every page is.

    `page` keys fit in one; a call takes `seconds`.
    """

    def __init__(self, keys: Iterable[str], page: int, seconds: float = 0) -> None:
        self._keys = sorted(keys, key=str.encode)
        self._tokens = {to_token(key): key for key in self._keys}
        self._page = page
        self._seconds = seconds
        self.calls = 0
        self.under_way = 0
        self.most = 0

    async def list_page(
        self, place: S3Uri, start: dict[str, str]
    ) -> tuple[list[SourceObject], str | None]:
        """A page of objects."""
        return parse_listing(await self._answer(place.key, start))

    async def list_folders(
        self, place: S3Uri, start: dict[str, str]
    ) -> tuple[list[str], str | None]:
        """A page of folders."""
        return parse_folders(await self._answer(place.key, {"delimiter": "/", **start}))

    async def _answer(self, prefix: str, start: dict[str, str]) -> bytes:
        self.calls += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(self._seconds)
        self.under_way -= 1
        token = start.get("continuation-token")
        after = self._tokens[token] if token else start.get("start-after", "")
        most = min(self._page, int(start.get("max-keys", self._page)))
        page = page_of(self._below(prefix, after), (prefix, start.get("delimiter", "")), most)
        return xml_of(page, "bucket", {"encoding-type": "url", "prefix": prefix}).encode()

    def _below(self, prefix: str, after: str) -> Iterator[Entry]:
        for key in self._keys[bisect_right(self._keys, after) :]:
            if key.startswith(prefix):
                yield Entry(key, 1, 0, "e")
            elif key > prefix:
                return


async def keys_of(bucket: Bucket, prefix: str = "", at_once: int = 4) -> list[str]:
    pages = list_objects(bucket, CALLS._replace(key=prefix), at_once)
    return [entry.key async for page in pages for entry in page]


@given(KEYS, st.integers(1, 5), st.integers(1, 6), st.data())
@example({f"a/{n}" for n in range(60)}, 1, 4, None)
@example(FOLDERS, 1, 4, None)
@example(UUIDS, 2, 4, None)
@example({"0", "1", "2", "3", "00", *(f"{n}/" for n in range(99))}, 1, 4, None)
@example({f"{n % 5}/{n}" for n in range(60)} | {f"{n}/" for n in range(5)}, 9, 4, None)
@example({f"{n % 5}/{n}" for n in range(150)} | {f"{n}/" for n in range(5)}, 9, 4, None)
@example({f"{a}\U0010ffff{b}" for a in "abcd" for b in range(9)}, 1, 2, None)
def test_every_key_is_listed_once(keys, page, at_once, data):
    """Whatever keys look like and wherever the cuts are, none is left out and none comes twice."""
    prefixes = [key[:length] for key in sorted(keys) for length in (1, 2)]
    prefix = data.draw(st.sampled_from(["", *prefixes])) if data else ""
    expected = sorted(key for key in keys if key.startswith(prefix))

    found = in_owned_time(keys_of(Bucket(keys, page), prefix, at_once))

    assert sorted(found) == expected


@given(st.sets(st.text("ab/", min_size=1, max_size=4), min_size=25), st.data())
def test_a_cut_may_be_a_key_itself(keys, data):
    """Cuts may fall on keys, such as the marker of a folder, or between them: nothing is lost."""
    cuts = data.draw(st.sets(st.sampled_from(sorted(keys)) | st.text("ab/", max_size=4)))

    async def found_cuts(*_: object) -> list[str]:
        return sorted(cuts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(s3_listing, "_find_cuts", found_cuts)
        found = in_owned_time(keys_of(Bucket(keys, 2)))

    assert sorted(found) == sorted(keys)


@given(KEYS, st.sets(st.text(ALPHABET, max_size=4)), st.text(ALPHABET, max_size=4))
def test_the_pieces_of_a_range_hold_each_key_once(keys, cuts, after):
    """A key after the range's beginning lies in one piece, any other in none."""
    pieces = cut(Range(after, None), cuts)

    for key in keys:
        holding = [p for p in pieces if p.after < key and (p.last is None or key <= p.last)]
        assert len(holding) == (key > after)


@pytest.mark.parametrize("at_once", [1, 16])
async def test_a_short_listing_costs_its_pages_and_no_call_more(at_once):
    """Up to ten pages nothing is cut, and keys come in S3's order."""
    bucket = Bucket(UUIDS, 20)

    assert await keys_of(bucket, at_once=at_once) == sorted(UUIDS)
    assert (bucket.calls, bucket.most) == (10, 1)


SHAPES = {
    "folders": {f"{2020 + n % 7}/{n % 12:02}/{n % 31:02}/{n}.mp3" for n in range(10000)},
    "UUIDs": {f"{n * 2654435761 % 2**32:08x}.mp3" for n in range(10000)},
    "numbers": {f"calls/call-{n:08}.mp3" for n in range(10000)},
    "a folder for each": {f"ü/{n:08}/audio.mp3" for n in range(10000)},
}


@pytest.mark.parametrize("keys", SHAPES.values(), ids=SHAPES.keys())
def test_a_long_listing_is_quicker_several_times_at_once(keys):
    """However keys begin, eight listers take less than a quarter of the time of one."""
    bucket = Bucket(keys, 10, seconds=1)
    alone = len(keys) / 10

    async def seconds() -> float:
        await keys_of(bucket, at_once=8)
        return now()

    assert in_owned_time(seconds()) < alone / 4
    assert bucket.most <= 8 + 1  # the first listing goes on while cuts are looked for


async def test_cutting_costs_few_calls():
    """A bucket with a folder for every recording takes little more than its pages."""
    bucket = Bucket((f"{n:04}/audio.mp3" for n in range(5000)), 10)

    await keys_of(bucket, at_once=4)

    assert 500 < bucket.calls < 500 + 4 * (s3_listing._CUTS + s3_listing._PROBES)


async def test_one_at_a_time_is_strictly_in_order():
    """With --list-parallel 1 the listing is S3's own, page after page."""
    bucket = Bucket(FOLDERS, 1)

    assert await keys_of(bucket, at_once=1) == sorted(FOLDERS)
    assert (bucket.calls, bucket.most) == (len(FOLDERS), 1)


async def test_a_page_that_is_not_taken_holds_the_others_back():
    """However slow the taker is, no more pages are asked for than may be under way."""
    bucket = Bucket(UUIDS, 1)
    pages = list_objects(bucket, CALLS, 4)
    for _ in range(len(UUIDS) // 2):
        await anext(pages)
    begun = bucket.calls

    for _ in range(50):
        await asyncio.sleep(0)

    assert bucket.calls <= begun + 4
    await pages.aclose()  # type: ignore[attr-defined] # it is a generator
    assert bucket.under_way == 0


async def test_a_page_that_fails_ends_the_listing():
    """An error of any range is the listing's, and no call goes on behind it."""
    bucket = Bucket(UUIDS, 1)
    answer = bucket._answer

    async def sometimes(prefix: str, start: dict[str, str]) -> bytes:
        if bucket.calls == 150:
            bucket.calls += 1
            raise Unavailable("no")
        return await answer(prefix, start)

    bucket._answer = sometimes  # type: ignore[method-assign]

    with pytest.raises(Unavailable):
        await keys_of(bucket)
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("tokens", ["A", "AB"])
async def test_a_listing_that_goes_round_in_circles_is_no_listing(tokens):
    """Tokens that come again end it with a sentence, neither never nor as if it were whole."""
    bucket = Bucket(UUIDS, 3)
    given = cycle(tokens)

    async def circling(prefix: str, start: dict[str, str]) -> bytes:
        token = f"<NextContinuationToken>{next(given)}</NextContinuationToken>"
        return f"<ListBucketResult>{token}</ListBucketResult>".encode()

    bucket._answer = circling  # type: ignore[method-assign]

    with pytest.raises(ServiceUnreachable, match="listing of s3://bucket/ has no end"):
        await keys_of(bucket)
    with pytest.raises(ServiceUnreachable, match="folders of s3://bucket/ has no end"):
        await all_folders(bucket, CALLS._replace(key=""))


@pytest.mark.parametrize("parse", [parse_listing, parse_folders])
def test_a_page_of_more_than_a_thousand_objects_is_no_page(parse):
    """What would fill the memory once it is read is refused, and asked for again."""
    page = b"<ListBucketResult>" + b"<Contents/>" * 500_000 + b"</ListBucketResult>"

    with pytest.raises(Unavailable, match="more than the 1,000 objects"):
        parse(page)


def test_an_error_without_end_names_no_error():
    """A refusal is a few lines; of one that fills the memory nothing is read."""
    assert error_details(b"<Error><Code>No</Code></Error>")[0] == "No"
    assert error_details(b"<Error><Code>No</Code>" + b"<a/>" * 500_000 + b"</Error>")[0] == ""


async def test_cuts_are_few_and_cost_a_bounded_number_of_calls():
    """Some ranges for each lister, and some calls, however a bucket's keys branch."""
    wide = Bucket((f"{n:04}/audio.mp3" for n in range(5000)), 10_000)
    assert len(await s3_listing._find_cuts(wide, CALLS, 4)) < 2 * 4 * s3_listing._CUTS

    long = Bucket((f"{'a' * 400}{n}" for n in range(50)), 10)
    await s3_listing._find_cuts(long, CALLS, 4)
    assert long.calls <= 4 * s3_listing._PROBES + 4
