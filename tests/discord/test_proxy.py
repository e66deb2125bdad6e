"""Proxies out of the environment, and a real one in front of the loopback Discord."""

import ssl
from types import SimpleNamespace

import aiohttp
import pytest
from yarl import URL

from bot.discord.proxy import proxy_beyond, proxy_for
from bot.discord.rest import why_unconnected
from bot.errors import ConfigError

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
API = "https://discord.com/api/v10"


@pytest.fixture
def environment(monkeypatch):
    """Set what a test names, and none of the others."""

    def set_to(**values):
        for name in NAMES:
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_to


@pytest.mark.parametrize(
    ("values", "url", "proxy"),
    [
        ({}, API, None),
        ({"HTTPS_PROXY": "http://p:3128"}, API, "http://p:3128"),
        ({"https_proxy": "http://p:3128"}, API, "http://p:3128"),
        ({"HTTPS_PROXY": "p:3128"}, API, "http://p:3128"),
        ({"HTTPS_PROXY": "http://me:secret@p:3128"}, API, "http://me:secret@p:3128"),
        ({"ALL_PROXY": "http://a:1"}, API, "http://a:1"),
        ({"ALL_PROXY": "http://a:1", "HTTPS_PROXY": "http://p:2"}, API, "http://p:2"),
        ({"HTTP_PROXY": "http://p:3128"}, API, None),
        ({"HTTP_PROXY": "http://p:3128"}, "ws://gateway.discord.gg", "http://p:3128"),
        ({"HTTPS_PROXY": "http://p:3128"}, "wss://gateway.discord.gg", "http://p:3128"),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "discord.com"}, API, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "localhost, .discord.com"}, API, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "*"}, API, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "discord.com.example"}, API, "http://p:3128"),
        ({"HTTPS_PROXY": ""}, API, None),
    ],
)
def test_the_environment_names_the_proxy(environment, values, url, proxy):
    environment(**values)

    assert proxy_for(url) == proxy


def test_what_is_on_this_machine_is_not_looked_for_on_the_proxys(environment):
    environment(HTTP_PROXY="http://p:3128")

    assert {proxy_beyond(f"http://{host}:8000") for host in ("localhost", "127.0.0.2", "[::1]")} == {None}
    assert {proxy_beyond(f"http://{host}:8000") for host in ("gpu", "10.0.0.1")} == {"http://p:3128"}


def test_what_an_operator_has_to_mend_of_a_connection_is_said():
    key, address = SimpleNamespace(host="discord.com", port=443, is_ssl=True), URL("http://p:3128")
    untrusted = ssl.SSLCertVerificationError("refused")
    untrusted.verify_message = "certificate is not yet valid"

    said = [
        why_unconnected(aiohttp.ClientConnectorCertificateError(key, untrusted)),
        why_unconnected(aiohttp.ClientConnectorCertificateError(key, ssl.CertificateError("of another name"))),
        why_unconnected(aiohttp.ClientHttpProxyError(SimpleNamespace(real_url=address), (), status=407)),
        why_unconnected(aiohttp.ClientProxyConnectionError(key, OSError("refused"))),
        why_unconnected(TimeoutError()),
    ]

    assert "(certificate is not yet valid): look at the clock" in said[0]
    assert "isn't trusted here" in said[1]
    assert said[2:] == ["the proxy refuses (407)", "the proxy can't be connected to", "TimeoutError"]


@pytest.mark.parametrize(
    "proxy", ["socks5://secret:1080", "http://[secret", "http://:1/secret", "http://secret:port", "http://secret..a"]
)
def test_a_proxy_that_cannot_be_used_is_named(environment, proxy):
    environment(ALL_PROXY=proxy)

    with pytest.raises(ConfigError, match=r"^ALL_PROXY: ") as refused:
        proxy_for(API)

    assert "secret" not in str(refused.value)
