"""Runs a transaction's coroutine where SQLAlchemy runs, in the greenlet that has the connection.

SQLAlchemy makes a greenlet for each statement that a coroutine executes, because a coroutine usually runs outside of
any. Within one, a statement is a plain call.
"""

from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.util.concurrency import await_

from bot.store.files.prepared import execute_prepared

T = TypeVar("T")


class DirectConnection(AsyncConnection):
    """The connection of a transaction whose coroutine is run by `run_here`."""

    __slots__ = ()

    async def execute(self, statement: Any, parameters: Any = None, *, execution_options: Any = None) -> Any:
        """Execute a statement; all its rows are fetched."""
        return self._execute(statement, parameters, execution_options)

    async def scalar(self, statement: Any, parameters: Any = None, *, execution_options: Any = None) -> Any:
        """Execute a statement; the first value of its first row."""
        return self._execute(statement, parameters, execution_options).scalar()

    async def scalars(self, statement: Any, parameters: Any = None, *, execution_options: Any = None) -> Any:
        """Execute a statement; the first value of each row."""
        return self._execute(statement, parameters, execution_options).scalars()

    def _execute(self, statement: Any, parameters: Any, options: Any) -> Any:
        connection: Connection = self.sync_connection  # type: ignore[assignment]  # it is open
        done = execute_prepared(connection, statement, parameters) if options is None else None
        return connection.execute(statement, parameters, execution_options=options) if done is None else done

    async def exec_driver_sql(self, statement: str, parameters: Any = None, execution_options: Any = None) -> Any:
        """Execute what the driver gets as it is; all its rows are fetched."""
        return self.sync_connection.exec_driver_sql(statement, parameters, execution_options)  # type: ignore[union-attr]

    async def run_sync(self, fn: Callable[..., T], *arg: Any, **kw: Any) -> T:
        """Call a function with the connection."""
        return fn(self.sync_connection, *arg, **kw)


def at_once(run: Callable[[], T]) -> T:
    """Call `run`."""
    return run()


def run_here(
    coroutine: Coroutine[Any, Any, T], when_done: Callable[[T], None], do: Callable[[Callable[[], Any]], Any] = at_once
) -> T:
    """Run a coroutine to its end in this greenlet, of which SQLAlchemy knows; what it waits for, the loop waits for.

    Args:
        coroutine: what is run.
        when_done: called with what it returned, if it did.
        do: runs each stretch of it that waits for nothing, the last with `when_done`.
    """
    advance: Callable[..., Any] = coroutine.send
    given: Any = None

    def stretch() -> _Waits | _Ended[T]:
        try:
            return _Waits(advance(given))
        except StopIteration as end:
            when_done(end.value)
            return _Ended(end.value)

    try:
        while True:
            came = do(stretch)
            if isinstance(came, _Ended):
                return came.result  # type: ignore[no-any-return]
            try:
                given, advance = await_(came), coroutine.send
            except BaseException as error:
                given, advance = error, coroutine.throw
    finally:
        with suppress(ValueError):  # it was given up, and still runs elsewhere
            coroutine.close()


class _Ended(Generic[T]):
    """A coroutine has come to its end."""

    def __init__(self, result: T) -> None:
        self.result = result


class _Waits:
    """What a coroutine waits for, handed to the loop as it is."""

    def __init__(self, awaited: Any) -> None:
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield self._awaited)
