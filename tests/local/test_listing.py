"""ListTranscriptionJobs over the real wire."""


async def test_a_listing_is_paged_newest_first(opened):
    """Five to a page unless told; the last page has no token; a substring in any case filters."""
    async with opened() as client:
        for number in range(7):
            await client.start(f"Job-{number}")
            await client.ended(f"Job-{number}")
        first = await client.transcribe.list_transcription_jobs(Status="COMPLETED")
        rest = await client.transcribe.list_transcription_jobs(NextToken=first["NextToken"])
        found = await client.names(JobNameContains="jOB-3")
        none = await client.names(Status="FAILED")

    names = [job["TranscriptionJobName"] for job in first["TranscriptionJobSummaries"]]
    assert names == [f"Job-{number}" for number in (6, 5, 4, 3, 2)]
    assert first["Status"] == "COMPLETED"
    assert [job["TranscriptionJobName"] for job in rest["TranscriptionJobSummaries"]] == [
        "Job-1",
        "Job-0",
    ]
    assert "NextToken" not in rest
    assert (found, none) == (["Job-3"], [])


async def test_a_summary_tells_where_a_job_stands_and_no_more(opened):
    """No media, no transcript; where the output lies and why a job failed."""
    async with opened() as client:
        await client.put("bad.wav", b"!Internal")
        await client.start("job", "bad.wav", OutputBucketName="audio")
        await client.ended("job")
        answer = await client.transcribe.list_transcription_jobs()

    (found,) = answer["TranscriptionJobSummaries"]
    times = {"CreationTime", "StartTime", "CompletionTime"}
    assert {name: value for name, value in found.items() if name not in times} == {
        "TranscriptionJobName": "job",
        "TranscriptionJobStatus": "FAILED",
        "LanguageCode": "en-US",
        "FailureReason": "Internal",
        "OutputLocationType": "CUSTOMER_BUCKET",
    }


async def test_a_token_or_an_operation_that_is_made_up_is_refused(opened):
    """Neither brings the endpoint down."""
    async with opened() as client:
        token = await client.refusal(client.names(NextToken="&"))
        operation = await client.refusal(client.transcribe.list_vocabulary_filters())

    assert token[0] == "BadRequestException"
    assert operation[0] == "UnknownOperationException"
