"""The tasks as sealed shards, for Label Studio's S3 source storage.

The storage never reads a key again that it has synced, so a shard never grows and no name is used
twice: what is new since the last time goes into new shards. A ledger beside the folder says how far
it has come; the shards themselves may be moved away.

Each shard is written aside, then noted in the ledger, then given its name. Whatever a crash leaves
of the last step is done by the next export; what was not noted is written again.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from pipeline.errors import OutputUnusable
from pipeline.files import locked, replacing, writing
from pipeline.tasks.export import chunks, committed_lines, opened_output

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCK = 2**20


class Shard(msgspec.Struct, frozen=True):
    """One sealed shard: the output's bytes from the end of the shard before up to `end`."""

    name: str
    end: int
    digest: str


class _Ledger(msgspec.Struct, rename={"shards": "parts"}):
    shards: list[Shard] = []


def write_shards(output: Path, state: Path, folder: Path) -> Iterator[Path]:
    """Seal what is new in the output since the last time as `tasks-NUMBER-DIGEST.jsonl`, mode 0600.

    Yields:
        The path of each new shard, and first that of one which a crash kept from its name.

    Raises:
        OutputUnusable: the shards in the ledger are not of this output, or another export is on.
    """
    busy = f"Another export writes to {folder}"
    with locked(_beside(folder, "lock"), busy, "Wait for it."):
        with writing(folder):  # before the ledger says that anything is there
            folder.mkdir(parents=True, exist_ok=True)
        ledger, aside = _beside(folder, "json"), _beside(folder, "sealing")
        shards = _read(ledger)
        _refuse_foreign(shards, output, ledger)
        if shards and aside.exists() and _digest_of(aside) == shards[-1].digest:
            yield _name(aside, folder / shards[-1].name)
        end = shards[-1].end if shards else 0
        for chunk in chunks(committed_lines(output, state, end)):
            digest = hashlib.blake2b(digest_size=16)
            with replacing(aside, b"{") as file:
                for line in chunk:
                    content = line + b"\n"
                    file.write(content)
                    digest.update(content)
                end += file.tell()
            name = f"tasks-{len(shards) + 1:04}-{digest.hexdigest()[:8]}.jsonl"
            shards.append(Shard(name, end, digest.hexdigest()))
            with replacing(ledger, b"") as file:
                file.write(msgspec.json.encode(_Ledger(shards)))
            yield _name(aside, folder / name)


def _beside(folder: Path, suffix: str) -> Path:
    """A file that does not lie among the shards, where it would be taken for one."""
    whole = folder.absolute()
    return whole.with_name(f"{whole.name}.{suffix}")


def _read(ledger: Path) -> list[Shard]:
    try:
        return msgspec.json.decode(ledger.read_bytes(), type=_Ledger).shards
    except FileNotFoundError:
        return []
    except Exception as error:
        raise OutputUnusable(
            f"{ledger} can't be read, so nobody knows which tasks were exported",
            "Put it back, or export everything into another folder with --to, for a new project.",
        ) from error


def _refuse_foreign(shards: list[Shard], output: Path, ledger: Path) -> None:
    """Tasks that were rewritten since would be exported twice, or not at all."""
    if not shards:
        return
    start = shards[-2].end if shards[1:] else 0
    if _digest_of(output, start, shards[-1].end) != shards[-1].digest:
        raise OutputUnusable(
            f"{output} is not what {ledger} says was exported: it was rewritten, or is another "
            "run's",
            "Export it into another folder with --to, for a new project.",
        )


def _digest_of(path: Path, start: int = 0, end: int | None = None) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with opened_output(path) as file:
        left = (path.stat().st_size if end is None else end) - start
        file.seek(start)
        while left > 0 and (block := file.read(min(left, _BLOCK))):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def _name(aside: Path, path: Path) -> Path:
    """Give a shard that is noted its name."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.replace(path)
    return path
