"""A PostgreSQL server's URL as hosts give it, read into what the driver takes; the standard library only.

Hosts write URLs for libpq. Its driver-independent part (user, hosts, TLS, `target_session_attrs`) goes on to asyncpg,
which reads it alike. What only libpq or another driver knows is understood, is of no consequence and dropped, or is
refused by name: the driver would send it to the server, which then refuses every connection. No message repeats a
value, nor anything that may be part of a password.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from urllib.parse import parse_qsl, quote, unquote, urlencode

SCHEMES = ("postgresql+asyncpg", "postgresql", "postgres")
CONNECT_SECONDS = 10.0

_ENCODE = "characters such as @ : / ? # % in a user name or password are written with % (@ is %40)"
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_SESSION_KINDS = ("any", "primary", "standby", "read-write", "read-only", "prefer-standby")
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_TO_DRIVER = (
    "host", "port", "user", "password", "dbname", "passfile", "service", "krbsrvname", "gsslib",
    "sslmode", *_FILES, "sslpassword", "sslnegotiation", "ssl_min_protocol_version", "ssl_max_protocol_version",
    "target_session_attrs",
)  # fmt: skip
_TO_SERVER = ("application_name", "options", "search_path", "timezone")
# They tune what isn't ours to tune, or say what holds in any case.
_DROPPED = (
    "client_encoding", "connection_limit", "fallback_application_name", "gssencmode", "keepalives",
    "keepalives_count", "keepalives_idle", "keepalives_interval", "load_balance_hosts", "max_overflow", "pgbouncer",
    "pool_size", "pool_timeout", "prepared_statements", "sslcertmode", "sslcompression", "sslsni", "tcp_user_timeout",
)  # fmt: skip
_CACHES = ("statement_cache_size", "prepared_statement_cache_size")
_KNOWN = (*_TO_DRIVER, *_TO_SERVER, *_DROPPED, *_CACHES, "connect_timeout", "channel_binding", "ssl")


class ServerUrlError(ValueError):
    """What is wrong with a URL, in words that follow the setting's name and repeat no value."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server is and how it is talked to.

    Args:
        dsn: what asyncpg reads.
        connect_seconds: how long a connection may take to be made.
        statement_cache_size: how many prepared statements a connection keeps. None by default: behind a pooler the
            next transaction may have another connection, which doesn't know them.
        server_settings: sent when a connection begins.
        has_system_roots: certificates are checked against those that this machine trusts.
        checks_host_name: the certificate has to be the host's.
    """

    dsn: str = field(repr=False)
    connect_seconds: float = CONNECT_SECONDS
    statement_cache_size: int = 0
    server_settings: Mapping[str, str] = field(default_factory=dict)
    has_system_roots: bool = False
    checks_host_name: bool = True


def is_server_url(url: str) -> bool:
    """Whether a database URL is a PostgreSQL server's."""
    return url.partition("://")[0] in SCHEMES


def read_server_url(url: str) -> ServerAddress:
    """Read a URL that begins with one of `SCHEMES`.

    Raises:
        ServerUrlError: it can't be read, or asks for what can't be had.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES:
        raise ServerUrlError("has to begin with postgresql://")
    address, _, query = rest.partition("?")
    netloc, _, database = address.partition("/")
    if "#" in rest or "/" in database:
        raise ServerUrlError(f"can't be read: {_ENCODE}")
    account, has_account, hosts = netloc.rpartition("@")
    user, _, password = account.partition(":")
    _check_hosts(hosts)
    given = _read_query(query, may_quote=bool(has_account) or "@" not in query)
    if not hosts and not any(given.get(name) for name in ("host", "service")):
        raise ServerUrlError("has to name a server, for instance postgresql://trinity@localhost/trinity")
    for part in (user, password, database):
        _check_encoding(part)
    has_system_roots = _settle_tls(given)
    account = ":".join(quote(unquote(part), safe="") for part in ((user, password) if password else (user,)))
    kept = urlencode({name: given[name] for name in _TO_DRIVER if name in given})
    dsn = f"postgresql://{account + '@' if account else ''}{hosts}/{database}{'?' + kept if kept else ''}"
    return ServerAddress(
        dsn=dsn,
        connect_seconds=_read_connect_seconds(given),
        statement_cache_size=min((_read_number(given, name) for name in _CACHES if name in given), default=0),
        server_settings={"application_name": "trinity"} | {name: given[name] for name in _TO_SERVER if name in given},
        has_system_roots=has_system_roots,
        checks_host_name=given.get("sslmode", "verify-full") == "verify-full",
    )


def secrets_in(url: str) -> set[str]:
    """The passwords in a URL, as they stand there and decoded."""
    rest = url.partition("://")[2]
    address, _, query = rest.partition("?")
    password = address.partition("/")[0].rpartition("@")[0].partition(":")[2]
    pairs = (pair.partition("=") for pair in query.split("&"))
    given = {password, *(value for name, _, value in pairs if name in ("password", "sslpassword"))}
    return {form for secret in given if secret for form in (secret, unquote(secret))}


def _check_hosts(hosts: str) -> None:
    """Each of `hosts` is a name or an address with or without a port; a socket's folder is written with %2F."""
    for host in hosts.split(",") if hosts else ():
        name, port = _split_port(host)
        if not name or (port and not (port.isdecimal() and 0 < int(port) < 65536)) or " " in name:
            raise ServerUrlError(f"has a server or port that can't be read; {_ENCODE}")
        if "@" in name or (":" in name and not name.startswith("[")):
            raise ServerUrlError(f"can't be read: {_ENCODE}")


