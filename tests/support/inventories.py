"""Inventories as S3 writes them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


DAY = "2026-01-02T01-00Z"


SCHEMA = (
    "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass"
)


def row(key: str, etag: str = "e1", size: str = "4", **other: str) -> dict[str, str]:
    """A row of an inventory by its columns."""
    facts = {"Bucket": "audio", "Key": quote_plus(key, safe="/"), "ETag": etag, "Size": size}
    usual = {"IsLatest": "true", "IsDeleteMarker": "false", "StorageClass": "STANDARD"}
    return usual | facts | other


def part(rows: Iterable[dict[str, str]], schema: str = SCHEMA) -> bytes:
    """A part of an inventory as S3 writes it: every field quoted, no header, gzip."""
    text = io.StringIO(newline="")
    names = schema.split(", ")
    writer = csv.DictWriter(text, names, quoting=csv.QUOTE_ALL, extrasaction="ignore", restval="")
    writer.writerows(rows)
    return gzip.compress(text.getvalue().encode())


def put_inventory(folder: Path, *parts: bytes, day: str = DAY, **other: Any) -> dict[str, Any]:
    """Write an inventory of the bucket "audio" below a folder, as S3 lays it out."""
    files = []
    for number, content in enumerate(parts):
        name = f"data/{day}-{number}.csv.gz"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        checksum = hashlib.md5(content).hexdigest()
        files.append({"key": f"inv/daily/{name}", "size": len(content), "MD5checksum": checksum})
    manifest = {
        "sourceBucket": "audio",
        "destinationBucket": "arn:aws:s3:::audio",
        "version": "2016-11-30",
        "creationTimestamp": "1767315600000",
        "fileFormat": "CSV",
        "fileSchema": SCHEMA,
        "files": files,
    } | other
    (folder / day).mkdir(parents=True, exist_ok=True)
    (folder / day / "manifest.json").write_text(json.dumps(manifest))
    return manifest
