"""The bucket over the real wire: asked by the AWS SDK, and by addresses it presigns."""

from contextlib import asynccontextmanager
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

import pytest
import yarl
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.local.conftest import client_of

ODD = ["a b.wav", "a+b.wav", "a%41.wav", "a?b#c.wav", "ü/😀.wav", "tab\there", "<&>.wav", "~-._"]
ADDRESSING = Config(signature_version="s3v4", retries={"total_max_attempts": 1})


@asynccontextmanager
async def s3_of(client):
    async with client_of(client.cloud, "s3", ADDRESSING) as s3:
        yield s3


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "audio").mkdir()
    for key in ODD:
        path = tmp_path / "audio" / key
        path.parent.mkdir(exist_ok=True)
        path.write_text(key)
    return tmp_path / "audio"


async def test_every_key_comes_back_byte_for_byte(opened, folder):
    """Listed by a presigned address and decoded, then read by one, whatever is in the name."""
    async with opened() as client, s3_of(client) as s3:
        query = {"Bucket": "audio", "EncodingType": "url"}
        listing = await s3.generate_presigned_url("list_objects_v2", Params=query)
        async with client.http.get(yarl.URL(listing, encoded=True)) as answer:
            root = ET.fromstring(await answer.text())
        keys = [unquote_plus(key.text or "") for key in root.findall(".//{*}Key")]
        contents = []
        for key in keys:
            query = {"Bucket": "audio", "Key": key}
            uri = await s3.generate_presigned_url("get_object", Params=query)
            async with client.http.get(yarl.URL(uri, encoded=True)) as answer:
                contents.append(await answer.text())

    assert keys == sorted([*ODD, "hello.wav"], key=str.encode)
    assert contents == [key if key != "hello.wav" else "hello world" for key in keys]


async def test_the_sdk_reads_the_listing_page_by_page(opened, folder):
    """Tokens lead on, and each object has its size, time, class and quoted ETag."""
    async with opened() as client, s3_of(client) as s3:
        first = await s3.list_objects_v2(Bucket="audio", MaxKeys=2)
        rest = await s3.list_objects_v2(
            Bucket="audio", ContinuationToken=first["NextContinuationToken"]
        )
        some = await s3.list_objects_v2(Bucket="audio", Prefix="ü/", StartAfter="a")

    keys = [entry["Key"] for page in (first, rest) for entry in page["Contents"]]
    assert keys == sorted([*ODD, "hello.wav"], key=str.encode)
    assert (first["IsTruncated"], rest["IsTruncated"]) == (True, False)
    assert first["KeyCount"] == 2
    entry = first["Contents"][1]
    stat = (folder / entry["Key"]).stat()
    assert entry["Size"] == stat.st_size
    assert entry["ETag"] == f'"{stat.st_size:x}-{stat.st_mtime_ns:x}"'
    assert entry["StorageClass"] == "STANDARD"
    assert int(entry["LastModified"].timestamp()) == int(stat.st_mtime)
    assert [entry["Key"] for entry in some["Contents"]] == ["ü/😀.wav"]


async def test_objects_are_read_whole_and_in_part(opened):
    """Ranges as S3 has them, of which it ignores what makes no sense, and the head alone."""
    async with opened() as client, s3_of(client) as s3:

        async def part(span: str) -> bytes:
            answer = await s3.get_object(Bucket="audio", Key="hello.wav", Range=span)
            return bytes(await answer["Body"].read())

        spans = ("bytes=0-4", "bytes=6-", "bytes=-3", "bytes=4-999", "bytes=5-2")
        parts = [await part(span) for span in spans]
        head = await s3.head_object(Bucket="audio", Key="hello.wav")
        with pytest.raises(ClientError, match="InvalidRange"):
            await part("bytes=99-")

    assert parts == [b"hello", b"world", b"rld", b"o world", b"hello world"]
    assert head["ContentLength"] == 11


async def test_an_object_can_be_put(opened, folder):
    """It becomes a file, in folders as the key says."""
    async with opened() as client, s3_of(client) as s3:
        put = await s3.put_object(Bucket="audio", Key="new/one.wav", Body=b"x" * 3_000_000)
        head = await s3.head_object(Bucket="audio", Key="new/one.wav")
        with pytest.raises(ClientError, match="AccessDenied"):
            await s3.put_object(Bucket="audio", Key="hello.wav/below", Body=b"")

    assert (folder / "new/one.wav").stat().st_size == head["ContentLength"] == 3_000_000
    assert put["ETag"] == head["ETag"]


