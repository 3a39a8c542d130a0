"""What Label Studio's refusals mean, and where its address and token come from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.label_studio import LabelStudio
from pipeline.config.schema import Limits
from pipeline.errors import (
    AnswerTooLarge,
    BadSettings,
    Denied,
    Expired,
    NoAccess,
    PipelineError,
    ServiceUnreachable,
    TasksRefused,
    Throttled,
    Unavailable,
)
from pipeline.label_studio.client import connected
from pipeline.label_studio.errors import Credential, api_error
from pipeline.label_studio.token import address, is_personal, read_token
from tests.support.between import Answer, between
from tests.support.endless import endless

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.between import Asked

URL = "https://labels.example.com"
IMPORT = "POST /api/projects/3/import"
PAGE = b"<!doctype html><h1>Bad Gateway</h1>"


def refusal(detail: object = "no", **more: object) -> bytes:
    return json.dumps({"status_code": 400, "detail": detail, **more}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, refusal("Invalid token."), NoAccess),
        (401, PAGE, BadSettings),
        (403, refusal(), Denied),
        (403, PAGE, BadSettings),
        (404, refusal("No Project matches the given query."), BadSettings),
        (404, PAGE, BadSettings),
        (302, b"", BadSettings),
        (400, refusal(), TasksRefused),
        (400, PAGE, BadSettings),
        (408, PAGE, Unavailable),
        (413, PAGE, BadSettings),
        (429, PAGE, Throttled),
        (500, refusal("database is locked"), Unavailable),
        (502, PAGE, Unavailable),
        (504, b"", Unavailable),
    ],
)
def test_every_refusal_has_its_place_in_the_tree(status, body, kind):
    """What can be tried again is told from what someone has to put right."""
    assert type(api_error(URL, IMPORT, status, body, Credential.LEGACY)) is kind


@pytest.mark.parametrize(
    ("used", "kind"),
    [
        (Credential.LEGACY, NoAccess),
        (Credential.PERSONAL, NoAccess),
        (Credential.ACCESS, Expired),
    ],
)
def test_only_the_short_lived_token_is_worth_a_new_one(used, kind):
    """An access token may have expired; a token that a person made has to be made anew."""
    assert type(api_error(URL, IMPORT, 401, refusal("Token is invalid"), used)) is kind


def test_refusal_names_what_is_wrong_and_quotes_no_task():
    """The server repeats the whole task behind its words; a transcript is nothing for a log."""
    words = "Error at item 0: key is expected [assume: data] :: {'data': {'text': 'my secret'}}"
    body = refusal("Validation error", validation_errors={"non_field_errors": [words]})

    error = api_error(URL, IMPORT, 400, body, Credential.LEGACY)

    assert "Error at item 0: key is expected" in str(error)
    assert error.message == "Error at item 0: key is expected [assume: data]"
    assert error.action == IMPORT
    assert "secret" not in str(error)


@given(st.integers(300, 599), st.binary() | st.text().map(lambda t: refusal(t, x=t)))
def test_any_answer_has_a_meaning(status, body):
    """Whatever a proxy says, it becomes an error of ours, on one short line."""
    error = api_error(URL, IMPORT, status, body, Credential.LEGACY)

    assert isinstance(error, PipelineError)
    assert len(str(error).splitlines()) == 1
    assert len(str(error)) < 700


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://a.example", "https://a.example"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("https://a.example/label-studio/", "https://a.example/label-studio"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://a.example/projects-team", "https://a.example/projects-team"),
    ],
)
def test_address_is_kept_without_the_slash_at_its_end(given, expected):
    """An address may have a port and a path."""
    assert address(LabelStudio(url=given), {}) == expected


def test_address_comes_from_the_environment_when_no_setting_names_one():
    """LABEL_STUDIO_URL is the name that Label Studio's own tools read."""
    environment = {"LABEL_STUDIO_URL": URL}

    assert address(LabelStudio(), environment) == URL
    assert address(LabelStudio(url="http://b"), environment) == "http://b"


@pytest.mark.parametrize(
    "given",
    ["", "labels", "ftp://a", "http://", "http://u:p@a", "http://a?b=c", "http://a#b", "http://[",
     "http://a:99999", "https://a/projects/7", "https://a/projects"],
)  # fmt: skip
def test_what_is_no_address_is_refused(given):
    """What can't be an address is refused, and not repeated, as it may hold secrets."""
    with pytest.raises(BadSettings) as refused:
        address(LabelStudio(url=given), {})

    assert "u:p" not in str(refused.value)


