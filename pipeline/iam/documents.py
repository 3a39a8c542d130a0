"""The documents about rights that can be printed, by their names."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pipeline.errors import BadSettings
from pipeline.iam import policies

if TYPE_CHECKING:
    from pipeline.iam.policies import Scope


class Document(StrEnum):
    """The documents that `iam policy` prints."""

    CALLER = "caller"
    ROLE = "role"
    ROLE_TRUST = "role-trust"
    LABEL_STUDIO = "label-studio"
    CORS = "cors"
    ALL = "all"


def document_of(scope: Scope, cors: str, document: Document) -> Any:
    """One of the documents; or all that there are, each under its name.

    Without Label Studio's address, where `cors` is "", there are no CORS rules.

    Raises:
        BadSettings: CORS rules are wanted, and no address is named.
    """
    if document is Document.CORS and not cors:
        raise BadSettings(
            "CORS rules are for one address, and none is named",
            "Name Label Studio's address with --cors.",
        )
    documents = {
        Document.CALLER: policies.caller_policy(scope),
        Document.ROLE: policies.data_access_policy(scope),
        Document.ROLE_TRUST: policies.trust_policy(scope.owner),
        Document.LABEL_STUDIO: policies.reviewing_policy(scope),
        **({Document.CORS: {"CORSRules": [policies.cors_rule(cors)]}} if cors else {}),
    }
    if document is Document.ALL:
        return {name.value: each for name, each in documents.items()}
    return documents[document]