async def test_a_file_has_no_tags_and_is_not_replaced_by_what_would_be_its_own(opened, folder):
    """Tags are none; what S3 keeps beside an object is no call for or to its content."""
    async with opened() as client, s3_of(client) as s3:
        tags = await s3.get_object_tagging(Bucket="audio", Key="hello.wav")
        with pytest.raises(ClientError, match="NoSuchKey"):
            await s3.get_object_tagging(Bucket="audio", Key="none.wav")
        with pytest.raises(ClientError, match="NotImplemented"):
            await s3.put_object_tagging(
                Bucket="audio", Key="hello.wav", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
            )
        with pytest.raises(ClientError, match="NotImplemented"):
            await s3.get_object_acl(Bucket="audio", Key="hello.wav")

    assert tags["TagSet"] == []
    assert (folder / "hello.wav").read_text() == "hello world"


async def test_an_object_can_be_deleted(opened, folder):
    """The file is gone; deleting what is not there is fine, and nothing outside is touched."""
    (folder.parent / "outside.wav").write_text("stays")
    (folder / "link.wav").symlink_to(folder.parent / "outside.wav")
    async with opened() as client, s3_of(client) as s3:
        for key in ("hello.wav", "hello.wav", "link.wav"):
            await s3.delete_object(Bucket="audio", Key=key)
        uri = client.url("/audio/..%2foutside.wav", "DELETE")
        async with client.http.delete(uri) as answer:
            pass

    assert not (folder / "hello.wav").exists()
    assert answer.status == 204
    assert (folder.parent / "outside.wav").read_text() == "stays"


async def test_what_is_not_there_is_told_in_s3s_codes(opened):
    """No such bucket, no such key, nothing to list, and what is not offered."""
    async with opened() as client, s3_of(client) as s3:
        await s3.head_bucket(Bucket="audio")
        place = await s3.get_bucket_location(Bucket="audio")
        with pytest.raises(ClientError, match="NoSuchBucket"):
            await s3.list_objects_v2(Bucket="other")
        with pytest.raises(ClientError, match="404"):
            await s3.head_bucket(Bucket="other")
        with pytest.raises(ClientError, match="NoSuchKey"):
            await s3.get_object(Bucket="audio", Key="none")
        with pytest.raises(ClientError, match="NotImplemented"):
            await s3.delete_bucket(Bucket="audio")
        with pytest.raises(ClientError, match="InvalidArgument"):
            await s3.list_objects_v2(Bucket="audio", ContinuationToken="é")

    assert not place["LocationConstraint"]


@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "%2e%2e/secret",
        "..%2fsecret",
        "x/../../secret",
        "/hello.wav",
        "./hello.wav",
        "x//y",
    ],
)
async def test_no_path_is_tidied(opened, tmp_path, path):
    """Dots and empty segments, plain or encoded, are names like any other, and name nothing."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "audio/x").mkdir(parents=True)
    (tmp_path / "audio/x/y").write_text("y")
    async with opened() as client:
        uri = client.url(f"/audio/{path}")
        async with client.http.get(uri) as answer:
            body = await answer.text()

    assert answer.status == 404
    assert "NoSuchKey" in body


async def test_what_is_written_under_a_condition_replaces_only_what_it_was_meant_for(opened):
    """The SDK is told 412 where an object is there already or has changed, 404 where none is."""
    async with opened() as client, s3_of(client) as s3:
        made = await s3.put_object(Bucket="audio", Key="a", Body=b"first", IfNoneMatch="*")
        twice = {"Bucket": "audio", "Key": "a", "Body": b"second"}
        there = await client_error(s3.put_object(**twice, IfNoneMatch="*"))
        changed = await client_error(s3.put_object(**twice, IfMatch='"another"'))
        missing = await client_error(s3.put_object(**twice | {"Key": "b"}, IfMatch=made["ETag"]))
        kept = await (await s3.get_object(Bucket="audio", Key="a"))["Body"].read()
        await s3.put_object(**twice, IfMatch=made["ETag"])
        replaced = await (await s3.get_object(Bucket="audio", Key="a"))["Body"].read()

    assert (there, changed) == (("PreconditionFailed", 412), ("PreconditionFailed", 412))
    assert missing == ("NoSuchKey", 404)
    assert (kept, replaced) == (b"first", b"second")


async def client_error(call):
    """The code and the status with which a call of the SDK is refused."""
    with pytest.raises(ClientError) as refused:
        await call
    response = refused.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]
