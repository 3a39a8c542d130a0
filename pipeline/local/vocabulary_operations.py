"""CreateVocabulary, UpdateVocabulary, GetVocabulary, ListVocabularies, DeleteVocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.local import messages
from pipeline.local.errors import Refused, bad_request
from pipeline.local.phrases import LARGEST_TABLE, BadTable, read_list, read_table
from pipeline.local.request import media_place
from pipeline.local.store import vocabulary_path
from pipeline.local.vocabularies import Vocabulary, VocabularyState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.local.account import Account
    from pipeline.local.recogniser import Phrase

_PAGE = 5


class VocabularyOperations:
    """The five operations; each takes a request, and how many such calls there have been.

    All raise `Refused` with the service's code and sentence.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._vocabularies = account.vocabularies

    def create(self, request: Mapping[str, Any], _call: int) -> dict[str, Any]:
        """Make a vocabulary of a table in the bucket, or of a list of phrases."""
        vocabulary, content = self._made_of(request)
        self._vocabularies.create(vocabulary)
        return self._kept(vocabulary, content)

    def update(self, request: Mapping[str, Any], _call: int) -> dict[str, Any]:
        """Replace a vocabulary; nothing of what it held is kept."""
        vocabulary, content = self._made_of(request)
        self._vocabularies.update(vocabulary)
        return self._kept(vocabulary, content)

    def _kept(self, vocabulary: Vocabulary, content: bytes) -> dict[str, Any]:
        self._account.store.put(vocabulary_path(vocabulary.name), content)
        return self._described(vocabulary)

    def get(self, request: Mapping[str, Any], _call: int) -> dict[str, Any]:
        """Describe a vocabulary, with an address where its table can be read."""
        vocabulary = self._vocabularies.get(request["VocabularyName"])
        answer = self._described(vocabulary)
        if answer["VocabularyState"] == VocabularyState.READY:
            answer["DownloadUri"] = self._account.presigned(vocabulary_path(vocabulary.name))
        return answer

    def delete(self, request: Mapping[str, Any], _call: int) -> dict[str, Any]:
        """Forget a vocabulary and its table."""
        self._vocabularies.delete(request["VocabularyName"])
        self._account.store.discard(vocabulary_path(request["VocabularyName"]))
        return {}

    def list_vocabularies(self, request: Mapping[str, Any], _call: int) -> dict[str, Any]:
        """A page of vocabularies by name; a token is the last name of the page before."""
        state = request.get("StateEquals")
        part = request.get("NameContains", "").lower()
        after = request.get("NextToken", "")
        found = [
            described
            for vocabulary in self._vocabularies.in_order()
            if part in vocabulary.name.lower() and vocabulary.name > after
            if (described := self._described(vocabulary))["VocabularyState"] == state or not state
        ]
        limit = request.get("MaxResults", _PAGE)
        answer: dict[str, Any] = {"Status": state} if state else {}
        if len(found) > limit:
            answer["NextToken"] = found[limit - 1]["VocabularyName"]
        for described in found:
            described.pop("FailureReason", None)
        return answer | {"Vocabularies": found[:limit]}

    def _made_of(self, request: Mapping[str, Any]) -> tuple[Vocabulary, bytes]:
        """The vocabulary of a request, which fails where its content is at fault, and its table."""
        name, language = request["VocabularyName"], request["LanguageCode"]
        if not language.startswith("en-"):
            raise bad_request(messages.LOCAL_LANGUAGE)
        if ("Phrases" in request) == ("VocabularyFileUri" in request):
            raise bad_request(messages.LOCAL_VOCABULARY_INPUT)
        phrases: tuple[Phrase, ...] = ()
        reason = None
        try:
            if "Phrases" in request:
                content = "\n".join(request["Phrases"]).encode()
                phrases = read_list(request["Phrases"])
            else:
                content = self._table(request["VocabularyFileUri"])
                phrases = read_table(content)
        except BadTable as bad:
            reason = bad.reason
        if self._account.options.faults.hits("failed_vocabulary", name):
            reason = messages.VOCABULARY_NOT_VALID
        now = self._account.now()
        settled = now + self._account.options.vocabulary_seconds
        return Vocabulary(name, language, phrases, now, settled, reason), content

    def _table(self, uri: str) -> bytes:
        place = media_place(uri)
        bucket = self._account.bucket
        entry = bucket.find(place.key)
        if place.bucket != bucket.name or entry is None:
            raise bad_request(messages.INPUT_UNREADABLE)
        if entry.size > LARGEST_TABLE:
            raise Refused("LimitExceededException", messages.TOO_MUCH)
        return bucket.read(place.key)

    def _described(self, vocabulary: Vocabulary) -> dict[str, Any]:
        state = vocabulary.state(self._account.now())
        answer: dict[str, Any] = {
            "VocabularyName": vocabulary.name,
            "LanguageCode": vocabulary.language,
            "VocabularyState": state.value,
            "LastModifiedTime": vocabulary.changed,
        }
        if state is VocabularyState.FAILED:
            answer["FailureReason"] = vocabulary.reason
        return answer
