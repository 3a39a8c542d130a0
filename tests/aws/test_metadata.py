"""Keys of the machine's or the container's own role come from there, and from no other host."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.aws.session import connect
from pipeline.config.schema import Aws
from pipeline.errors import AnswerTooLarge, NoAccess
from tests.conftest import clean_environment
from tests.support.between import Answer, Asked, between
from tests.support.endless import endless

OF_MACHINE, OF_CONTAINER = "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_CONTAINER_CREDENTIALS_FULL_URI"


@pytest.fixture
def bare(tmp_path, monkeypatch, no_proxies):
    """A machine without any keys of its own."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    for name, value in clean_environment(HOME=str(tmp_path)).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "of-the-container")
    return monkeypatch


def metadata(asked: Asked) -> Answer:
    """What the service of a machine or a container answers: a token, a role, its keys."""
    keys = {
        "AccessKeyId": "ASIAOFTHEROLE", "SecretAccessKey": "secret", "Token": "token",
        "Expiration": (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }  # fmt: skip
    if asked.method == "PUT":
        return Answer(200, b"of-the-machine", {})
    if asked.path.endswith("/security-credentials/"):
        return Answer(200, b"nightly", {})
    return Answer(200, json.dumps(keys).encode(), {})


def remembering(asked: list[Asked]):
    """The same, of a server that remembers what it was asked."""

    def reply(each: Asked) -> Answer:
        asked.append(each)
        return metadata(each)

    return reply


async def key_id() -> str:
    """The key that calls of a session are signed with."""
    settings = Aws(region="eu-central-1", endpoint_url="http://127.0.0.1:9")
    async with connect(settings, 1) as session:
        return str((await session.credentials.get_frozen_credentials()).access_key)


@pytest.mark.parametrize("service", [OF_MACHINE, OF_CONTAINER])
async def test_keys_come_from_the_machine_or_the_container(bare, service):
    """A role of its own needs no settings; a proxy leads elsewhere, and is not asked."""
    bare.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with between(None, metadata) as url:
        bare.setenv(service, url)

        assert await key_id() == "ASIAOFTHEROLE"


@pytest.mark.parametrize(
    ("service", "status"),
    [(OF_CONTAINER, 307), *((OF_MACHINE, status) for status in (301, 302, 303, 307, 308))],
)
async def test_no_redirect_to_other_keys_is_followed(bare, service, status):
    """The token of a machine or a container reaches no other host, and none gives the keys."""
    asked: list[Asked] = []
    with between(None, remembering(asked)) as thief:

        def reply(each: Asked) -> Answer:
            if each.method == "PUT":
                return metadata(each)  # so that there is a token to be stolen
            return Answer(status, b"", {"Location": f"{thief}{each.path}"})

        with between(None, reply) as url:
            bare.setenv(service, url)
            with pytest.raises(NoAccess):
                await key_id()

    assert asked == []


async def test_keys_have_an_end(bare):
    """Who answers in the place of the metadata without end is not read for ever."""
    async with endless() as url:
        bare.setenv(OF_CONTAINER, f"{url}/")
        with pytest.raises(AnswerTooLarge, match="more than 1 MiB"):
            await key_id()


async def test_a_machine_is_not_asked_for_its_region(bare):
    """Defaults that fit the machine's region would be worth a question to whoever answers there."""
    asked: list[Asked] = []
    with between(None, remembering(asked)) as url:
        bare.setenv(OF_MACHINE, url)
        bare.setenv("AWS_DEFAULTS_MODE", "auto")
        bare.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        bare.setenv("AWS_SECRET_ACCESS_KEY", "secret")

        assert await key_id() == "AKIDEXAMPLE"

    assert asked == []
