"""What goes wrong, and how often: each seed chooses a few kinds of faults, so that every mixture of them comes up."""

import random
import sqlite3
from dataclasses import dataclass


@dataclass(slots=True)
class Faults:
    """Rates of single faults (for one request, one statement, one answer), and of those that last a while.

    Lasting ones (`outages` of the database, `drops` of the connection, `kills`, `restarts`, `jumps` of the clock,
    `mutes`, `engine_losses`) are numbers for the whole run.
    """

    refused: float = 0.0
    """Requests that Discord's servers fail before anything is done."""
    lost: float = 0.0
    """Requests that are done, and the answer is lost."""
    limited: float = 0.0
    slow: float = 0.0
    banned: float = 0.0
    unclear: float = 0.0
    statements: float = 0.0
    """Statements that the database refuses."""
    stalls: float = 0.0
    failed_answers: float = 0.0
    outages: int = 0
    drops: int = 0
    kills: int = 0
    restarts: int = 0
    jumps: int = 0
    engine_losses: int = 0
    sudden: float = 0.0
    """How often the process dies in the middle of what it does about something that somebody does."""
    poison: bool = False
    """Whether one question ends the process as soon as the engine runs it."""

    @property
    def do_requests_fail(self) -> bool:
        """Whether Discord fails to do, or to answer, what it is asked for."""
        return any((self.refused, self.lost, self.limited, self.slow, self.banned, self.unclear))

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self.refused = self.lost = self.limited = self.slow = self.banned = self.unclear = 0.0
        self.statements = self.stalls = self.failed_answers = self.sudden = 0.0


def drawn(chance: random.Random) -> Faults:
    """What one seed has in store. A quarter of all runs have none: there, everything has to be exact."""
    if chance.random() < 0.25:
        return Faults()

    def rate(likelihood: float, most: float) -> float:
        return chance.random() * most if chance.random() < likelihood else 0.0

    def number(likelihood: float, most: int) -> int:
        return chance.randint(1, most) if chance.random() < likelihood else 0

    return Faults(
        refused=rate(0.4, 0.3),
        lost=rate(0.4, 0.3),
        limited=rate(0.3, 0.2),
        slow=rate(0.3, 0.2),
        banned=rate(0.1, 0.01),
        unclear=rate(0.1, 0.05),
        statements=rate(0.25, 0.02),
        stalls=rate(0.1, 0.002),
        failed_answers=rate(0.3, 0.2),
        outages=number(0.2, 2),
        drops=number(0.4, 3),
        kills=number(0.5, 3),
        restarts=number(0.2, 2),
        jumps=number(0.2, 2),
        engine_losses=number(0.15, 1),
        sudden=rate(0.4, 0.15),
        poison=chance.random() < 0.08,
    )


def a_refusal(chance: random.Random) -> sqlite3.Error:
    """What SQLite says where it can't do something just now."""
    code, words = chance.choice(_REFUSALS)
    error = sqlite3.OperationalError(words)
    error.sqlite_errorcode = code
    return error


_REFUSALS = (
    (sqlite3.SQLITE_BUSY, "database is locked"),
    (sqlite3.SQLITE_FULL, "database or disk is full"),
    (sqlite3.SQLITE_IOERR, "disk I/O error"),
)
