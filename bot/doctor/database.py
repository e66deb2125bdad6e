"""Whether the database can be reached, is whole and of a schema that is known. Nothing in it is changed."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.doctor.files import nearest
from bot.doctor.finding import Finding, Topic
from bot.errors import DatabaseBusy, StoreError
from bot.store.files.check import check_file, refuse_newer
from bot.store.files.connections import build_engine
from bot.store.files.database import Database
from bot.store.files.paths import folder_lock
from bot.store.files.schema import read_version, refuse_altered_server
from bot.store.files.sqlite import database_file
from bot.store.tables import SCHEMA_VERSION
from bot.tasks import in_daemon_thread

TOPIC = Topic("database")
_PASSING = "it may pass; look for another program that has it open, or whether the server runs"


async def look_at_database(url: str) -> list[Finding]:
    """SQLite's file by the same check as a start's; a server by a transaction that writes nothing."""
    try:
        file = database_file(url)
        if file is not None:
            return await in_daemon_thread(lambda: list(_look_at_file(file)), name="looking at the database")
        return await _look_at_server(url)
    except DatabaseBusy as error:
        return [TOPIC.unknown(str(error), _PASSING)]
    except StoreError as error:
        return [TOPIC.bad(str(error))]


def _look_at_file(file: Path) -> Iterator[Finding]:
    if not file.exists() and not file.is_symlink():
        place = nearest(file.parent)
        if not os.access(place, os.W_OK | os.X_OK):
            yield TOPIC.bad(f"nothing can be written into {place}, where {file} is to be made", f"chmod u+rwx {place}")
            return
        yield TOPIC.ok(f"{file} is made at the first start")
        return
    if not file.exists():
        yield TOPIC.bad(f"{file} is a link to what isn't there", "mount the disk that it leads to")
        return
    with folder_lock(file.parent):
        version = check_file(file)
    yield TOPIC.ok(f"{file} is whole, can be written, and holds {file.stat().st_size / 1024**2:.1f} MiB")
    yield _schema(version)


def _schema(version: str | None) -> Finding:
    if version is None:
        return TOPIC.ok(
            "it is empty; the tables are made at the first start, or by `trinity copy-database` from another database"
        )
    if version != SCHEMA_VERSION:
        said = f"its schema is {version}, which the next start brings to {SCHEMA_VERSION}"
        return TOPIC.note(said, "make a backup first: trinity backup FILE, or pg_dump")
    return TOPIC.ok(f"its schema is this Trinity's ({version})")


async def _look_at_server(url: str) -> list[Finding]:
    database = Database(build_engine(url))
    try:
        facts = await database.read(_facts)
    finally:
        await database.close()
    return list(_judge_server(facts))


def _judge_server(facts: dict[str, Any]) -> Iterator[Finding]:
    yield TOPIC.ok(f"PostgreSQL {facts['version']} answers")
    if facts["is_copy"] or facts["is_read_only"]:
        yield TOPIC.bad("it is a read-only copy", "name the server that is written to: target_session_attrs=read-write")
    if facts["encoding"] != "UTF8":
        said = f"its encoding is {facts['encoding']}, which can't hold what people write"
        yield TOPIC.bad(said, "make it anew: createdb --encoding=UTF8 --template=template0 trinity")
    else:
        yield TOPIC.ok(f"its encoding is UTF8, its collation {facts['collation']}")
    if not facts["may_create"]:
        yield TOPIC.bad("its user may make no tables", "ALTER DATABASE ... OWNER TO that user")
    if facts["is_pooled"]:
        said = "a pooler, or another go-between, stands before it"
        yield TOPIC.note(said, "nothing, as long as the URL sets no statement_cache_size")
    if facts["altered"]:
        yield TOPIC.bad(facts["altered"])
    else:
        yield _schema(facts["schema"])


async def _facts(connection: AsyncConnection) -> dict[str, Any]:
    asked = text(
        "SELECT current_setting('server_version') AS version, pg_is_in_recovery() AS is_copy, "
        "current_setting('default_transaction_read_only') = 'on' AS is_read_only, "
        "current_setting('server_encoding') AS encoding, "
        "(SELECT datcollate FROM pg_database WHERE datname = current_database()) AS collation, "
        "has_schema_privilege(current_schema(), 'CREATE') AS may_create, inet_client_port() AS port"
    )
    facts = dict((await connection.execute(asked)).mappings().one())
    own_port = await _own_port(connection)
    facts["is_pooled"] = None not in (own_port, facts["port"]) and own_port != facts["port"]
    facts["schema"], facts["altered"] = await connection.run_sync(_read_schema)
    return facts


async def _own_port(connection: AsyncConnection) -> int | None:
    """The port that the connection leaves from; the server sees another one where something stands in between."""
    driver = (await connection.get_raw_connection()).driver_connection
    transport = getattr(driver, "_transport", None)
    address = None if transport is None else transport.get_extra_info("sockname")
    return address[1] if isinstance(address, tuple) else None


def _read_schema(connection: Any) -> tuple[str | None, str]:
    try:
        version = read_version(connection)
        refuse_newer(version, "The database")
        if version == SCHEMA_VERSION:
            refuse_altered_server(connection)
    except StoreError as error:
        return None, str(error)
    return version, ""
