"""What is PostgreSQL's alone: its transactions are made to mean what SQLite's do, and its connections can be given up.

One process writes at a time, so that none loses another's update between reading and writing; and a reader sees one
state of the database, however many statements it asks. All that a transaction needs is said inside of it, since a
pooler takes few parameters at the beginning of a connection and may give each transaction another one.
"""

import ssl
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from sqlalchemy import BigInteger, Connection, Engine, bindparam, event, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.errors import DatabaseUnusable
from bot.store.files.limits import Limits, Progress
from bot.store.files.server_url import ServerAddress

# Any number that no other program takes, and not the one that migrations take turns by.
_WRITE = text(
    # In this order: the lock is waited for within its limit. A process whose machine is gone must not keep the others
    # from writing, and one that is there takes milliseconds between two statements.
    "SELECT set_config('lock_timeout', :lock, true), "
    "set_config('idle_in_transaction_session_timeout', :idle, true), "
    "pg_advisory_xact_lock(1416784239), txid_current()"
)
_READ = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_READ_ONLY = "25006"
_STATUS = select(func.txid_status(bindparam("transaction_id", type_=BigInteger)))


def build_server_engine(address: ServerAddress, limits: Limits, **options: Any) -> AsyncEngine:
    """An engine whose connections go to `address` and report their progress."""
    engine = create_async_engine(
        "postgresql+asyncpg://",
        connect_args={
            "async_creator_fn": _connector(address),
            "prepared_statement_cache_size": address.statement_cache_size,
            # Without a cache a statement has no name either, which could be taken behind a pooler.
            "prepared_statement_name_func": None if address.statement_cache_size else _no_name,
        },
        **options,
    )
    _prepare_transactions(engine.sync_engine, limits)
    return engine


async def abort(connection: Any) -> None:
    """Leave a connection whose server may have gone silent, without another word to it; what waits on it fails."""
    connection.terminate()


async def was_committed(connection: AsyncConnection, transaction_id: int) -> bool | None:
    """Whether a transaction was committed; None while it still runs, or where the server doesn't know any more."""
    status = (await connection.execute(_STATUS, {"transaction_id": transaction_id})).scalar_one()
    return None if status is None or status == "in progress" else status == "committed"


def leads_to_copy(error: DBAPIError) -> bool:
    """Whether a statement failed because this server only follows another one, or is kept from writing."""
    return getattr(error.orig, "sqlstate", None) == _READ_ONLY


def _connector(address: ServerAddress) -> Callable[..., Awaitable[Any]]:
    async def connect(**_: object) -> Any:
        asyncpg: Any = import_module("asyncpg")  # an extra, which who uses SQLite does without

        roots = {}
        if address.has_system_roots:
            roots["ssl"] = ssl.create_default_context()
            roots["ssl"].check_hostname = address.checks_host_name
        try:
            return await asyncpg.connect(
                address.dsn,
                timeout=address.connect_seconds,
                statement_cache_size=address.statement_cache_size,
                server_settings=dict(address.server_settings),
                **roots,
            )
        except (asyncpg.ClientConfigurationError, TypeError, ValueError) as error:
            # Its words may quote a part of the URL.
            problem = f"The driver can't use TRINITY_DATABASE_URL ({type(error).__name__})"
            raise DatabaseUnusable(f"{problem}; compare it with what the database's host gives.") from None

    return connect


def _no_name() -> str:
    return ""


def _prepare_transactions(engine: Engine, limits: Limits) -> None:
    """Begin every transaction that says what it is for, in the execution option `transaction`, accordingly."""
    # Longer than any step of ours takes: then nobody is there any more.
    time_limits = {"lock": str(int(limits.busy_seconds * 1000)), "idle": str(int(limits.step_seconds * 1500))}

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        match options.get("transaction"):
            case "read":
                connection.exec_driver_sql(_READ)
            case "write":
                row = connection.execute(_WRITE, time_limits).one()
                progress: Progress | None = options.get("progress")
                if progress is not None:
                    progress.transaction_id = row[-1]
