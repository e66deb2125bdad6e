"""What a transaction is for, the timeouts of its steps, and how far it has come.

A server that has gone silent closes nothing and answers nothing, and a disk may stall for minutes. So every step
(to get a connection and begin, each statement, the commit) has a timeout. Statements report their beginning and their
end; whoever waits for the transaction gives it up when nothing was reported for too long.
"""

import asyncio
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from bot.errors import DatabaseBusy

SILENT = "The database doesn't answer."


class Purpose(Enum):
    """What a transaction is for."""

    READ = "read"
    WRITE = "write"
    WRITE_ALONE = "write alone"
    """While nobody else writes."""
    WRITE_BESIDE = "write beside"
    """What no other transaction is about: it waits for none of them."""
    NONE = "none"
    """What is done takes care of its transactions itself."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Timeouts of the database, in seconds."""

    step_seconds: float = 10.0
    """For one step, and for waiting until other writers of this process are done."""
    long_step_seconds: float = 600.0
    """For a step that deletes or migrates much of an SQLite file."""
    busy_seconds: float = 5.0
    """For SQLite's or PostgreSQL's own locks."""
    cancel_seconds: float = 3.0
    """How long a transaction whose asker was cancelled may still take."""
    close_seconds: float = 3.0
    """How long all connections together may take to close."""


@dataclass(eq=False, slots=True)
class TransactionProgress:
    """How far one transaction has come. Reported by its statements, read by whoever waits for it."""

    step_seconds: float
    connection: Any = None
    """The driver's own connection, once there is one."""
    has_begun: bool = False
    is_committing: bool = False
    is_lost: bool = False
    """Its connection broke."""
    is_abandoned: bool = False
    """Nobody waits for it any more; it may neither go on nor commit."""
    transaction_id: int | None = None
    """PostgreSQL's, by which it can be found out later whether it was committed."""
    result: Any = None
    due_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.moved()

    def moved(self) -> None:
        """A step has begun or ended.

        Raises:
            DatabaseBusy: the transaction was given up, and ends here.
        """
        if self.is_abandoned:
            raise DatabaseBusy(SILENT)
        self.due_at = asyncio.get_running_loop().time() + self.step_seconds