def test_token_file_wins_over_the_environment(tmp_path):
    """A file that is named was meant; space around the token does not count."""
    path = tmp_path / "token"
    path.write_text(" abc\n")
    environment = {"LABEL_STUDIO_API_KEY": "def"}

    assert read_token(LabelStudio(token_file=str(path)), environment) == "abc"
    assert read_token(LabelStudio(), environment) == "def"


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", "tökèn".encode(), b"\xff"])
def test_what_is_no_token_is_refused_and_not_shown(tmp_path, content):
    """A file with something else than a token is named, its content is not."""
    path = tmp_path / "token"
    path.write_bytes(content)

    with pytest.raises(BadSettings) as refused:
        read_token(LabelStudio(token_file=str(path)), {})

    assert str(path) in str(refused.value)
    assert "words" not in str(refused.value)
    assert "tök" not in str(refused.value)


def test_kinds_of_tokens_are_told_apart():
    """A personal access token is a JWT, a legacy one is forty hex digits."""
    assert is_personal("eyJhbGciOi.eyJ0b2tlbl90.ElbRf_LkIO3U")
    assert not is_personal("0123456789abcdef0123456789abcdef01234567")


async def test_answer_without_end_is_no_label_studio():
    """However much a server sends, a bounded part is read, and the error says which server."""
    async with endless() as url, connected(url, "0123456789abcdef") as client:
        with pytest.raises(AnswerTooLarge, match=r"127\.0\.0\.1"):
            await client.retried(client.project, 1)


def repeating(status: int) -> Callable[[Asked], Answer]:
    """A server that repeats in its refusal what it was asked with."""

    def reply(asked: Asked) -> Answer:
        words = f"I got {asked.headers.get('Authorization')} and {asked.body.decode()}"
        return Answer(status, json.dumps({"detail": f"{'x' * 270} {words}"}).encode(), {})

    return reply


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
@pytest.mark.parametrize("token", ["0123456789abcdef0123456789abcdef01234567", f"ey{'a' * 60}.b.c"])
async def test_token_that_a_server_repeats_is_told_nobody(status, token):
    """Not even a part of it is in an error, where the server's words are cut to a line."""
    with between(None, repeating(status)) as url:
        async with connected(url, token) as client:
            with pytest.raises(PipelineError) as refused:
                await client.ask("GET", "projects/1/")

    for told in (str(refused.value), refused.value.message, repr(refused.value)):
        assert token[:6] not in told


def test_token_that_a_server_repeats_is_printed_nowhere(run):
    """The command says what the server said, and leaves the token out."""
    token = "0123456789abcdef0123456789abcdef01234567"
    with between(None, repeating(400)) as url:
        run.use(LABEL_STUDIO_API_KEY=token)
        outcome = run("pull", "--url", url, "--project", "1", "--json")

    assert outcome.code == 2
    assert "xxx" in outcome.err
    assert token[:6] not in outcome.out + outcome.err


async def test_answer_that_would_fill_the_memory_is_not_read():
    """Tasks that nobody asked for, however small each of them is."""
    body = b"[" + b"{}," * 2_000_000 + b"{}]"
    with between(None, lambda _: Answer(200, body, {})) as url:
        async with connected(url, "0123456789abcdef") as client:
            with pytest.raises(BadSettings, match="more than was asked for"):
                await client.annotated_tasks(1, [1])


async def test_answer_that_drips_has_its_time_as_a_whole():
    """A byte now and then keeps no command waiting for ever."""
    limits = Limits(answer_seconds=0.2)
    async with endless(b" ", pause=0.01) as url, connected(url, "0123456789", limits) as client:
        with pytest.raises(Unavailable, match="took too long"):
            await client.ask("GET", "projects/1/")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (
            {"tasks": [{"id": 1, "data": {"job_id": "b"}, "total_predictions": 1}], "total": 1},
            ServiceUnreachable,
        ),
        ({"tasks": [], "total": 1}, Unavailable),
        ({"tasks": [{"id": 1, "data": {"job_id": "a"}}], "total": 1}, BadSettings),
    ],
)
async def test_tasks_that_an_answer_leaves_out_are_not_sent_again(answer, kind):
    """Other tasks than were asked for, fewer than are counted, and no count of predictions."""
    body = json.dumps(answer).encode()
    with between(None, lambda _: Answer(200, body, {})) as url:
        async with connected(url, "0123456789abcdef") as client:
            with pytest.raises(kind):
                await client.find_tasks(1, ["a"])


async def test_projects_of_every_page_are_listed():
    """One that is not found would be made again."""

    def reply(asked: Asked) -> Answer:
        last = "page=2" in asked.path
        project = {"id": 2, "title": "calls"} if last else {"id": 1, "title": "more calls"}
        page = {"results": [project], "next": None if last else "http://another/page"}
        return Answer(200, json.dumps(page).encode(), {})

    with between(None, reply) as url:
        async with connected(url, "0123456789abcdef") as client:
            assert [each.id for each in await client.projects()] == [1, 2]
