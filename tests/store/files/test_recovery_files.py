"""What lies beside a database after a crash, or because somebody copied files by hand."""

import logging
import os
import shutil
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bot.errors import DatabaseUnusable
from bot.store.files.backup import backup, restore
from bot.store.files.database import open_database
from tests.store.files.test_check import contents
from tests.store.said import ask, hold_turn, said

FRAME_BYTES = 24 + 4096


def beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


def copy_files(file: Path, folder: Path) -> Path:
    """A database and its log as they lie there now, which is how kill -9 leaves them."""
    folder.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(beside(file, suffix), folder)
    return folder / file.name


async def crash_after(folder: Path, *questions: str, begin_with: Path | None = None) -> Path:
    """A database whose process was killed after these turns; `begin_with` is what it found at its start."""
    file = folder / "running" / "trinity.db"
    if begin_with is not None:
        file.parent.mkdir(parents=True)
        shutil.copy(begin_with, file)
    async with open_database(f"sqlite:///{file}") as database:
        for number, question in enumerate(questions):
            await hold_turn(database, ask(1000 + number, question))
        return copy_files(file, folder / "crashed")


async def heard(file: Path) -> list[str]:
    async with open_database(f"sqlite:///{file}") as database:
        return [question for question, _ in await said(database)]


async def refuse(file: Path, words: str) -> None:
    before = contents(file.parent)
    with pytest.raises(DatabaseUnusable, match=words):
        await heard(file)
    assert contents(file.parent) == before


@pytest.fixture
async def mine(tmp_path: Path) -> Path:
    return await crash_after(tmp_path / "mine", "my first", "my second")


@pytest.fixture
async def other(tmp_path: Path) -> Path:
    return await crash_after(tmp_path / "other", "another's first")


async def test_its_own_log_is_replayed(mine):
    assert await heard(mine) == ["my first", "my second"]


async def test_another_databases_log_is_refused(mine, other):
    shutil.copy(beside(other, "-wal"), beside(mine, "-wal"))

    await refuse(mine, "not of this trinity.db")


async def test_another_database_in_its_place_is_refused(mine, other):
    shutil.copy(other, mine)

    await refuse(mine, "not of this trinity.db")


@pytest.mark.parametrize("index", ["own", "other"])
async def test_an_index_beside_it_changes_nothing(mine, other, index):
    beside(mine, "-shm").write_bytes(os.urandom(32768))
    if index == "other":
        shutil.copy(beside(other, "-wal"), beside(mine, "-wal"))
        await refuse(mine, "not of this trinity.db")
    else:
        assert await heard(mine) == ["my first", "my second"]


async def test_a_backup_copied_over_it_by_hand_is_refused(file, url, tmp_path):
    async with open_database(url) as database:
        await hold_turn(database, ask(1, "old"))
        await backup(url, tmp_path / "backup.db")
        await hold_turn(database, ask(2, "new"))
        crashed = copy_files(file, tmp_path / "crashed")
    shutil.copy(tmp_path / "backup.db", crashed)

    await refuse(crashed, "not of this trinity.db")


@pytest.mark.parametrize("is_older", [True, False])
async def test_a_copy_from_another_day_beside_the_log_is_refused(file, url, tmp_path, is_older):
    await heard(file)
    yesterday = Path(shutil.copy(file, tmp_path / "yesterday.db"))
    async with open_database(url) as database:
        await hold_turn(database, ask(1, "said in between"))
        today = copy_files(file, tmp_path / "today")
    async with open_database(url) as database:
        await hold_turn(database, ask(2, "said later"))
        await database.erase_traces()
        await hold_turn(database, ask(3, "said last"))
        tomorrow = copy_files(file, tmp_path / "tomorrow")

    if is_older:
        shutil.copy(yesterday, tomorrow)
        await refuse(tomorrow, "not of this trinity.db")
    else:
        shutil.copy(tomorrow, today)
        await refuse(today, "not of this trinity.db")


async def test_two_copies_that_went_different_ways_dont_share_a_log(file, tmp_path):
    await heard(file)
    one = await crash_after(tmp_path / "one", "one's first", begin_with=file)
    two = await crash_after(tmp_path / "two", "two's first", begin_with=file)

    shutil.copy(beside(two, "-wal"), beside(one, "-wal"))

    await refuse(one, "not of this trinity.db")


async def test_a_backup_of_a_database_with_anothers_log_is_refused(mine, other, tmp_path):
    shutil.copy(beside(other, "-wal"), beside(mine, "-wal"))

    with pytest.raises(DatabaseUnusable, match=r"not of this trinity\.db"):
        await backup(f"sqlite:///{mine}", tmp_path / "backup.db")

    assert not (tmp_path / "backup.db").exists()


