"""S3's listing, read from the XML that S3 sends."""

from __future__ import annotations

import json
import math
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.s3_responses import parse_age, parse_head, parse_listing, parse_tags
from pipeline.errors import Unavailable
from pipeline.model import SourceObject

NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
ODD_KEYS = (
    "a b.mp3",
    "a+b.mp3",
    "%41%2F100%.mp3",
    "\"quoted\" 'key'.mp3",
    "a//b.wav",
    "/a.mp3",
    "./x.mp3",
    "../y.mp3",
    "a/../b.mp3",
    "tab\tline\nreturn\r.mp3",
    "\x01\x1f\x7f\x85.mp3",
    "what?#fragment&a=b;c.mp3",
    "<Key>]]>&amp;.mp3",
    "übung/e\u0301.mp3",
    "\u2028🚆.mp3",
    " .mp3 ",
)
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
MODIFIED = "2026-01-02T03:04:05.000Z"
namespaces = st.sampled_from([NAMESPACE, ""])


def listing(entries: list[SourceObject], token: str = "", namespace: str = NAMESPACE) -> bytes:
    """What S3 answers to ListObjectsV2 with encoding-type=url."""
    contents = "".join(
        f"<Contents><Key>{escape(quote_plus(e.key, safe='/'))}</Key>"
        f"<LastModified>{e.modified}</LastModified><ETag>&quot;{e.etag}&quot;</ETag>"
        f"<Size>{e.size}</Size><StorageClass>{e.storage}</StorageClass></Contents>"
        for e in entries
    )
    more = f"<NextContinuationToken>{escape(token)}</NextContinuationToken>" if token else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<ListBucketResult{namespace}><Name>b</Name><EncodingType>url</EncodingType>"
        f"<IsTruncated>{str(bool(token)).lower()}</IsTruncated>{contents}{more}</ListBucketResult>"
    ).encode()


def keyed(key: str) -> SourceObject:
    return SourceObject(key, "9f86d081", 7, "STANDARD", modified=MODIFIED)


@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_odd_key_comes_through_byte_for_byte(key):
    """Nothing that a key may hold is lost, added or normalised."""
    entries, _ = parse_listing(listing([keyed(key)]))

    assert [keyed(key)] == entries


@given(st.lists(keys, max_size=5), namespaces)
def test_every_key_comes_through_byte_for_byte(names, namespace):
    """Any keys are read back as they are and in their order, with and without a namespace."""
    expected = [keyed(key) for key in names]

    entries, _ = parse_listing(listing(expected, namespace=namespace))

    assert expected == entries


@given(st.integers(0, 5 * 2**40), st.sampled_from(["STANDARD", "GLACIER", ""]), namespaces)
def test_size_and_storage_class_are_kept(size, storage, namespace):
    """An entry knows how large its object is and whether it is archived."""
    expected = SourceObject("a.mp3", "9f86-2", size, storage, modified=MODIFIED)

    entries, _ = parse_listing(listing([expected], namespace=namespace))

    assert [expected] == entries


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("x", "x"),
        ("=?UTF-8?B?w5wuIE1laWVy?=", "Ü. Meier"),
        ("=?UTF-8?Q?=C3=9C?=", "Ü"),
        ("=?x-unknown?B?w5w=?=", "=?x-unknown?B?w5w=?="),
        ("\udcff", "\N{REPLACEMENT CHARACTER}"),
        ("=?utf-7?Q?+2AA-?=", "=?utf-7?Q?+2AA-?="),  # half a letter
        ("=?\u00e9?Q?x?=", "=?\u00e9?Q?x?="),
        ("=?a\0b?Q?x?=", "=?a\0b?Q?x?="),
    ],
)
def test_user_defined_metadata_is_read_off_the_headers(value, said):
    """Names are lower-case, and texts as they were written; what is no text breaks nothing."""
    found = parse_head("a.mp3", {"Content-Length": "7", "X-Amz-Meta-Agent": value})

    assert json.loads(found.metadata) == {"agent": said}
    assert parse_head("a.mp3", {"Content-Length": "7"}).metadata == b""


@pytest.mark.parametrize("namespace", [NAMESPACE, ""])
@pytest.mark.parametrize("kept", [{}, {"agent": "Ü. <x> & y", "queue": "", "a:b/c": "s3://x"}])
def test_an_objects_tags_are_read(kept, namespace):
    """Keys and values are as they were written, whatever namespace the answer is in; or none."""
    tags = "".join(
        f"<Tag><Key>{escape(key)}</Key><Value>{escape(value)}</Value></Tag>"
        for key, value in kept.items()
    )

    assert parse_tags(f"<Tagging{namespace}><TagSet>{tags}</TagSet></Tagging>".encode()) == kept


@pytest.mark.parametrize(
    "body", [b"", b"<Tagging>", b"<Error><Code>x</Code></Error>", b"<Tagging>" + b"<a/>" * 400_001]
)
def test_what_is_no_set_of_tags_is_asked_for_again(body):
    """An answer of something else never passes as an object without tags."""
    with pytest.raises(Unavailable):
        parse_tags(body)


