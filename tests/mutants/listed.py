"""The mutants of `mutants.toml`."""

from __future__ import annotations

from pathlib import Path

import msgspec

ROOT = Path(__file__).parent.parent.parent
_LIST = Path(__file__).with_name("mutants.toml")


class Mutant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault: in `file` the text `was` becomes `now`, and one of `tests` has to fail.

    `tests` are files or single tests, as pytest takes them; `breaks` says in a few words which rule
    is broken. One with a reason in `equivalent` changes nothing that anyone could notice.
    """

    name: str
    file: str
    was: str
    now: str
    breaks: str
    tests: tuple[str, ...] = ()
    equivalent: str = ""

    def applied_to(self, whole: str) -> str:
        """The file's text with the fault in it.

        Raises:
            ValueError: the text is not in it exactly once.
        """
        if whole.count(self.was) != 1:
            raise ValueError(f"{self.name}: {self.file} holds it {whole.count(self.was)} times")
        return whole.replace(self.was, self.now)


class _List(msgspec.Struct, forbid_unknown_fields=True):
    mutant: tuple[Mutant, ...]


def mutants() -> tuple[Mutant, ...]:
    """All of them, in the order of the list."""
    return msgspec.toml.decode(_LIST.read_bytes(), type=_List).mutant