async def test_restoring_helps_and_keeps_both_files_as_they_were(mine, other, tmp_path):
    shutil.copy(beside(other, "-wal"), beside(mine, "-wal"))
    await backup(f"sqlite:///{other}", tmp_path / "backup.db")
    file_before, log_before = mine.read_bytes(), beside(mine, "-wal").read_bytes()

    kept = await restore(tmp_path / "backup.db", f"sqlite:///{mine}")

    assert await heard(mine) == ["another's first"]
    assert kept is not None
    assert (kept.read_bytes(), beside(kept, "-wal").read_bytes()) == (file_before, log_before)


async def test_restoring_where_only_a_log_lies_moves_it_away(mine, other, tmp_path):
    await backup(f"sqlite:///{other}", tmp_path / "backup.db")
    mine.unlink()

    await restore(tmp_path / "backup.db", f"sqlite:///{mine}")

    assert await heard(mine) == ["another's first"]


@pytest.mark.parametrize("target", ["database", "in use"])
async def test_no_database_is_overwritten_by_a_backup(mine, other, target):
    if target == "database":
        await heard(other)
        assert not beside(other, "-wal").exists()
    before = contents(other.parent)

    with pytest.raises(DatabaseUnusable, match="not overwritten"):
        await backup(f"sqlite:///{mine}", other)

    assert contents(other.parent) == before


async def test_a_log_that_is_gone_is_mentioned_once(mine, caplog):
    beside(mine, "-wal").unlink()

    with caplog.at_level(logging.WARNING):
        await heard(mine)
    assert "has lost its log" in caplog.text

    caplog.clear()
    with caplog.at_level(logging.WARNING):
        await heard(mine)
    assert caplog.text == ""


async def test_a_log_damaged_in_its_middle_is_refused_not_cut_there(mine):
    log = bytearray(beside(mine, "-wal").read_bytes())
    log[32 + FRAME_BYTES + 500] ^= 0xFF
    beside(mine, "-wal").write_bytes(log)

    await refuse(mine, "-wal is damaged")


@pytest.mark.parametrize("lost", [1, FRAME_BYTES - 1, 3 * FRAME_BYTES + 5])
async def test_an_unfinished_commit_at_the_logs_end_is_none(mine, lost):
    os.truncate(beside(mine, "-wal"), beside(mine, "-wal").stat().st_size - lost)

    assert (await heard(mine))[:1] == ["my first"]


async def test_a_log_of_another_program_is_refused(mine, tmp_path):
    with closing(sqlite3.connect(tmp_path / "recipes.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE recipes (title TEXT)")
        shutil.copy(tmp_path / "recipes.db-wal", beside(mine, "-wal"))

    await refuse(mine, "not of this trinity.db")


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("elsewhere")])
async def test_what_is_no_plain_file_beside_it_is_refused(file, suffix, make: Callable[[Path], None]):
    await heard(file)
    make(beside(file, suffix))

    await refuse(file, f"{suffix} is not a plain file")


def leave_journal(source: Path, statement: str) -> bytes:
    """The journal of a transaction that a crash would leave half-way, out of a copy without a log."""
    with closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(statement)
        connection.execute("CREATE TABLE filler AS SELECT zeroblob(100000) AS filling")
        content = bytearray(beside(source, "-journal").read_bytes())
    # As after its sync: the number of records is in its header.
    struct.pack_into(">I", content, 8, (len(content) - 512) // (8 + 4096))
    return bytes(content)


async def test_its_own_journal_is_rolled_back_and_anothers_is_refused(file, url, tmp_path):
    async with open_database(url) as database:
        await hold_turn(database, ask(1, "kept"))
    await backup(url, tmp_path / "one.db")
    await backup(url, tmp_path / "two.db")
    journals = {}
    for name in ("one", "two"):
        copy = Path(shutil.copy(tmp_path / f"{name}.db", tmp_path / f"{name}-worked-on.db"))
        journals[name] = leave_journal(copy, "UPDATE conversations SET epoch = epoch + 1")

    beside(tmp_path / "one.db", "-journal").write_bytes(journals["two"])
    await refuse(tmp_path / "one.db", "-journal is not of this one.db")

    beside(tmp_path / "one.db", "-journal").write_bytes(journals["one"])
    assert await heard(tmp_path / "one.db") == ["kept"]


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"x"])
async def test_a_garbage_journal_is_refused_not_dropped(file, content):
    await heard(file)
    beside(file, "-journal").write_bytes(content)

    await refuse(file, "-journal is not of this")


async def test_an_unwritten_journal_is_none(file):
    await heard(file)
    beside(file, "-journal").write_bytes(bytes(512))

    assert await heard(file) == []
