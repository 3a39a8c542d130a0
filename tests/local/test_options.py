"""Alternatives, subtitles and settings for each language, over the wire."""

import asyncio
from io import StringIO
from pathlib import Path

import pytest
import webvtt

import pipeline.local
from pipeline.local import MediaSettings
from pipeline.local.document import Segment
from pipeline.local.pocketsphinx_pool import PocketSphinx
from pipeline.local.subtitles import subtitles

RECORDINGS = Path(pipeline.local.__file__).parent / "recordings"
BOTH = {"Formats": ["vtt", "srt"], "OutputStartIndex": 1}


@pytest.mark.parametrize("own", [{"OutputBucketName": "audio", "OutputKey": "t/job.json"}, {}])
async def test_subtitles_lie_beside_the_transcript(opened, own):
    """Each format that was asked for is a file with the transcript's text and times."""
    async with opened() as client:
        await client.start("job", Subtitles=BOTH, **own)
        job = await client.ended("job")
        texts = []
        for uri in job["Subtitles"]["SubtitleFileUris"]:
            async with client.http.get(client.url(uri)) as answer:
                texts.append(await answer.text())

    vtt, srt = (
        webvtt.from_buffer(StringIO(text), format=kind)
        for text, kind in zip(texts, ("vtt", "srt"), strict=True)
    )
    assert job["Subtitles"]["OutputStartIndex"] == 1
    assert (
        [each.text for each in vtt.captions]
        == [each.text for each in srt.captions]
        == ["hello world"]
    )
    assert (vtt[0].start, vtt[0].end) == ("00:00:00.000", "00:00:01.580")
    assert texts[1].startswith("1\n00:00:00,000 --> 00:00:01,580\n")
    stem = job["Transcript"]["TranscriptFileUri"].partition("?")[0].removesuffix("json")
    assert [uri.partition("?")[0] for uri in job["Subtitles"]["SubtitleFileUris"]] == [
        f"{stem}vtt",
        f"{stem}srt",
    ]


async def test_silence_has_no_subtitles(opened):
    """Where nobody speaks no file is made."""
    async with opened() as client:
        await client.put("quiet.wav", b"")
        await client.start("job", "quiet.wav", Subtitles=BOTH)
        job = await client.ended("job")

    assert job["TranscriptionJobStatus"] == "COMPLETED"
    assert "SubtitleFileUris" not in job["Subtitles"]


def test_a_subtitle_can_not_be_mistaken_for_markup():
    """What is said is text, whatever it looks like."""
    said = [Segment(0.0, 1.5, "a <b> & c", ()), Segment(3600.0, 3601.0, "d", ())]

    made = subtitles(said, "vtt", 0).decode()

    assert made == (
        "WEBVTT\n\n0\n00:00:00.000 --> 00:00:01.500\na &lt;b&gt; &amp; c\n\n"
        "1\n01:00:00.000 --> 01:00:01.000\nd\n"
    )


async def test_alternatives_stand_in_the_document_when_they_are_asked_for(opened):
    """A recogniser without alternatives gives the best version alone."""
    async with opened() as client:
        await client.start("with", Settings={"ShowAlternatives": True, "MaxAlternatives": 3})
        await client.start("without")
        found = {}
        for name in ("with", "without"):
            uri = (await client.ended(name))["Transcript"]["TranscriptFileUri"]
            found[name] = (await client.read(uri))["results"]

    assert "segments" not in found["without"]
    [segment] = found["with"]["segments"]
    assert [each["transcript"] for each in segment["alternatives"]] == ["hello world"]


async def test_pocketsphinx_tells_what_else_it_may_have_been():
    """At most as many different versions as are wanted, the one of the transcript first."""
    wanted, plain = MediaSettings(versions=3), MediaSettings()
    async with PocketSphinx(1) as recogniser:
        path = RECORDINGS / "calls/invoice.wav"
        speech = await recogniser.recognise(path, wanted)
        without = await recogniser.recognise(path, plain)

    [versions] = speech.versions
    assert len(set(versions.texts)) == len(versions.texts) == 3
    assert versions.texts[0] == " ".join(word.text for word in speech.words)
    assert (versions.start, versions.end) == (speech.words[0].start, speech.words[-1].end)
    assert without.versions == ()
    assert without.words == speech.words


async def test_the_vocabulary_of_the_identified_language_is_used(opened):
    """Of the settings for each language those of the one that is recognised hold."""
    async with opened(vocabulary_seconds=0) as client:
        for name, word in (("us", "HELLO"), ("gb", "hello")):
            await client.transcribe.create_vocabulary(
                VocabularyName=name, LanguageCode=f"en-{name.upper()}", Phrases=[word]
            )
        await client.start(
            "job",
            LanguageCode=None,
            IdentifyLanguage=True,
            LanguageOptions=["en-GB", "en-US"],
            LanguageIdSettings={
                "en-US": {"VocabularyName": "us"},
                "en-GB": {"VocabularyName": "gb"},
            },
        )
        job = await client.ended("job")
        document = await client.read(job["Transcript"]["TranscriptFileUri"])

    assert job["LanguageIdSettings"]["en-US"] == {"VocabularyName": "us"}
    assert document["results"]["transcripts"][0]["transcript"] == "HELLO world"


async def test_tags_are_told_again(opened):
    """A job's tags come back with it."""
    tags = [{"Key": "team", "Value": "speech"}]
    async with opened() as client:
        await client.start("job", Tags=tags)

        assert (await client.ended("job"))["Tags"] == tags


async def test_alternatives_of_a_folder_come_with_the_task(run, recordings):
    """Through the whole program: what else was heard stands in the task's data."""
    run.use(TRANSCRIBE_PIPELINE_MAX_ALTERNATIVES="3")

    outcome = await asyncio.to_thread(run, "run", recordings, "--include", "calls/invoice.wav")
    [task] = run.tasks()

    assert outcome.code == 0, outcome.err
    assert len(task["data"]["alternatives"][0]["texts"]) == 2
