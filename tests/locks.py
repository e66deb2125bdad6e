"""A lock on a database that another process would hold."""

import asyncio
import sqlite3


async def lock(connection: sqlite3.Connection) -> None:
    """Begin to write as soon as nobody else does; the bot may be at it, on the event loop that mustn't stand here."""
    connection.execute("PRAGMA busy_timeout = 0")
    async with asyncio.timeout(60):
        while not connection.in_transaction:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                await asyncio.sleep(0.02)
