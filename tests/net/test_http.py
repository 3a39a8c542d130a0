"""The proxy of the environment is used, and no password of this machine goes with it."""

from __future__ import annotations

import pytest
from yarl import URL

from pipeline.net import http as proxies
from tests.conftest import endpoint
from tests.support.between import between

HOST = "http://transcribe.example"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    """Nothing is in the environment, and nothing is remembered of it."""
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    proxies._proxy.cache_clear()
    yield
    proxies._proxy.cache_clear()


def test_every_byte_goes_through_the_proxy(run, cloud):
    """Where only a proxy leads to the service, a run through it is like any other."""
    service = cloud()
    service.add(one="the first text")
    (run.folder / ".netrc").write_text("machine transcribe.example login me password secret\n")
    passwords = []

    def reply(asked):
        asked.path = asked.path.removeprefix(HOST)
        if not asked.operation:
            passwords.append(asked.headers.get("Authorization"))
        return asked.forward()

    with between(service, reply) as url:
        run.use(**endpoint(HOST), HTTP_PROXY=url, HOME=str(run.folder))
        outcome = run("run", "s3://audio/", "--results", "s3://audio/t/")

    assert outcome.code == 0, outcome.err
    assert list(run.texts().values()) == ["the first text"]
    assert set(passwords) == {None}


def test_a_host_that_needs_none_is_asked_directly(monkeypatch):
    """NO_PROXY names the hosts that are reached without the proxy."""
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "inside.example")

    assert proxies.proxy_for(URL("https://my-bucket.s3.amazonaws.com/a")) == "http://proxy:3128"
    assert proxies.proxy_for(URL("https://inside.example/a")) is None
    assert proxies.proxy_for(URL("http://my-bucket.s3.amazonaws.com/a")) is None
