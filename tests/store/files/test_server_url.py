"""URLs as hosts of databases give them: understood, or refused by name and without a value."""

import inspect
from pathlib import Path

import pytest

from bot.store.files.server_url import SCHEMES, ServerUrlError, read_server_url, secrets_in

asyncpg = pytest.importorskip("asyncpg.connect_utils", reason="NOT CHECKED: install the extra postgres")

SECRET = "s3cret"


def understood(url: str) -> tuple[list[object], object]:
    """The addresses and parameters that the driver reads out of what we hand it."""
    address = read_server_url(url)
    parse = asyncpg._parse_connect_dsn_and_args
    others = dict.fromkeys(set(inspect.signature(parse).parameters) - {"dsn"})
    if address.has_system_roots:
        others["ssl"] = False
    return parse(dsn=address.dsn, **others)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("rest", "hosts", "user", "password", "database"),
    [
        ("u:p@h/d", [("h", 5432)], "u", "p", "d"),
        ("u:p@h:6543/d?sslmode=require", [("h", 6543)], "u", "p", "d"),
        ("u:p%40%3A%2F%25%23%3F@h/d", [("h", 5432)], "u", "p@:/%#?", "d"),
        ("u%40corp:p+q@h/my%20db", [("h", 5432)], "u@corp", "p+q", "my db"),
        ("u:p@[::1]:5433/d", [("::1", 5433)], "u", "p", "d"),
        ("u:p@one:1,two:2/d?target_session_attrs=read-write", [("one", 1), ("two", 2)], "u", "p", "d"),
        ("/d?host=/run/postgresql&user=u&password=p", ["/run/postgresql/.s.PGSQL.5432"], "u", "p", "d"),
        ("u:p@/d?host=/cloudsql/a:b:c", ["/cloudsql/a:b:c/.s.PGSQL.5432"], "u", "p", "d"),
        ("u:p@%2Frun%2Fpostgresql/d", ["/run/postgresql/.s.PGSQL.5432"], "u", "p", "d"),
        ("u:p@ep-x-pooler.eu.aws.neon.tech/d?sslmode=require", [("ep-x-pooler.eu.aws.neon.tech", 5432)], "u", "p", "d"),
        ("postgres.abc:p@aws-0.pooler.supabase.com:6543/postgres?pgbouncer=true&connection_limit=1",
         [("aws-0.pooler.supabase.com", 6543)], "postgres.abc", "p", "postgres"),
    ],
)  # fmt: skip
def test_the_driver_reads_what_the_host_meant(
    scheme: str, rest: str, hosts: list[object], user: str, password: str, database: str
) -> None:
    addresses, parameters = understood(f"{scheme}://{rest}")

    assert addresses == hosts
    assert (parameters.user, parameters.password, parameters.database) == (user, password, database)


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require"])
@pytest.mark.parametrize("name", ["sslmode", "ssl"])
def test_tls_is_as_asked_for(name: str, mode: str) -> None:
    _, parameters = understood(f"postgresql://h/d?{name}={mode}")

    assert parameters.sslmode.name == mode


@pytest.mark.parametrize(
    ("query", "has_system_roots", "checks_host_name"),
    [
        ("sslmode=verify-full", True, True),
        ("sslmode=verify-ca", True, False),
        ("sslmode=verify-full&sslrootcert=system", True, True),
        ("sslrootcert=system", True, True),
        ("sslmode=require", False, False),
    ],
)
def test_certificates_are_checked_against_this_machines_own_where_no_others_are_named(
    query: str, has_system_roots: bool, checks_host_name: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    address = read_server_url(f"postgresql://h/d?{query}")

    assert (address.has_system_roots, address.checks_host_name) == (has_system_roots, checks_host_name)


def test_what_tunes_the_connection_is_ours_or_the_servers() -> None:
    address = read_server_url(
        "postgresql://h/d?connect_timeout=5&application_name=bot&options=-c%20search_path%3Dx"
        "&statement_cache_size=20&channel_binding=prefer&keepalives_idle=30&tcp_user_timeout=9&client_encoding=utf8"
    )

    assert address.connect_seconds == 5
    assert address.statement_cache_size == 20
    assert address.server_settings == {"application_name": "bot", "options": "-c search_path=x"}
    assert address.dsn == "postgresql://h/d"
    assert read_server_url("postgresql://h/d?connect_timeout=900").connect_seconds == 10
    assert read_server_url("postgresql://h/d?statement_cache_size=0").statement_cache_size == 0
    assert read_server_url("postgresql://h/d?prepared_statement_cache_size=0").statement_cache_size == 0


@pytest.mark.parametrize(
    ("rest", "named"),
    [
        ("u:s3cret@h/d?channel_binding=require", "channel_binding"),
        ("u:s3cret@h/d?gssencmode=require", "gssencmode"),
        ("u:s3cret@h/d?sslmode=s3cret", "sslmode"),
        ("u:s3cret@h/d?ssl=true", "sslmode"),
        ("u:s3cret@h/d?connect_timeout=s3cret", "connect_timeout"),
        ("u:s3cret@h/d?statement_cache_size=-1", "statement_cache_size"),
        ("u:s3cret@h/d?target_session_attrs=s3cret", "target_session_attrs"),
        ("u:s3cret@h/d?sslrootcert=/no/such/s3cret", "sslrootcert"),
        (f"u:s3cret@h/d?sslrootcert=/{'x' * 300}", "sslrootcert"),
        ("u:s3cret@h:²/d", "port"),
        ("u:s3cret@h/d?ssl_mode=require", "did you mean sslmode"),
        ("u:s3cret@h/d?schema=public", "schema"),
        ("u:s3cret@h/d?sslmode", "parameters"),
        ("u:s3cret#@h/d", "%40"),
        ("u:s3cret/@h/d", "%40"),
        ("u:x?s3cret@h/d", "%40"),
        ("u:s3@cret:x@h/d", None),
        ("u:s3cret%ff@h/d", "%40"),
        ("u:s3cret@h:port/d", "port"),
        ("u:s3cret@h:99999/d", "port"),
        ("/d", "name a server"),
        ("", "name a server"),
    ],
)
def test_what_cannot_be_had_is_named_and_no_value_is_repeated(rest: str, named: str | None) -> None:
    if named is None:  # an @ too many is taken for a part of the password
        assert read_server_url(f"postgresql://{rest}").dsn == "postgresql://u:s3%40cret%3Ax@h/d"
        return

    with pytest.raises(ServerUrlError) as refused:
        read_server_url(f"postgresql://{rest}")

    assert named in str(refused.value)
    assert SECRET not in str(refused.value)


def test_every_form_of_a_password_is_kept_out_of_the_log() -> None:
    assert secrets_in("postgresql://u:p%40w@h/d?password=q%2F&sslpassword=z") == {"p%40w", "p@w", "q%2F", "q/", "z"}
    assert secrets_in("sqlite+aiosqlite:////folder/trinity.db") == set()
