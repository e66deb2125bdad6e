"""What lies beside a database after a crash: would SQLite mend the database with it, or spoil it?

SQLite replays a log (`-wal`) or rolls a journal (`-journal`) back because of its name alone. Beside a backup that was
copied into the database's place by hand, that puts pages of one database into another without a word. So before SQLite
opens anything, the mark of the file (`header.py`) is compared with those of the log: a log is the file's own if its
first commit follows the file's mark, or if the file's mark is that of one of its commits, which reached the file when
the log was being moved into it.

SQLite also ends reading a log at the first frame whose checksum is wrong. At the end of a log that is an unfinished
commit; with whole commits behind it, acknowledged ones would vanish, and the log is called damaged.

https://sqlite.org/fileformat2.html, sections 3 and 4, describes both files.
"""

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from bot.errors import DatabaseUnusable
from bot.store.files.failures import WHAT_TO_DO
from bot.store.files.header import Header, Mark, read_header
from bot.store.files.paths import sidecar

_LOG_HEADER = struct.Struct(">8I")
_LOG_MAGIC = (0x377F0682, 0x377F0683)
_FRAME_HEADER = struct.Struct(">6I")
# A commit that was being written when the power went has one; two were acknowledged, the first of them at least.
_MIN_COMMITS_BEHIND_DAMAGE = 2

_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
_JOURNAL_HEADER = struct.Struct(">8s5I")

_NUM_LOOKS = 40
_LOOK_PAUSE_SECONDS = 0.05


@dataclass(slots=True)
class _Log:
    """A log as far as SQLite would read it."""

    header: bytes
    page_size: int
    num_commits: int = 0
    marks: list[Mark] = field(default_factory=list)
    """Those of its commits that wrote page 1, in order."""
    is_damaged: bool = False


def refuse_foreign_recovery_files(file: Path) -> None:
    """Raise `DatabaseUnusable` if a log or journal beside the database isn't its own, or is damaged."""
    for suffix in ("-wal", "-shm", "-journal"):
        _refuse_unless_plain(sidecar(file, suffix))
    if has_journal(file):
        _refuse_foreign_journal(sidecar(file, "-journal"), file)
    _refuse_foreign_log(sidecar(file, "-wal"), file)


def has_journal(file: Path) -> bool:
    """Whether SQLite would roll a transaction back before anything else."""
    journal = sidecar(file, "-journal")
    return journal.exists() and any(_beginning(journal, 1))


def is_log_missing(file: Path) -> bool:
    """Whether the database was never closed and yet has no log: SQLite takes that away when the last one closes it."""
    header = read_header(file)
    return header.has_log and header.mark.is_open and not sidecar(file, "-wal").exists()


def _refuse_unless_plain(path: Path) -> None:
    # A link would be followed, and deleted in the place of what it leads to.
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise DatabaseUnusable(f"{path} is not a plain file, as SQLite needs it there. Move it away.")


def _refuse_foreign_log(log: Path, file: Path) -> None:
    for _ in range(_NUM_LOOKS):
        before = read_header(file)
        found = _read_log(log)
        # Another process may be writing; only what stood still was seen as one state.
        if read_header(file) == before and _beginning(log, _LOG_HEADER.size) == (found.header if found else b""):
            break
        time.sleep(_LOOK_PAUSE_SECONDS)
    else:
        return  # it is being written all the time, by those who checked it
    if found is None or not any(found.header):
        return  # power was lost before the log's first sync: nothing in it was acknowledged
    if found.is_damaged:
        raise DatabaseUnusable(f"The log {log} is damaged. {WHAT_TO_DO}")
    if found.num_commits and not _continues(before, found):
        raise DatabaseUnusable(
            f"The log {log} is not of this {file.name}: was a copy put into its place by hand? Put the file and the "
            "log that belong together there, or move the log away to do without it, or use `trinity restore FILE`."
        )


def _continues(header: Header, log: _Log) -> bool:
    if log.page_size != header.page_size:
        return False
    if not log.marks:
        return header.mark.number == 0
    is_partly_moved = any(mark.number == header.mark.number for mark in log.marks)
    return is_partly_moved or header.mark.is_followed_by(log.marks[0])


def _beginning(path: Path, num_bytes: int) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(num_bytes)
    except FileNotFoundError:
        return b""


