"""One place tells every connection whom it trusts; a redirect is followed by none."""

from __future__ import annotations

import pytest

from pipeline.errors import BadSettings, Unavailable
from pipeline.net.http import open_http, request, trusting
from tests.conftest import endpoint
from tests.support.between import Answer, between
from tests.support.network import connect_proxy, tls_before

pytestmark = pytest.mark.usefixtures("no_proxies")

HOST = "http://transcribe.example"


def answers(body: bytes, status: int = 200, **headers: str):
    """A server that always answers alike: its port, and the paths that it was asked for."""
    asked = []

    def reply(each):
        asked.append(each.path)
        return Answer(status, body, headers)

    return between(None, reply), asked


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def test_every_byte_goes_through_the_proxy(run, cloud):
    """Where only a proxy leads to the service, a run through it is like any other."""
    service = cloud()
    service.add(one="the first text")
    (run.folder / ".netrc").write_text("machine transcribe.example login me password secret\n")
    passwords = []

    def reply(asked):
        asked.path = asked.path.removeprefix(HOST)
        if asked.method == "GET":  # of S3, whose URLs are signed
            passwords.append(asked.headers.get("Authorization"))
        return asked.forward()

    with between(service, reply) as url:
        run.use(**endpoint(HOST), HTTP_PROXY=url, HOME=str(run.folder))
        outcome = run("run", "s3://audio/", "--results", "s3://audio/t/")

    assert outcome.code == 0, outcome.err
    assert list(run.texts().values()) == ["the first text"]
    assert set(passwords) == {None}


async def test_an_authority_of_ones_own_is_trusted_when_it_is_named(authority):
    """A certificate that it signed is good with its file, and with no other."""
    server, _ = answers(b"here")
    with server as url, tls_before(port_of(url), authority.serves("localhost")) as port:
        async with open_http(1, trust=trusting(str(authority.bundle))) as http:
            _, body, _ = await request(http, f"https://localhost:{port}/a")
        async with open_http(1) as http:
            with pytest.raises(Unavailable) as refused:
                await request(http, f"https://localhost:{port}/a?X-Amz-Signature=secret")

    assert body == b"here"
    assert refused.value.problem == (
        f"The certificate of localhost:{port} is not trusted: unable to get local issuer "
        "certificate"
    )
    assert "AWS_CA_BUNDLE" in refused.value.advice


async def test_a_tunnel_is_asked_for_with_the_password_and_its_far_end_is_checked(
    authority, monkeypatch
):
    """A proxy gets user and password; behind it a certificate counts as much as without."""
    server, _ = answers(b"here")
    basic = "Basic bWU6w7w6Lw=="  # me:ü:/
    with (
        server as url,
        tls_before(port_of(url), authority.serves("far.example")) as port,
        connect_proxy(port, basic) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:%C3%BC%3A%2F@127.0.0.1:{proxy.port}")
        async with open_http(1, trust=trusting(str(authority.bundle))) as http:
            _, body, _ = await request(http, "https://far.example/a")
        async with open_http(1) as http:
            with pytest.raises(Unavailable, match=r"^The certificate of far\.example:443 is not"):
                await request(http, "https://far.example/a")

    assert body == b"here"
    assert (proxy.asked, proxy.refused) == (["far.example:443"] * 2, 0)


async def test_a_refusal_of_the_proxy_is_not_one_of_the_service(monkeypatch):
    """Who gave a wrong password is told of the proxy and its variable, and shown no password."""
    with connect_proxy(1, "Basic no") as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:secret@127.0.0.1:{proxy.port}")
        async with open_http(1) as http:
            with pytest.raises(Unavailable) as refused:
                await request(http, "https://far.example/a")

    assert refused.value.problem == (
        f"The proxy 127.0.0.1:{proxy.port} asks for a user and a password, or refuses those it was "
        "given (407)"
    )
    assert "HTTPS_PROXY" in refused.value.advice
    assert "secret" not in str(refused.value)


async def test_a_proxy_of_plain_http_gets_its_password_too(monkeypatch):
    """Without TLS the password goes beside the request, and a refusal is the proxy's."""
    given = []

    def reply(asked):
        given.append(asked.headers.get("Proxy-Authorization"))
        return Answer(407, b"", {})

    with between(None, reply) as url:
        monkeypatch.setenv("HTTP_PROXY", url.replace("//", "//me:secret@"))
        async with open_http(1) as http:
            with pytest.raises(Unavailable, match="asks for a user and a password"):
                await request(http, "http://far.example/a")

    assert given == ["Basic bWU6c2VjcmV0"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_leads_nowhere(status):
    """It is no answer of the service's, and no second host hears of what was signed."""
    elsewhere, asked = answers(b"")
    with elsewhere as second:
        first, _ = answers(b"", status, Location=f"{second}/stolen")
        with first as url:
            async with open_http(1) as http:
                with pytest.raises(Unavailable, match="redirects to"):
                    await request(http, f"{url}/a?X-Amz-Signature=secret")

    assert asked == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file or directory"), ("no PEM", "it holds no certificate")],
)
def test_a_bundle_that_can_not_be_used_is_named(tmp_path, content, reason):
    """A misspelt file of certificates is a setting that is wrong, and no fault of the network."""
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)

    with pytest.raises(BadSettings) as refused:
        trusting(str(path))

    assert refused.value.problem == f"The certificates in {path} can't be used: {reason}"
    assert "AWS_CA_BUNDLE" in refused.value.advice
