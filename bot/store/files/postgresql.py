"""The parts for PostgreSQL only: its transactions mean what SQLite's do, and its connections can be given up.

Writers lock what they are about (`store/rows/locks.py`), so that none loses another's update between reading and
writing; what is about many conversations waits until nobody else writes. A reader sees one state of the database,
however many statements it runs. Every transaction sets what it needs itself, since a pooler
takes few parameters at the beginning of a connection and may give each transaction another connection.
"""

import ssl
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from sqlalchemy import BigInteger, Connection, Engine, bindparam, event, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.errors import DatabaseUnusable
from bot.store.files.server_url import ServerAddress
from bot.store.files.timeouts import Purpose, Timeouts, TransactionProgress

DAEMON_LOCK = 1416784240
"""The class of the lock that a daemon holds; its number is the schema's."""
# Any number that no other program takes, and not the one that migrations take turns by.
_WRITE_LOCK = 1416784239
_WRITE = {
    purpose: select(
        # In this order: the lock is waited for within its limit. A process whose machine is gone must not keep the
        # others from writing, and one that is there takes milliseconds between two statements.
        func.set_config("lock_timeout", bindparam("lock"), True),
        func.set_config("idle_in_transaction_session_timeout", bindparam("idle"), True),
        *locks,
        func.txid_current(),
    )
    for purpose, locks in (
        (Purpose.WRITE, [func.pg_advisory_xact_lock_shared(_WRITE_LOCK)]),
        (Purpose.WRITE_ALONE, [func.pg_advisory_xact_lock(_WRITE_LOCK)]),
        (Purpose.WRITE_BESIDE, []),
    )
}
_READ = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_READ_ONLY = "25006"
_STATUS = select(func.txid_status(bindparam("transaction_id", type_=BigInteger)))


def build_server_engine(address: ServerAddress, **options: Any) -> AsyncEngine:
    """An engine whose connections go to `address` and report their progress."""
    engine = create_async_engine(
        "postgresql+asyncpg://",
        connect_args={
            "async_creator_fn": _connector(address),
            "prepared_statement_cache_size": address.statement_cache_size,
            # Without a cache a statement has no name either, which could be taken behind a pooler.
            "prepared_statement_name_func": None if address.statement_cache_size else _no_name,
        },
        # A statement sees what was committed before it: whoever waited for a lock reads what the other one wrote.
        isolation_level="READ COMMITTED",
        **options,
    )
    _report_progress(engine.sync_engine)
    return engine


async def abort(connection: Any) -> None:
    """Drop a connection without waiting for its server, which may have gone silent; what waits on it fails."""
    connection.terminate()


async def was_committed(connection: AsyncConnection, transaction_id: int) -> bool | None:
    """Whether a transaction was committed; None while it still runs, or where the server doesn't know any more."""
    status = (await connection.execute(_STATUS, {"transaction_id": transaction_id})).scalar_one()
    return None if status is None or status == "in progress" else status == "committed"


def leads_to_copy(error: DBAPIError) -> bool:
    """Whether a statement failed because this server only follows another one, or is kept from writing."""
    return getattr(error.orig, "sqlstate", None) == _READ_ONLY


async def connect_to(address: ServerAddress) -> Any:
    """One connection of the driver's own."""
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


def _connector(address: ServerAddress) -> Callable[..., Awaitable[Any]]:
    return lambda **_: connect_to(address)


def _no_name() -> str:
    return ""


def begin(connection: Connection, purpose: Purpose, progress: TransactionProgress, timeouts: Timeouts) -> None:
    """Begin a transaction as what it is for needs; its statements report to `progress`."""
    connection.execution_options(progress=progress)
    if purpose is Purpose.READ:
        connection.exec_driver_sql(_READ)
    elif purpose in _WRITE:
        # Longer than any step of ours takes: a connection that idles longer has lost its process.
        limits = {"lock": str(int(timeouts.busy_seconds * 1000)), "idle": str(int(timeouts.step_seconds * 1500))}
        progress.transaction_id = connection.execute(_WRITE[purpose], limits).one()[-1]


def _report_progress(engine: Engine) -> None:
    """Have all statements of transactions with the execution option `progress` report to it."""

    @event.listens_for(engine, "before_cursor_execute")
    def statement_begins(connection: Connection, *_: object) -> None:
        moved(connection)

    @event.listens_for(engine, "after_cursor_execute")
    def statement_ends(connection: Connection, *_: object) -> None:
        moved(connection)

    def moved(connection: Connection) -> None:
        progress: TransactionProgress | None = connection.get_execution_options().get("progress")
        if progress is not None:
            progress.moved()


class IdleConnections:
    """The driver's connections that no transaction uses."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._idle: dict[int, Any] = {}
        pool = engine.sync_engine.pool
        event.listen(pool, "checkout", self._note_taken)
        event.listen(pool, "checkin", self._note_idle)
        event.listen(pool, "close", self._note_closed)

    def abandon(self) -> None:
        """Close all of them without waiting for the server."""
        for connection in self._idle.values():
            if hasattr(connection, "terminate"):
                connection.terminate()

    def _note_taken(self, connection: Any, *_: object) -> None:
        self._idle.pop(id(connection), None)

    def _note_idle(self, connection: Any, *_: object) -> None:
        if connection is not None:
            self._idle[id(connection)] = connection.driver_connection

    def _note_closed(self, connection: Any, *_: object) -> None:
        self._idle.pop(id(connection), None)