def _read_log(log: Path) -> _Log | None:
    """Read a log; None if there is nothing in it. One whose header can't be read is damaged."""
    try:
        stream = log.open("rb")
    except FileNotFoundError:
        return None
    with stream:
        header = stream.read(_LOG_HEADER.size)
        if not any(header):
            return _Log(header, 0) if header else None
        # The magic's last bit tells in which byte order the checksums were made.
        order = ">" if header[3:4] and header[3] & 1 else "<"
        if not _is_log_header(header, order):
            return _Log(header, 0, is_damaged=True)
        page_size, checksums = int.from_bytes(header[8:12], "big"), struct.unpack(">2I", header[24:32])
        found = _Log(header, page_size)
        frames = _read_frames(stream, page_size, header[16:24], (checksums[0], checksums[1]), order)
        _take_commits(found, frames)
        # What follows the first wrong frame is read with each frame's predecessor taken at its word.
        commits_behind = sum(frame.is_whole and frame.is_commit for frame in frames)
        found.is_damaged = commits_behind >= _MIN_COMMITS_BEHIND_DAMAGE
    return found


@dataclass(frozen=True, slots=True)
class _Frame:
    """A page in a log. `is_whole`: it is of this log and its checksum follows from the frame before."""

    is_whole: bool
    is_commit: bool
    mark: Mark | None


def _take_commits(found: _Log, frames: Iterator[_Frame]) -> None:
    """Count what SQLite would replay, up to and with the first frame that it would not."""
    marks: list[Mark] = []
    for frame in frames:
        if not frame.is_whole:
            return
        if frame.mark is not None:
            marks.append(frame.mark)
        if frame.is_commit:
            found.num_commits += 1
            found.marks += marks
            marks.clear()


def _read_frames(
    stream: BinaryIO, page_size: int, salts: bytes, checksums: tuple[int, int], order: str
) -> Iterator[_Frame]:
    while len(head := stream.read(_FRAME_HEADER.size)) == _FRAME_HEADER.size:
        page = stream.read(page_size)
        number, size_after_commit, _, _, first, second = _FRAME_HEADER.unpack(head)
        is_whole = (
            head[8:16] == salts
            and number > 0
            and len(page) == page_size
            and _checksum(head[:8] + page, checksums, order) == (first, second)
        )
        mark = Header(page).mark if is_whole and number == 1 else None
        yield _Frame(is_whole, size_after_commit > 0, mark)
        checksums = first, second


def _is_log_header(header: bytes, order: str) -> bool:
    if len(header) < _LOG_HEADER.size or int.from_bytes(header[:4], "big") not in _LOG_MAGIC:
        return False
    return _checksum(header[:24], (0, 0), order) == struct.unpack(">2I", header[24:32])


def _checksum(content: bytes, start: tuple[int, int], order: str) -> tuple[int, int]:
    words = struct.unpack(f"{order}{len(content) // 4}I", content)
    first, second = start
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second


def _refuse_foreign_journal(journal: Path, file: Path) -> None:
    header = read_header(file)
    pages = list(_first_pages(journal, header.page_size))
    if pages and not any(page.is_sqlite and page.mark.number == header.mark.number for page in pages):
        raise DatabaseUnusable(
            f"The journal {journal} is not of this {file.name}, or is damaged. "
            "Move it away, or use `trinity restore FILE`."
        )


def _first_pages(journal: Path, page_size: int) -> Iterator[Header]:
    """Page 1 as the journal would put it back, which every transaction saves; an empty one for what can't be read."""
    with journal.open("rb") as stream:
        head = stream.read(_JOURNAL_HEADER.size)
        if len(head) < _JOURNAL_HEADER.size or not head.startswith(_JOURNAL_MAGIC):
            yield Header(b"")
            return
        _, num_records, _, _, sector_size, its_page_size = _JOURNAL_HEADER.unpack(head)
        if num_records == 0:
            return  # never synced: the database was not written yet
        if its_page_size != page_size:
            yield Header(b"")
            return
        stream.seek(sector_size)
        while len(record := stream.read(4 + page_size + 4)) == 4 + page_size + 4:
            if int.from_bytes(record[:4], "big") == 1:
                yield Header(record[4:-4])
                return
        yield Header(b"")
