"""The first hundred bytes of an SQLite file, read without SQLite: whose it is, and which mark it bears.

The mark is a number that counts on with every commit that changes something and is drawn anew whenever the database
is opened, restored or copied by us. It lies in `user_version`, on the page that each commit then writes into the log
as well. So a log shows whether it continues this very state of the file (`recovery_files.py`); SQLite itself would
replay any log that has the right name. The mark's last bit says that somebody has the database open.
"""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Self

HEADER_BYTES = 100

# https://sqlite.org/fileformat2.html, sections 1.3 and 4.1
_MAGIC = b"SQLite format 3\x00"
_LOGGED = 2
_NUM_MARKS = 2**30 - 1


@dataclass(frozen=True, slots=True)
class Mark:
    """Which state of which database a page 1 belongs to. `number` is 0 where no mark was ever set."""

    number: int
    is_open: bool = False

    @classmethod
    def of_value(cls, value: int) -> Self:
        """The mark that `PRAGMA user_version` shows."""
        return cls(value >> 1 & _NUM_MARKS, bool(value & 1))

    @classmethod
    def drawn(cls, *, is_open: bool) -> Self:
        """A mark that no other file bears, but for a chance of one in a thousand million."""
        return cls(secrets.randbelow(_NUM_MARKS) + 1, is_open)

    @property
    def value(self) -> int:
        """What `PRAGMA user_version` is set to."""
        return self.number << 1 | self.is_open

    def next(self, *, is_open: bool) -> "Mark":
        """The mark of the commit that follows."""
        return Mark(self.number % _NUM_MARKS + 1, is_open)

    def is_followed_by(self, other: "Mark") -> bool:
        """Whether `other` is of the commit after this one."""
        return other.number == self.number % _NUM_MARKS + 1


@dataclass(frozen=True, slots=True)
class Header:
    """What the beginning of a file, or of a page 1 in a log, says."""

    content: bytes

    @property
    def is_sqlite(self) -> bool:
        """Whether it is an SQLite database at all."""
        return self.content.startswith(_MAGIC)

    @property
    def is_truncated(self) -> bool:
        """Whether the file ends before its header does."""
        return len(self.content) < HEADER_BYTES

    @property
    def has_log(self) -> bool:
        """Whether the database is one with a log (WAL mode), as one in use is; a backup is not."""
        return self.content[18:20] == bytes((_LOGGED, _LOGGED))

    @property
    def page_size(self) -> int:
        """Bytes of a page."""
        size = int.from_bytes(self.content[16:18], "big")
        return 65536 if size == 1 else size

    @property
    def application_id(self) -> int:
        """Which program's database it is."""
        return int.from_bytes(self.content[68:72], "big")

    @property
    def mark(self) -> Mark:
        """The mark of the newest commit that has reached this page."""
        return Mark.of_value(int.from_bytes(self.content[60:64], "big"))


def read_header(file: Path) -> Header:
    """Read a file's header; one that is shorter is returned as it is."""
    with file.open("rb") as stream:
        return Header(stream.read(HEADER_BYTES))
