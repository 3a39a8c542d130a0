"""Whatever a service or a file holds, a command ends with a sentence: what was read is named."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.aws.s3_responses import parse_folders, parse_listing, url_denied
from pipeline.config.loading import resolve
from pipeline.errors import BadSettings, OutputUnusable, RecordingFailed, Unavailable
from pipeline.events.message import ended_job
from pipeline.ground_truth.record import read_ground_truth
from pipeline.label_studio.task_lines import task_lines
from pipeline.naming import place_of_result
from pipeline.s3_output.open_part import identity_of
from pipeline.transcripts.parsing import parse_transcript
from pipeline.vocabulary.table import as_table, parse_table
from tests.conftest import endpoint
from tests.support.between import between

pytestmark = pytest.mark.usefixtures("in_this_process")

DEEP = b"[" * 200_000 + b"]" * 200_000
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["results", "transcripts", "items", "data", "id", "segments", "text"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)
PARTS_OF_XML = (
    *(b"<ListBucketResult>", b"</ListBucketResult>", b"<Contents>", b"</Contents>", b"<Key>"),
    *(b"</Key>", b"<Size>", b"</Size>", b"<Error>", b"</Error>", b"<Code>", b"</Code>", b"<a/>"),
    *(b"<ETag>e</ETag>", b"<StorageClass>S</StorageClass>", b"9" * 5000, b"a%ZZ+%ed", b"\xff"),
    *(b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"&#0;", b"<CommonPrefixes>", b"<Prefix>"),
    *(b"<?xml version='1.0' encoding='%s'?>" % each for each in (b"x", b"utf-32", b"rot13")),
    *(b"<NextContinuationToken>", b"\x00", b" "),
)
xml = st.lists(st.sampled_from(PARTS_OF_XML), max_size=12).map(b"".join) | st.binary(max_size=40)
documents = json_values.map(lambda value: json.dumps(value).encode()) | st.just(DEEP)


@given(documents)
def test_no_document_breaks_the_parser_of_transcripts(document):
    """It is a transcript, or the recording fails with a sentence."""
    with suppress(RecordingFailed):
        assert parse_transcript(document).job_name


@given(xml)
@example(b"<?xml version='1.0' encoding='x'?><Error/>")
@example(b"<?xml version='1.0' encoding='utf-32'?><Error/>")
@example(b"<?xml version='1.0' encoding='rot13'?><Error/>")
def test_no_answer_of_s3_breaks_its_reader(body):
    """A page is a listing, or none came; a refusal has a code, or names none."""
    for parse in (parse_listing, parse_folders):
        with suppress(Unavailable):
            parse(body)
    assert isinstance(url_denied(body).problem, str)


@given(st.binary(max_size=60) | documents.map(lambda each: b"Key = " + each))
def test_no_file_of_settings_breaks_its_reader(tmp_path_factory, content):
    """Settings are taken, or refused in a sentence that names the file."""
    path = tmp_path_factory.getbasetemp() / "night.toml"
    path.write_bytes(content)
    refused = ""
    try:
        resolve({}, {}, path)
    except BadSettings as error:
        refused = str(error)
    assert not refused or "night.toml" in refused


@given(st.binary(max_size=60) | st.binary().map(lambda each: as_table([]) + each))
def test_no_table_breaks_its_reader(content):
    """A vocabulary's table has rows, or is refused in a sentence."""
    with suppress(BadSettings):
        assert isinstance(parse_table(content), list)


@given(documents | st.binary(max_size=40))
def test_no_line_of_an_output_breaks_who_looks_whose_it_is(line):
    """A line that somebody put there is of no recording."""
    assert identity_of(line, "calls") == b""


@given(documents)
def test_no_document_breaks_the_reader_of_tasks(document):
    """A line is a task, or the output is told to be unusable, with the line's place."""
    with suppress(OutputUnusable):
        assert list(task_lines([document]))


@given(documents | st.binary(max_size=40))
def test_no_content_breaks_the_reader_of_ground_truth(tmp_path_factory, content):
    """A file is read, or the sentence names it."""
    path = tmp_path_factory.getbasetemp() / "truth.jsonl"
    path.write_bytes(content + b"\n")
    refused = ""
    try:
        list(read_ground_truth(path))
    except OutputUnusable as error:
        refused = str(error)
    assert not refused or "truth.jsonl" in refused


@pytest.mark.parametrize("line", [DEEP, b"[]", b"{}", b"1", b"\xff"])
def test_no_line_breaks_the_reader_of_ground_truth(tmp_path, line):
    """A line that is none is named, with its number."""
    path = tmp_path / "ground_truth.jsonl"
    path.write_bytes(line + b"\n")

    with pytest.raises(OutputUnusable, match="Line 1 of"):
        list(read_ground_truth(path))


@given(documents)
def test_no_message_of_a_queue_breaks_the_listener(document):
    """What is no event of a job that has ended says nothing."""
    assert ended_job(document.decode()) is None


@pytest.mark.parametrize("uri", ["https://[s3/b/k", "https://h:99999/b/k", "", "\ud800", "//"])
def test_no_address_breaks_who_looks_for_a_transcript(uri):
    """An address that is none leads nowhere."""
    assert place_of_result(uri) is None or place_of_result(uri) == ("b", "k")


def test_settings_that_are_nested_too_deep_are_refused(tmp_path):
    """No file of settings ends in a traceback."""
    path = tmp_path / "deep.toml"
    path.write_text(f"a = {'[' * 5_000}{']' * 5_000}\n", encoding="utf-8")

    with pytest.raises(BadSettings, match="deep"):
        resolve({}, {}, path)


def answer_of_get(job: Any) -> bytes:
    """An answer to GetTranscriptionJob about such a job."""
    return json.dumps({"TranscriptionJob": job}).encode()


COMPLETE: dict[str, Any] = {"TranscriptionJobName": "x", "TranscriptionJobStatus": "COMPLETED"}


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("GetTranscriptionJob", b"[]"),
        ("GetTranscriptionJob", DEEP),
        ("GetTranscriptionJob", answer_of_get([])),
        ("GetTranscriptionJob", answer_of_get({"TranscriptionJobStatus": ["COMPLETED"]})),
        ("GetTranscriptionJob", answer_of_get(COMPLETE | {"Transcript": "s3"})),
        (
            "GetTranscriptionJob",
            answer_of_get(COMPLETE | {"Transcript": {"TranscriptFileUri": "https://[s3/b/k"}}),
        ),
        (
            "GetTranscriptionJob",
            answer_of_get({"TranscriptionJobStatus": "FAILED", "FailureReason": "\ud800 bad"}),
        ),
        ("ListTranscriptionJobs", b'{"TranscriptionJobSummaries": [{"CreationTime": 1}]}'),
        ("ListTranscriptionJobs", b'{"TranscriptionJobSummaries": "none"}'),
    ],
)
def test_no_answer_of_the_service_breaks_a_run(run, cloud, operation, body):
    """Its recording fails, or the run stops with a sentence; nothing is lost."""
    service = cloud()
    service.add(one="first")
    (run.folder / "hasty.toml").write_text("[limits]\nretry_seconds = 1.0\n", encoding="utf-8")

    def reply(asked):
        answer = asked.forward()
        return answer._replace(body=body) if asked.operation == operation else answer

    with between(service, reply) as url:
        run.use(**endpoint(url))
        outcome = run("run", "s3://audio/", "--config", "hasty.toml")
    run.use(**endpoint(service.url))

    assert outcome.code in (0, 1, 2), outcome.err
    assert "should not happen" not in outcome.err
    assert "Traceback" not in outcome.err