def _split_port(host: str) -> tuple[str, str]:
    if host.startswith("["):
        name, bracket, rest = host.partition("]")
        return (name + bracket if bracket else ""), rest.removeprefix(":")
    name, _, port = host.partition(":")
    return name, port


def _read_query(query: str, *, may_quote: bool) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError:
        problem = "has parameters that can't be read; they look like ?sslmode=require&..., and"
        raise ServerUrlError(f"{problem} {_ENCODE}") from None
    for name, _ in pairs:
        if name in _KNOWN:
            continue
        called = f" {name}" if may_quote and name.replace("_", "").isalnum() and len(name) <= 40 else ""
        nearest = "".join(f" (did you mean {match}?)" for match in get_close_matches(name.lower(), _KNOWN, n=1))
        raise ServerUrlError(f"has a parameter{called} that isn't known here{nearest}; take it out")
    return {name: value for name, value in pairs if value}


def _check_encoding(part: str) -> None:
    try:
        decoded = unquote(part, errors="strict")
    except UnicodeDecodeError:
        decoded = "\0"
    if "\0" in decoded:
        raise ServerUrlError(f"can't be read: {_ENCODE}")


def _settle_tls(given: dict[str, str]) -> bool:
    """Write what is asked for as `sslmode` and files; returns whether this machine's own certificates are used."""
    if "ssl" in given:
        mode = given.pop("ssl").lower()
        if mode not in _SSL_MODES:
            raise ServerUrlError("has ssl=..., which doesn't say what is checked; write sslmode=require or verify-full")
        given.setdefault("sslmode", mode)
    if given.get("channel_binding") == "require":
        problem = "has channel_binding=require, which the driver can't do; take it out, and for the same safety write"
        raise ServerUrlError(f"{problem} sslmode=verify-full")
    if given.get("gssencmode") == "require":
        raise ServerUrlError("has gssencmode=require, which the driver can't do; take it out")
    for name, values in (("sslmode", _SSL_MODES), ("target_session_attrs", _SESSION_KINDS)):
        if given.get(name, values[0]) not in values:
            raise ServerUrlError(f"has {name}=..., which has to be one of {', '.join(values)}")
    for name in _FILES:
        if name in given and given[name] != "system" and not _is_file(given[name]):
            raise ServerUrlError(f"names a file in {name} that isn't there, or that this user may not look at")
    if given.get("sslrootcert") == "system":
        del given["sslrootcert"]
        return True
    is_checked = given.get("sslmode", "").startswith("verify-")
    return is_checked and "sslrootcert" not in given and not _is_file(os.path.expanduser("~/.postgresql/root.crt"))  # noqa: PTH111


def _is_file(name: str) -> bool:
    # Not pathlib's, here and above: they raise where we may not look, or where nobody has this user's number.
    return os.path.isfile(name)  # noqa: PTH113


def _read_connect_seconds(given: Mapping[str, str]) -> float:
    seconds = _read_number(given, "connect_timeout") if "connect_timeout" in given else 0
    return min(float(seconds), CONNECT_SECONDS) if seconds else CONNECT_SECONDS


def _read_number(given: Mapping[str, str], name: str) -> int:
    if not given[name].isdecimal() or len(given[name]) > 9:
        raise ServerUrlError(f"has {name}=..., which has to be a whole number")
    return int(given[name])
