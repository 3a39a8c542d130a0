"""A night in somebody else's network: a proxy with a password, an authority of its own, TLS."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from tests.conftest import endpoint
from tests.support.network import connect_proxy, tls_before

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("ministack")]

USER, PASSWORD = "night", "s3cret-of/the:proxy"
ESCAPED = "s3cret-of%2Fthe%3Aproxy"
BASIC = b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.fixture
def network(run, ministack, authority):
    """The only way to the emulator is `https://cloud.example`, through the proxy."""
    port = int(ministack.rpartition(":")[2])
    with (
        tls_before(port, authority.serves("cloud.example")) as far,
        connect_proxy(far, f"Basic {BASIC}") as proxy,
    ):
        run.use(
            **endpoint("https://cloud.example"),
            AWS_CA_BUNDLE=str(authority.bundle),
            HTTPS_PROXY=f"http://{USER}:{ESCAPED}@127.0.0.1:{proxy.port}",
            NO_PROXY="",
            TRANSCRIBE_PIPELINE_RETRY_SECONDS="1",
        )
        yield proxy


def spoken_of(folder: Path, *said: str) -> bool:
    """Whether the password is anywhere in what was said or written."""
    files = [
        path.read_bytes().decode(errors="replace") for path in folder.rglob("*") if path.is_file()
    ]
    return any(each in text for each in (PASSWORD, ESCAPED, BASIC) for text in (*said, *files))


def test_a_night_behind_a_proxy_with_an_authority_of_its_own(run, buckets, network):
    """Transcribe and S3 are reached alike, all is written, and no password is told to anyone."""
    s3, audio, results = buckets
    for name in ("one.mp3", "two.mp3"):
        s3.put_object(Bucket=audio, Key=name, Body=name.encode())

    outcome = run(
        "run", f"s3://{audio}/", "--results", f"s3://{results}/t/", "--log-format", "json", "--json"
    )

    assert outcome.code == 0, outcome.err
    assert sorted(run.texts()) == [f"s3://{audio}/one.mp3", f"s3://{audio}/two.mp3"]
    assert set(network.asked) == {"cloud.example:443"}
    assert network.refused == 0
    assert not spoken_of(run.folder, outcome.out, outcome.err)


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        (
            {"HTTPS_PROXY": "http://night:wrong@{proxy}"},
            ("asks for a user and a password", "HTTPS_PROXY"),
        ),
        ({"AWS_CA_BUNDLE": ""}, ("The certificate of cloud.example:443 is not", "AWS_CA_BUNDLE")),
        ({"AWS_CA_BUNDLE": "/no/such/file"}, ("/no/such/file can't be used", "AWS_CA_BUNDLE")),
        (
            {"NO_PROXY": "cloud.example"},
            ("The host cloud.example has no address", "--endpoint-url"),
        ),
    ],
)
def test_what_is_wrong_on_the_way_is_named(run, network, changed, parts):
    """Each thing that stands in between has its sentence, and its variable is named in it."""
    proxy = f"127.0.0.1:{network.port}"
    run.use(**{name: value.format(proxy=proxy) for name, value in changed.items()})
    run.env.pop("REQUESTS_CA_BUNDLE", None)

    outcome = run("run", "s3://bucket/", "--log-format", "json")

    [error] = [
        each for each in map(json.loads, outcome.err.splitlines()) if each["event"] == "error"
    ]
    assert outcome.code == 2
    assert all(part in error["message"] for part in parts), error
    assert not spoken_of(run.folder, outcome.out, outcome.err)
    assert "wrong" not in error["message"]
