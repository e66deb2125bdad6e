"""Runs a transaction's coroutine where SQLAlchemy runs, in the greenlet that has the connection.

SQLAlchemy makes a greenlet for each statement that a coroutine executes, because a coroutine usually runs outside of
any. Within one, a statement is a plain call.
"""

from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.util.concurrency import await_

T = TypeVar("T")


class DirectConnection(AsyncConnection):
    """The connection of a transaction whose coroutine is run by `run_here`."""

    __slots__ = ()

    async def execute(self, statement: Any, parameters: Any = None, *, execution_options: Any = None) -> Any:
        """Execute a statement; all its rows are fetched."""
        return self.sync_connection.execute(statement, parameters, execution_options=execution_options)  # type: ignore[union-attr]  # it is open

    async def scalar(self, statement: Any, parameters: Any = None, *, execution_options: Any = None) -> Any:
        """Execute a statement; the first value of its first row."""
        return self.sync_connection.scalar(statement, parameters, execution_options=execution_options)  # type: ignore[union-attr]

    async def scalars(self, statement: Any, parameters: Any = None, *, execution_options: Any = None) -> Any:
        """Execute a statement; the first value of each row."""
        return self.sync_connection.scalars(statement, parameters, execution_options=execution_options)  # type: ignore[union-attr]

    async def run_sync(self, fn: Callable[..., T], *arg: Any, **kw: Any) -> T:
        """Call a function with the connection."""
        return fn(self.sync_connection, *arg, **kw)


def run_here(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in this greenlet, of which SQLAlchemy knows; what it waits for, the loop waits for."""
    advance: Callable[..., Any] = coroutine.send
    given: Any = None
    while True:
        try:
            awaited = advance(given)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        try:
            given, advance = await_(_Passed(awaited)), coroutine.send
        except BaseException as error:
            given, advance = error, coroutine.throw


class _Passed:
    """What a coroutine waits for, handed to the loop as it is."""

    def __init__(self, awaited: Any) -> None:
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield self._awaited)
