"""An answer of any JSON is what the service's model says, or no answer of the service."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.answer import Answer, answer_of
from pipeline.aws.error_codes import translated
from pipeline.errors import PipelineError, ServiceUnreachable, Unavailable
from pipeline.jobs.client import _job_names, _job_record
from pipeline.vocabulary.service import _described
from tests.support.transcripts import json_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.model import Shape

WORDS = st.sampled_from(["COMPLETED", "FAILED", "READY", "2026-11-28T10:00:00Z"]) | json_values
JOB = st.fixed_dictionaries(
    {"TranscriptionJobStatus": WORDS},
    optional={
        **dict.fromkeys(
            ("FailureReason", "CompletionTime", "StartTime", "CreationTime"), json_values
        ),
        "Media": st.fixed_dictionaries({"MediaFileUri": json_values}) | json_values,
        "Transcript": st.dictionaries(
            st.sampled_from(["TranscriptFileUri", "RedactedTranscriptFileUri"]), json_values
        )
        | json_values,
    },
)
LISTED = (
    st.lists(st.fixed_dictionaries({"TranscriptionJobName": json_values}) | json_values, max_size=3)
    | json_values
)
ANSWERS = {
    "GetTranscriptionJob": (
        _job_record,
        st.fixed_dictionaries({"TranscriptionJob": JOB}) | json_values,
    ),
    "ListTranscriptionJobs": (
        _job_names,
        st.fixed_dictionaries(
            {"TranscriptionJobSummaries": LISTED}, optional={"NextToken": json_values}
        ),
    ),
    "GetVocabulary": (
        _described,
        st.fixed_dictionaries(
            {"VocabularyState": WORDS},
            optional=dict.fromkeys(
                ("LanguageCode", "FailureReason", "LastModifiedTime"), json_values
            ),
        ),
    ),
}


@lru_cache
def shape_of(operation: str) -> Shape:
    """What the service's model says of an answer."""
    model = botocore.session.get_session().get_service_model("transcribe")
    return model.operation_model(operation).output_shape


def answered(operation: str, body: Any) -> Answer:
    """The answer to a call, as its parser and its model have it."""
    response = {"status_code": 200, "headers": {}, "body": json.dumps(body).encode()}
    shape = shape_of(operation)
    with translated("asking"):
        parsed = create_parser("json").parse(response, shape)
    found: Answer = answer_of(parsed, shape, "asking")
    return found


@pytest.mark.parametrize("operation", ANSWERS)
@given(st.data())
def test_any_json_is_read_or_is_no_answer_of_the_service(operation, data):
    """Numbers for names, lists for structures, what lacks its half: nothing foreign is raised."""
    read: Callable[[Answer], Any]
    read, bodies = ANSWERS[operation]
    with suppress(PipelineError):
        json.dumps(str(read(answered(operation, data.draw(bodies)))))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"TranscriptionJobSummaries": [{}]}, "it lacks the jobs' names"),
        ({"TranscriptionJobSummaries": [{"TranscriptionJobName": 1}]}, "its TranscriptionJobName"),
        ({"TranscriptionJobSummaries": [], "NextToken": []}, "its NextToken is no string"),
        ({}, "it lacks the jobs' names"),
    ],
)
def test_what_is_wrong_with_an_answer_is_told(body, why):
    """The member and its type, and what may stand in the service's place."""
    with pytest.raises(Unavailable) as raised:
        _job_names(answered("ListTranscriptionJobs", body))

    assert str(raised.value).startswith(f"The answer to asking is not the service's: {why}")
    assert "login page" in raised.value.advice


def test_a_member_that_is_read_and_not_there_is_named():
    """However deep it stands."""
    answer = answered("GetTranscriptionJob", {"TranscriptionJob": {"Media": {}}})

    with pytest.raises(ServiceUnreachable, match="it has no MediaFileUri"):
        answer["TranscriptionJob"]["Media"]["MediaFileUri"]
