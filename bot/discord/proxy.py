"""Which proxy the environment names for an address: discord.py, unlike most programs, doesn't look itself."""

from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from bot.errors import ConfigError

_PLAIN_SCHEMES = {"wss": "https", "ws": "http"}


def proxy_beyond(url: str) -> str | None:
    """`proxy_for`, but none for what is on this machine: a proxy would look for it on its own.

    Raises:
        ConfigError: as `proxy_for` says.
    """
    host = urlsplit(url).hostname or ""
    with suppress(ValueError):
        if host == "localhost" or ip_address(host).is_loopback:
            return None
    return proxy_for(url)


def proxy_for(url: str) -> str | None:
    """The proxy of HTTPS_PROXY (HTTP_PROXY for an address without TLS) or ALL_PROXY, None by NO_PROXY or without any.

    Raises:
        ConfigError: it is a proxy of a kind that can't be used.
    """
    parts, proxies = urlsplit(url), getproxies_environment()
    scheme = _PLAIN_SCHEMES.get(parts.scheme, parts.scheme)
    name = scheme if proxies.get(scheme) else "all"
    proxy = proxies.get(name, "").strip()
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    setting = f"{name.upper()}_PROXY"
    try:
        kind, host = urlsplit(proxy).scheme.lower(), urlsplit(proxy).hostname
        _ = urlsplit(proxy).port
        (host or "").encode("idna")  # as the lookup does
    except ValueError:
        raise ConfigError(setting, "is not a URL that can be read") from None
    if kind not in ("http", "https"):
        raise ConfigError(setting, f"is a {kind} proxy; only http:// and https:// ones can be used")
    if not host:
        raise ConfigError(setting, "names no proxy; it has to be http://host:port")
    return proxy
