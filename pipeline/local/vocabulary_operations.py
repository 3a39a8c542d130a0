"""CreateVocabulary, UpdateVocabulary, GetVocabulary, ListVocabularies, DeleteVocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.local import messages
from pipeline.local.constraints import LIST_VOCABULARIES, MAKE_VOCABULARY, VOCABULARY, check
from pipeline.local.errors import Refused, bad_request
from pipeline.local.phrases import LARGEST_TABLE, BadTable, read_list, read_table
from pipeline.local.results import vocabulary_path
from pipeline.local.rules import media_place
from pipeline.local.vocabularies import Vocabulary, VocabularyState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.local.account import Account

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
        vocabulary = self._made_of(request)
        self._vocabularies.create(vocabulary)
        return self._described(vocabulary)

    def update(self, request: Mapping[str, Any], _call: int) -> dict[str, Any]:
        """Make a vocabulary anew; nothing of what it held is kept."""
        vocabulary = self._made_of(request)
        self._vocabularies.update(vocabulary)
        return self._described(vocabulary)

    def get(self, request: Mapping[str, Any], _call: int) -> dict[str, Any]:
        """Describe a vocabulary, with an address where its table can be read."""
        check(request, VOCABULARY)
        vocabulary = self._vocabularies.get(request["VocabularyName"])
        answer = self._described(vocabulary)
        if answer["VocabularyState"] == VocabularyState.READY:
            path = vocabulary_path(vocabulary.name)
            signed = self._account.signer.sign(path, self._account.now())
            answer["DownloadUri"] = self._account.url + signed
        return answer

    def delete(self, request: Mapping[str, Any], _call: int) -> dict[str, Any]:
        """Forget a vocabulary."""
        check(request, VOCABULARY)
        self._vocabularies.delete(request["VocabularyName"])
        return {}

    def list_vocabularies(self, request: Mapping[str, Any], _call: int) -> dict[str, Any]:
        """A page of vocabularies by name; a token is the last name of the page before."""
        check(request, LIST_VOCABULARIES)
        asked = request.get("StateEquals")
        part = request.get("NameContains", "").lower()
        after = request.get("NextToken", "")
        found = [
            described
            for vocabulary in self._vocabularies.in_order()
            if part in vocabulary.name.lower() and vocabulary.name > after
            if (described := self._described(vocabulary))["VocabularyState"] == asked or not asked
        ]
        limit = request.get("MaxResults", _PAGE)
        answer: dict[str, Any] = {"Status": asked} if asked else {}
        if len(found) > limit:
            answer["NextToken"] = found[limit - 1]["VocabularyName"]
        for described in found:
            described.pop("FailureReason", None)
        return answer | {"Vocabularies": found[:limit]}

    def _made_of(self, request: Mapping[str, Any]) -> Vocabulary:
        """The vocabulary of a request; one whose content is at fault is one that fails."""
        check(request, MAKE_VOCABULARY)
        if not request["LanguageCode"].startswith("en-"):
            raise bad_request(messages.LOCAL_LANGUAGE)
        if ("Phrases" in request) == ("VocabularyFileUri" in request):
            raise bad_request(messages.LOCAL_VOCABULARY_INPUT)
        listed, reason = request.get("Phrases"), None
        table = self._table(request["VocabularyFileUri"]) if listed is None else b""
        try:
            phrases = read_table(table) if listed is None else read_list(listed)
        except BadTable as bad:
            phrases, reason = (), bad.reason
        name, language = request["VocabularyName"], request["LanguageCode"]
        if self._account.options.faults.hits("failed_vocabulary", name):
            reason = messages.VOCABULARY_NOT_VALID
        content = table if listed is None else "\n".join(listed).encode()
        return Vocabulary(name, language, content, phrases, self._account.now(), reason)

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
        state = self._vocabularies.state(vocabulary, self._account.now())
        answer: dict[str, Any] = {
            "VocabularyName": vocabulary.name,
            "LanguageCode": vocabulary.language,
            "VocabularyState": state.value,
            "LastModifiedTime": vocabulary.changed,
        }
        if state is VocabularyState.FAILED:
            answer["FailureReason"] = vocabulary.reason
        return answer
