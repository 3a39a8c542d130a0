"""The account's custom vocabularies: which there are, and where each stands.

No input or output here, and no clock: `now` is passed in, in seconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pipeline.local import messages
from pipeline.local.errors import Refused, bad_request

if TYPE_CHECKING:
    from pipeline.local.recogniser import Phrase

_MOST = 100
"""Vocabularies of one account, as documented."""


class VocabularyState(StrEnum):
    """The service's own three words for where a vocabulary stands."""

    PENDING = "PENDING"
    READY = "READY"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """One vocabulary; `reason` is why it can't be used, if so. Times are in seconds since 1970."""

    name: str
    language: str
    phrases: tuple[Phrase, ...]
    changed: float
    pending_until: float
    reason: str | None = None

    def state(self, now: float) -> VocabularyState:
        """Where it stands at `now`."""
        if now < self.pending_until:
            return VocabularyState.PENDING
        return VocabularyState.FAILED if self.reason else VocabularyState.READY


class Vocabularies:
    """Every vocabulary of the account."""

    def __init__(self) -> None:
        self._by_name: dict[str, Vocabulary] = {}

    def create(self, vocabulary: Vocabulary) -> None:
        """Take a new one.

        Raises:
            Refused: its name is taken, or the account has as many as it may.
        """
        if vocabulary.name in self._by_name:
            raise Refused("ConflictException", messages.VOCABULARY_TAKEN)
        if len(self._by_name) >= _MOST:
            raise Refused("LimitExceededException", messages.TOO_MUCH)
        self._by_name[vocabulary.name] = vocabulary

    def update(self, vocabulary: Vocabulary) -> None:
        """Put one in the place of that of the same name.

        Raises:
            Refused: there is none, or it is still being processed.
        """
        if self.get(vocabulary.name).state(vocabulary.changed) is VocabularyState.PENDING:
            raise Refused("ConflictException", messages.LOCAL_VOCABULARY_PENDING)
        self._by_name[vocabulary.name] = vocabulary

    def get(self, name: str) -> Vocabulary:
        """The vocabulary of that name.

        Raises:
            Refused: there is none; the recorded code is that of a bad request.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise bad_request(messages.NO_VOCABULARY) from None

    def delete(self, name: str) -> None:
        """Forget one; its name is free again.

        Raises:
            Refused: there is none.
        """
        del self._by_name[self.get(name).name]

    def in_order(self) -> list[Vocabulary]:
        """All of them, by name."""
        return sorted(self._by_name.values(), key=lambda each: each.name)

    def check_usable(self, name: str, language: str, now: float) -> None:
        """Let a job in `language` use the vocabulary, or not.

        Raises:
            Refused: there is none of that name, it is not READY, or of another language.
        """
        vocabulary = self.get(name)
        if vocabulary.state(now) is not VocabularyState.READY:
            raise bad_request(messages.LOCAL_VOCABULARY_NOT_READY)
        if vocabulary.language != language:
            raise bad_request(messages.LOCAL_VOCABULARY_LANGUAGE)