@pytest.mark.parametrize(
    ("restore", "storage"),
    [
        (None, "GLACIER"),
        ('ongoing-request="true"', "GLACIER"),
        ('ongoing-request="false", expiry-date="Fri, 21 Dec 2029 00:00:00 GMT"', ""),
    ],
)
def test_an_object_that_is_restored_is_archived_no_longer(restore, storage):
    """HeadObject says of an archived object whether there is a copy that may be read."""
    headers = {"ETag": '"9f86"', "Content-Length": "7", "x-amz-storage-class": "GLACIER"}
    if restore:
        headers["x-amz-restore"] = restore

    assert parse_head("a.mp3", headers) == SourceObject("a.mp3", "9f86", 7, storage)


@pytest.mark.parametrize(
    "written",
    [
        (
            "<Key>b.mp3</Key><Size>7</Size><LastModified>2026-01-02T03:04:05.000Z</LastModified>"
            "<ETag>9f86d081</ETag><StorageClass>STANDARD</StorageClass>"
        ),
        (
            "<Key>b.mp3</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>9f86d081</ETag><Size>7</Size>"
            "<Owner><ID>1</ID></Owner><StorageClass>STANDARD</StorageClass>"
        ),
        (
            "<Key>b.mp3</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>9f86d081</ETag>"
            "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
            "<Size>7</Size><StorageClass>STANDARD</StorageClass>"
        ),
        (
            "\n  <Key>b.mp3</Key>\n  <LastModified>2026-01-02T03:04:05.000Z</LastModified>\n"
            "  <ETag>&#34;9f86d081&#34;</ETag>\n  <Size>7</Size>\n"
            "  <StorageClass>STANDARD</StorageClass>\n"
        ),
        (
            "<Key><![CDATA[b.mp3]]></Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>9f86d081</ETag>"
            "<Size>7</Size><StorageClass>STANDARD</StorageClass>"
        ),
    ],
)
def test_objects_may_be_written_in_any_way_that_is_xml(written):
    """What another store than S3 writes says the same, in the same place among the others."""
    three = listing([keyed("a.mp3"), keyed("odd"), keyed("c.mp3")]).decode()
    before, _, after = three.partition("<Contents><Key>odd")
    body = f"{before}<Contents>{written}</Contents>{after.partition('</Contents>')[2]}"

    entries, _ = parse_listing(body.encode())

    assert entries == [keyed("a.mp3"), keyed("b.mp3"), keyed("c.mp3")]


@pytest.mark.parametrize("namespace", [NAMESPACE, ""])
def test_the_token_of_the_next_page_is_found(namespace):
    """A listing that goes on says how, byte for byte; the last page says nothing."""
    token = "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=+&<"

    _, found = parse_listing(listing([keyed("a.mp3")], token, namespace))
    _, none = parse_listing(listing([keyed("a.mp3")], namespace=namespace))

    assert (token, None) == (found, none)


def test_an_empty_listing_is_no_error():
    """A prefix below which there is nothing is an empty page, and the last one."""
    assert parse_listing(listing([])) == ([], None)


def test_an_object_without_a_size_is_no_listing():
    """Without a size an object can't be told from an empty one, so nothing is skipped for it."""
    body = b"<ListBucketResult><Contents><Key>a.mp3</Key></Contents></ListBucketResult>"

    with pytest.raises(Unavailable, match="as the size of an object"):
        parse_listing(body)


@given(st.data())
def test_a_listing_that_was_cut_short_is_no_listing(data):
    """An answer cut at any byte is asked for again, never taken for fewer objects."""
    whole = listing([keyed("a.mp3"), keyed("b.mp3")], "token")
    end = data.draw(st.integers(0, len(whole) - 1))

    with pytest.raises(Unavailable):
        parse_listing(whole[:end])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not XML",
        b"<html><body>It works!</body></html>",
        b"<Error><Code>InternalError</Code></Error>",
        b'{"Contents": []}',
        b"\x00\xff",
        listing([keyed("a.mp3")]).replace(b"<Name>b", b"<Name>\xff"),
        listing([keyed("a.mp3")]).replace(b">7<", b">" + b"7" * 5000 + b"<"),
    ],
)
def test_another_answer_is_not_taken_for_an_empty_listing(body):
    """A proxy's page or an error under status 200 is asked for again, not an empty bucket."""
    with pytest.raises(Unavailable):
        parse_listing(body)


def test_a_hostile_listing_expands_no_entities():
    """A few bytes that would become gigabytes are refused."""
    bombs = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    body = (
        f'<!DOCTYPE x [<!ENTITY e0 "{"a" * 100}">{bombs}]>'
        "<ListBucketResult><Contents><Key>&e9;</Key></Contents></ListBucketResult>"
    ).encode()

    with pytest.raises(Unavailable):
        parse_listing(body)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (
            {
                "Date": "Sat, 28 Nov 2026 18:00:30 GMT",
                "Last-Modified": "Sat, 28 Nov 2026 17:59:00 GMT",
            },
            90,
        ),
        (
            {
                "Date": "Sat, 28 Nov 2026 18:00:00 -0000",
                "Last-Modified": "Sat, 28 Nov 2026 18:00:02 GMT",
            },
            0,
        ),
        ({"Date": "Sat, 28 Nov 2026 18:00:30 GMT"}, math.inf),
        ({"Date": "now", "Last-Modified": "Sat, 28 Nov 2026 17:59:00 GMT"}, math.inf),
        ({}, math.inf),
    ],
)
def test_the_age_of_an_object_is_by_the_clock_of_who_answers(headers, seconds):
    """This machine's clock has no part in it; who says nothing has nothing that is new."""
    assert parse_age(headers) == seconds
