"""Copies a whole database into an empty one, of the same kind or the other: SQLite or PostgreSQL.

All of it is written in one transaction, read back and compared before that is committed. So a copy that ends half-way
leaves the target empty, and is begun again. No daemon may run on either of them meanwhile.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Table, func, literal, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import DatabaseUnusable, StoreError
from bot.store.files.database import open_database
from bot.store.files.instance import hold_database_file
from bot.store.files.reading import open_for_reading
from bot.store.files.server_lock import hold_server
from bot.store.files.sqlite import database_file
from bot.store.files.timeouts import Purpose, Timeouts
from bot.store.tables import metadata, session_starts, shard_processes, shards

ROWS_AT_ONCE = 500
# One step of one side may take as long as the other side needs for its own.
_TIMEOUTS = Timeouts(step_seconds=600.0)
_MODULUS = 1 << 128
# What processes that run agree on says nothing once they don't.
_LEFT_OUT = (shard_processes, shards, session_starts)

Progress = Callable[[str, int, int], None]
"""Hears the name of a table, how many of its rows are copied, and how many there are."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy holds: the number of rows by table, and what stands for the content of all of them."""

    num_rows: Mapping[str, int]
    digest: str


async def copy_database(source_url: str, target_url: str, on_progress: Progress) -> Copied:
    """Copy everything from one database into another, which has to be empty, and see that it is the same there.

    Raises:
        SecondInstance: a daemon runs on one of them.
        DatabaseUnusable: there is nothing to copy, it is of another schema, or the target isn't empty.
        DatabaseBusy: one of them is locked, or out of reach.
        StoreError: what was written doesn't read the same; nothing was committed.
    """
    async with AsyncExitStack() as opened:
        with _naming("FROM"):
            source_file, target_file = database_file(source_url), database_file(target_url)
            if source_url == target_url or (source_file is not None and source_file == target_file):
                raise DatabaseUnusable("FROM and TO are the same database.")
            source = await opened.enter_async_context(open_for_reading(source_url, _TIMEOUTS))
            await opened.enter_async_context(_without_daemon(source_url))
        with _naming("TO"):
            await opened.enter_async_context(_without_daemon(target_url))
            target = await opened.enter_async_context(open_database(target_url, timeouts=_TIMEOUTS))
        reading, writing = source.transaction(Purpose.READ), target.transaction(Purpose.WRITE_ALONE)
        async with reading as read, writing as written:
            return await _copy_all(read, written, on_progress)


@asynccontextmanager
async def _without_daemon(url: str) -> AsyncIterator[None]:
    file = database_file(url)
    if file is None:
        async with hold_server(url):
            yield
        return
    with hold_database_file(file):
        yield


@contextmanager
def _naming(which: str) -> Iterator[None]:
    """Say of which of the two databases something is said."""
    try:
        yield
    except StoreError as error:
        said = str(error).replace("TRINITY_DATABASE_URL", "the URL")
        raise type(error)(said if said.startswith("FROM") else f"{which}: {said}") from error


async def _copy_all(read: AsyncConnection, written: AsyncConnection, on_progress: Progress) -> Copied:
    # Parents before what refers to them.
    tables = [table for table in metadata.sorted_tables if table not in _LEFT_OUT]
    for table in tables:
        if await written.scalar(select(func.count()).select_from(table)):
            raise DatabaseUnusable("TO isn't empty: it holds conversations, which are not mixed with others.")
    contents: dict[str, _Content] = {}
    for table in tables:
        total = int(await read.scalar(select(func.count()).select_from(table)) or 0)
        content = contents[table.name] = _Content()
        on_progress(table.name, 0, total)
        async for rows in _rows_of(read, table):
            content.add(rows)
            await written.execute(table.insert(), [dict(row) for row in rows])
            on_progress(table.name, content.num_rows, total)
        await _count_on(read, written, table)
    for table in tables:
        found = _Content()
        async for rows in _rows_of(written, table):
            found.add(rows)
        if (found.num_rows, found.sum) != (contents[table.name].num_rows, contents[table.name].sum):
            raise StoreError(f"The table {table.name} doesn't read the same in TO; nothing was kept there.")
    whole = hashlib.sha256(repr([(name, each.num_rows, each.sum) for name, each in contents.items()]).encode())
    return Copied({name: each.num_rows for name, each in contents.items()}, whole.hexdigest()[:16])


class _Content:
    """The rows of a table, in whichever order: their number, and a sum that stands for what they hold."""

    def __init__(self) -> None:
        self.num_rows = 0
        self.sum = 0

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.num_rows += len(rows)
        for row in rows:
            values = repr([_plain(value) for value in row.values()]).encode("utf-8", "surrogatepass")
            self.sum = (self.sum + int.from_bytes(hashlib.blake2b(values, digest_size=16).digest())) % _MODULUS


def _plain(value: object) -> object:
    """A value as both kinds of database mean it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True)
    return value


async def _rows_of(connection: AsyncConnection, table: Table) -> AsyncIterator[list[Mapping[str, Any]]]:
    """A table's rows, some at a time, in the order of its key."""
    key = list(table.primary_key.columns)
    # By the attributes' names, which may not be the columns' own.
    query = select(*(column.label(column.key) for column in table.columns)).order_by(*key).limit(ROWS_AT_ONCE)
    last: Any = None
    while True:
        beyond = query if last is None else query.where(tuple_(*key) > last)
        rows: list[Mapping[str, Any]] = [*(await connection.execute(beyond)).mappings()]
        if rows:
            yield rows
        if len(rows) < ROWS_AT_ONCE:
            return
        last = tuple_(*(literal(rows[-1][column.key], column.type) for column in key))


async def _count_on(read: AsyncConnection, written: AsyncConnection, table: Table) -> None:
    """Have ids counted on from where the source is: one that was deleted there comes to mean nothing else."""
    if "id" not in table.columns:
        return
    of_it = {"name": table.name}
    if read.dialect.name == "sqlite":
        last = await read.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), of_it)
    else:
        # NULL before the first one.
        last = await read.scalar(text("SELECT pg_sequence_last_value(pg_get_serial_sequence(:name, 'id'))"), of_it)
    if not last:
        return
    if written.dialect.name == "sqlite":
        await written.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), of_it)
        go_on = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)")
    else:
        go_on = text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)")
    await written.execute(go_on, {"name": table.name, "last": last})
