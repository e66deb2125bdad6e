"""The database's side of the oracle: SQLite's own checks and how many rows are in which state."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DatabaseVerdict:
    """What SQLite says about a file, and the rows by state."""

    integrity: str
    num_broken_references: int
    states: dict[str, int]

    @property
    def num_rows(self) -> int:
        """How many rows there are in all states."""
        return sum(self.states.values())

    def require(self, **states: int) -> "DatabaseVerdict":
        """Fails the test if the file is damaged, or if the states named here have other counts than these."""
        wrong = [f"{name}: {self.states.get(name, 0)}, not {count}" for name, count in states.items()
                 if self.states.get(name, 0) != count]  # fmt: skip
        if self.integrity != "ok" or self.num_broken_references or wrong:
            raise AssertionError(f"{self} {wrong}")
        return self


def judge_database(path: Path, *, table: str = "inbox", column: str = "state") -> DatabaseVerdict:
    """Reads a SQLite file, also one that a running process holds open, and changes nothing in it."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as connection:
        integrity = "; ".join(row[0] for row in connection.execute("PRAGMA integrity_check"))
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
        counts = connection.execute(f'SELECT "{column}", COUNT(*) FROM "{table}" GROUP BY 1')
        return DatabaseVerdict(integrity, len(broken), {str(state): count for state, count in counts})
