"""Custom vocabularies over the real wire, asked by the AWS SDK, and what they do to speech."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.local import CloudOptions, SpokenWord, local_cloud
from pipeline.local.phrases import BadTable, as_shown, read_list, read_table
from pipeline.local.recogniser import Phrase
from tests.local.conftest import UNHURRIED, connected

HEADER = "Phrase\tIPA\tSoundsLike\tDisplayAs\n"
TABLE = HEADER + "Andorra-la-Vella\t\t\tAndorra la Vella\nA.W.S.\t\t\tAWS\nhello\t\t\tHello!\n"
NAME = {"VocabularyName": "places"}
MADE = {**NAME, "LanguageCode": "en-US", "VocabularyFileUri": "s3://audio/places.txt"}
SPOKEN = Path(__file__).parent / "andorra-la-vella.ogg"


async def made(client: Any, table: str = TABLE, **changes: Any) -> dict[str, Any]:
    """Put the table into the bucket and make a vocabulary of it."""
    await client.put("places.txt", table.encode())
    answer = await client.transcribe.create_vocabulary(**MADE | changes)
    return dict(answer)


async def settled(client: Any, name: str = "places") -> dict[str, Any]:
    """What Get says of a vocabulary when it is no longer PENDING."""
    while True:
        found = await client.transcribe.get_vocabulary(VocabularyName=name)
        if found["VocabularyState"] != "PENDING":
            return dict(found)
        await asyncio.sleep(0.02)


async def test_a_vocabulary_is_pending_and_then_ready_with_its_table(opened):
    """Create, Get and the address it hands out, as the service answers them."""
    async with opened(vocabulary_seconds=0.1) as client:
        begun = await made(client)
        ready = await settled(client)
        async with client.http.get(ready["DownloadUri"]) as answer:
            table = await answer.text()
        async with client.http.get(ready["DownloadUri"].partition("?")[0]) as answer:
            unsigned = answer.status

    assert (begun["VocabularyState"], begun["LanguageCode"]) == ("PENDING", "en-US")
    assert "DownloadUri" not in begun
    assert (ready["VocabularyState"], ready["VocabularyName"]) == ("READY", "places")
    assert table == TABLE
    assert unsigned == 403


async def test_a_vocabulary_that_is_not_valid_fails_with_the_services_reason(opened):
    """The content is judged after the call, as at the service."""
    async with opened(vocabulary_seconds=0) as client:
        await made(client, HEADER + "Köln\t\t\tKöln\n")
        found = await settled(client)

    assert found["VocabularyState"] == "FAILED"
    assert "invalid characters or incorrectly formatted terms" in found["FailureReason"]
    assert "DownloadUri" not in found


async def test_each_refusal_has_the_services_code_and_words(opened):
    """A taken or unknown name, a missing or too large table, none or both inputs, a language."""
    async with opened(vocabulary_seconds=9) as client:
        create, update = client.transcribe.create_vocabulary, client.transcribe.update_vocabulary
        await made(client)
        await client.put("large.txt", b"a" * 51_201)
        other = MADE | {"VocabularyName": "other"}
        refusals = [
            await client.refusal(call)
            for call in (
                create(**MADE),
                update(**MADE),
                update(**other),
                client.transcribe.get_vocabulary(VocabularyName="other"),
                client.transcribe.delete_vocabulary(VocabularyName="other"),
                create(**other | {"VocabularyFileUri": "s3://audio/none.txt"}),
                create(**other | {"VocabularyFileUri": "s3://audio/large.txt"}),
                create(**other | {"Phrases": ["a"]}),
                create(VocabularyName="other", LanguageCode="en-US"),
                create(**other | {"LanguageCode": "de-DE"}),
                create(**other | {"VocabularyName": "a b"}),
            )
        ]

    assert [
        (code.removesuffix("Exception"), said.split(". ")[0]) for code, said in refusals[:6]
    ] == [
        ("Conflict", "The requested vocabulary name already exists"),
        ("Conflict", "The requested vocabulary is still being processed"),
        ("BadRequest", "The requested vocabulary couldn't be found"),
        ("BadRequest", "The requested vocabulary couldn't be found"),
        ("BadRequest", "The requested vocabulary couldn't be found"),
        ("BadRequest", "The S3 URI that you provided can't be accessed"),
    ]
    assert refusals[6][0] == "LimitExceededException"
    assert [code for code, _ in refusals[7:]] == ["BadRequestException"] * 4


async def test_an_account_has_a_hundred_vocabularies_at_most(opened):
    """The hundred and first is refused, and taken once another is deleted."""
    async with opened(vocabulary_seconds=0) as client:
        create = client.transcribe.create_vocabulary
        for number in range(100):
            await create(VocabularyName=f"v{number}", LanguageCode="en-US", Phrases=["hello"])
        last = {"VocabularyName": "last", "LanguageCode": "en-US", "Phrases": ["hello"]}
        code, _ = await client.refusal(create(**last))
        await client.transcribe.delete_vocabulary(VocabularyName="v0")
        taken = await create(**last)

    assert code == "LimitExceededException"
    assert taken["VocabularyName"] == "last"


async def test_listing_goes_page_by_page_and_by_state_and_part_of_a_name(opened):
    """Every vocabulary is listed once, in the order of names."""
    async with opened(vocabulary_seconds=0) as client:
        for name, phrase in (("a-1", "ok"), ("b", "not ok"), ("A-2", "ok")):
            await client.transcribe.create_vocabulary(
                VocabularyName=name, LanguageCode="en-US", Phrases=[phrase]
            )
        pages: list[list[str]] = []
        more: dict[str, Any] = {}
        while not pages or more:
            page = await client.transcribe.list_vocabularies(MaxResults=1, **more)
            pages.append([each["VocabularyName"] for each in page["Vocabularies"]])
            more = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
        ready = await client.transcribe.list_vocabularies(StateEquals="READY", NameContains="a-")

    assert pages == [["A-2"], ["a-1"], ["b"]]
    assert [each["VocabularyName"] for each in ready["Vocabularies"]] == ["A-2", "a-1"]
    assert ready["Status"] == "READY"


@pytest.mark.parametrize(
    ("table", "changes", "words"),
    [
        (TABLE, {"LanguageCode": "en-GB"}, "of another language"),
        (TABLE, {"LanguageCode": None, "IdentifyLanguage": True}, "LanguageIdSettings"),
        (TABLE, {"Settings": {"VocabularyName": "none"}}, "couldn't be found"),
        (HEADER + "1\t\t\t1\n", {}, "isn't ready"),
    ],
)
async def test_a_job_is_refused_a_vocabulary_it_cannot_use(opened, table, changes, words):
    """Of another language, with identified languages, unknown, or failed."""
    async with opened(vocabulary_seconds=0) as client:
        await made(client, table)
        request = {"Settings": {"VocabularyName": "places"}} | changes
        code, said = await client.refusal(client.start("job", **request))

    assert code == "BadRequestException"
    assert words in said


async def test_a_jobs_phrases_are_written_as_the_table_wants_it(opened):
    """A phrase that was heard is one item with its DisplayAs; other jobs are left alone."""
    async with opened(vocabulary_seconds=0) as client:
        spoken = "Say hello in andorra la vella to a. w. s. now"
        await client.put("hello.wav", spoken)
        await made(client)
        await client.start("with", Settings={"VocabularyName": "places"})
        await client.start("without")
        texts = {}
        for name in ("with", "without"):
            job = await client.ended(name)
            document = await client.read(job["Transcript"]["TranscriptFileUri"])
            texts[name] = document["results"]["transcripts"][0]["transcript"]
            if name == "with":
                contents = [i["alternatives"][0]["content"] for i in document["results"]["items"]]

    assert texts["without"] == spoken
    assert contents == ["Say", "Hello!", "in", "Andorra la Vella", "to", "AWS", "now"]
    assert texts["with"] == " ".join(contents)


async def test_an_updated_vocabulary_holds_nothing_of_what_it_was(opened):
    """Update overwrites."""
    async with opened(vocabulary_seconds=0) as client:
        await made(client)
        phrases = {"LanguageCode": "en-US", "Phrases": ["world"]}
        await client.transcribe.update_vocabulary(**NAME, **phrases)
        found = await settled(client)
        async with client.http.get(found["DownloadUri"]) as answer:
            assert await answer.text() == "world"


async def test_pocketsphinx_hears_what_the_vocabulary_names(tmp_path):
    """A place that the model mishears is understood when a vocabulary has it."""
    shutil.copy(SPOKEN, tmp_path / "a.ogg")
    (tmp_path / "places.txt").write_text(TABLE)
    options = CloudOptions(bucket="audio", quotas=UNHURRIED, vocabulary_seconds=0, processes=1)
    texts = []
    async with local_cloud(tmp_path, options) as cloud, connected(cloud) as client:
        await client.transcribe.create_vocabulary(**MADE)
        for name, settings in (("a", {}), ("b", {"VocabularyName": "places"}), ("c", {})):
            await client.start(name, "a.ogg", Settings=settings)
            job = await client.ended(name)
            document = await client.read(job["Transcript"]["TranscriptFileUri"])
            texts.append(document["results"]["transcripts"][0]["transcript"])

    assert "Andorra" not in texts[0]
    assert texts[1] == "please call the office in Andorra la Vella tomorrow"
    assert texts[2] == texts[0]


@pytest.mark.parametrize(
    "table",
    [
        "",
        "Phrase\tIPA\tDisplayAs\nok\t\t\n",
        HEADER + "two words\t\t\t\n",
        HEADER + "-ok\t\t\t\n",
        HEADER + "G20\t\t\t\n",
        HEADER + "ok\t\t\n",
        HEADER + f"{'a' * 257}\t\t\t\n",
        HEADER + f"ok\t\t\t{'a' * 257}\n",
        (HEADER + "ok\t\t\t\n").replace("\n", "\r\n"),
    ],
)
def test_a_table_outside_the_rules_is_refused(table):
    """Columns, spaces, digits, hyphens without words, lengths, line ends."""
    with pytest.raises(BadTable, match="invalid characters or incorrectly formatted"):
        read_table(table.encode())


def test_columns_stand_in_any_order_and_acronyms_are_said_letter_by_letter():
    """What is written for a row without DisplayAs is its phrase."""
    table = "DisplayAs\tIPA\tPhrase\tSoundsLike\nDynamoDB\t\tDynamo-D.B.\t\n\tx\tEva-Maria\t\n"

    assert read_table(table.encode()) == (
        Phrase(("dynamo", "d", "b"), "DynamoDB"),
        Phrase(("eva", "maria"), "Eva-Maria"),
    )
    assert read_list(["CLI", "A.B.C.-s"]) == (
        Phrase(("cli",), "CLI"),
        Phrase(("a", "b", "c", "s"), "A.B.C.-s"),
    )


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from(["a", "a-b", "b-c-a", "c"])))
def test_no_word_is_lost_or_doubled_by_writing_phrases(heard, rows):
    """What the items stand for is what was heard, in its order and time."""
    phrases = [Phrase(tuple(row.split("-")), row) for row in rows]
    words = [SpokenWord(text, n, n + 0.5, 0.9, 0) for n, text in enumerate(heard)]

    shown = as_shown(words, phrases)

    assert "-".join(word.text for word in shown) == "-".join(heard)
    assert [word.start for word in shown] == sorted(word.start for word in shown)
