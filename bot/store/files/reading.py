"""A database that is only looked at, beside whoever uses it: nothing is made, migrated or marked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import DatabaseUnusable
from bot.store.files.check import check_file, refuse_newer
from bot.store.files.connections import build_engine
from bot.store.files.database import Database
from bot.store.files.schema import read_version
from bot.store.files.sqlite import database_file
from bot.store.files.timeouts import Timeouts
from bot.store.tables import SCHEMA_VERSION
from bot.tasks import in_daemon_thread


@asynccontextmanager
async def open_for_reading(url: str, timeouts: Timeouts | None = None) -> AsyncIterator[Database]:
    """Open a database of this Trinity's schema for `read`.

    Raises:
        DatabaseUnusable: there is none, or it is damaged, not ours, or of another schema.
        DatabaseBusy: locked by another process, or out of reach.
    """
    file = database_file(url)
    if file is not None:
        look = partial(check_file, file, for_writing=False)
        _refuse_other(await in_daemon_thread(look, name="looking at the database"), str(file))
    database = Database(build_engine(url, timeouts), timeouts=timeouts)
    try:
        if file is None:
            _refuse_other(await database.read(_version), "The database")
        yield database
    finally:
        await database.close()


async def _version(connection: AsyncConnection) -> str | None:
    version = await connection.run_sync(read_version)
    refuse_newer(version, "The database")
    return version


def _refuse_other(version: str | None, name: str) -> None:
    if version is None:
        raise DatabaseUnusable(f"{name} isn't there, or is empty: nothing was ever answered here.")
    if version != SCHEMA_VERSION:
        raise DatabaseUnusable(f"{name} has schema {version}, and this Trinity's is {SCHEMA_VERSION}: start it once.")
