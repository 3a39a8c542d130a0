"""Proxies are read from the environment as botocore reads them."""

from __future__ import annotations

import pytest
from botocore.httpsession import ProxyConfiguration
from botocore.utils import get_environ_proxies
from yarl import URL

from pipeline.errors import BadSettings
from pipeline.net import proxies
from pipeline.net.proxies import proxy_for

pytestmark = pytest.mark.usefixtures("no_proxies")

PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    "no_proxy",
    [
        "",
        "inside.example",
        ".inside.example",
        "inside.example:8443",
        "*",
        "10.0.0.0/8",
        "127.0.0.1:9",
    ],
)
@pytest.mark.parametrize(
    "url",
    [
        "https://my-bucket.s3.amazonaws.com/a",
        "https://inside.example/a",
        "https://b.inside.example/a",
        "https://inside.example:8443/a",
        "https://10.0.0.1/a",
        "http://127.0.0.1:9/",
        "http://my-bucket.s3.amazonaws.com/a",
        "https://[::1]:8443/a",
    ],
)
def test_a_host_is_reached_as_botocore_would_reach_it(monkeypatch, url, no_proxy):
    """Both clients of a run take the same way to a host, whatever the variables say."""
    monkeypatch.setenv("no_proxy", no_proxy)
    for proxy in (PROXY, "proxy.example:3128", "//proxy.example:3128"):
        monkeypatch.setenv("https_proxy", proxy)
        proxies._proxy.cache_clear()  # what is remembered of the environment
        theirs = ProxyConfiguration(get_environ_proxies(url)).proxy_url_for(url)

        ours = proxy_for(URL(url))

        assert (str(ours.url) if ours else None) == theirs, proxy


@pytest.mark.parametrize(
    "value", ["socks5://proxy:1080", "http://", "http://proxy:port", "ftp://p"]
)
def test_a_variable_that_names_no_proxy_is_a_wrong_setting(monkeypatch, value):
    """The variable is named, and its value is not shown: there may be a password in it."""
    monkeypatch.setenv("HTTPS_PROXY", value.replace("//", "//me:secret@"))

    with pytest.raises(BadSettings, match="HTTPS_PROXY names no proxy") as refused:
        proxy_for(URL("https://far.example"))

    assert "secret" not in str(refused.value)


def test_a_password_is_in_no_name_of_the_proxy(monkeypatch):
    """What a message may show of a proxy is its host and its port."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.example")

    proxy = proxy_for(URL("https://far.example"))

    assert proxy is not None
    assert (str(proxy), str(proxy.url)) == ("proxy.example:80", "http://proxy.example")
    assert proxy.headers == {"Proxy-Authorization": "Basic bWU6c2VjcmV0"}
