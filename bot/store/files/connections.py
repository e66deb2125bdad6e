"""The connections to either kind of database, set up as transactions need them."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.errors import DatabaseUnusable
from bot.store.files import postgresql as server
from bot.store.files import sqlite as embedded
from bot.store.files.server_url import ServerAddress, ServerUrlError, is_server_url, read_server_url
from bot.store.files.sqlite import parse_url
from bot.store.files.timeouts import Timeouts

CONNECTIONS = 5
"""So many at most has a process."""


def build_engine(url: str, timeouts: Timeouts | None = None) -> AsyncEngine:
    """An engine for either kind of database, with its connections set up.

    Raises:
        DatabaseUnusable: the URL can't be used.
    """
    timeouts = timeouts or Timeouts()
    options: dict[str, Any] = {
        "pool_size": CONNECTIONS, "max_overflow": 0, "pool_timeout": timeouts.step_seconds, "hide_parameters": True,
    }  # fmt: skip
    if is_server_url(url):
        return server.build_server_engine(read_address(url), **options)
    # The connection that was used last: it has the pages and the statements of a moment ago.
    engine = create_async_engine(parse_url(url), pool_use_lifo=True, **options)
    embedded.shorten_statements(engine.sync_engine)
    embedded.set_connections_up(engine.sync_engine, busy_seconds=timeouts.busy_seconds)
    return engine


def read_address(url: str) -> ServerAddress:
    """Where a server's URL leads.

    Raises:
        DatabaseUnusable: it can't be read, or asks for what can't be had.
    """
    try:
        return read_server_url(url)
    except ServerUrlError as error:
        raise DatabaseUnusable(f"TRINITY_DATABASE_URL {error}.") from None
