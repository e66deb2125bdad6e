import asyncio
import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.errors import DatabaseUnusable
from bot.store.files.database import open_database
from bot.store.tables import SCHEMA_VERSION
from tests.store.said import ask, hold_turn, said


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    async def fill() -> None:
        async with open_database(f"sqlite:///{file}") as database:
            for number in range(20):
                await hold_turn(database, ask(number, "a question of some length " * 40))

    file = tmp_path_factory.mktemp("template") / "trinity.db"
    asyncio.run(fill())
    return file


@pytest.fixture
def closed(template: Path, file: Path) -> Path:
    """A database with something in it, closed cleanly."""
    file.parent.mkdir()
    return Path(shutil.copy(template, file))


@pytest.fixture
async def crashed(url: str, file: Path, tmp_path: Path) -> Path:
    """A database as kill -9 leaves it: the newest turns are in its log only."""
    copy = tmp_path / "crashed" / "trinity.db"
    copy.parent.mkdir()
    async with open_database(url) as database:
        await hold_turn(database, ask(1))
        for suffix in ("", "-wal"):
            source = file.with_name(file.name + suffix)
            copy.with_name(copy.name + suffix).write_bytes(source.read_bytes())
    return copy


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


async def refuse(file: Path) -> str:
    """Open, be refused, and find everything in the folder as it was."""
    before = contents(file.parent)
    with pytest.raises(DatabaseUnusable) as refusal:
        async with open_database(f"sqlite:///{file}"):
            pass
    assert contents(file.parent) == before
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


async def test_a_flipped_page_is_refused(closed):
    content = bytearray(closed.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = bytes(byte ^ 0xFF for byte in content[middle : middle + 4096])
    closed.write_bytes(content)

    assert "corrupt" in await refuse(closed)


@pytest.mark.parametrize("size", [50, 4096, 20_000])
async def test_a_truncated_file_is_refused(closed, size):
    os.truncate(closed, size)

    assert "trinity restore" in await refuse(closed)


async def test_an_empty_file_is_refused_not_filled(closed):
    os.truncate(closed, 0)

    assert "0 bytes" in await refuse(closed)


async def test_a_file_that_is_no_database_is_refused(closed):
    closed.write_text("Dear diary, " * 1000)

    assert "not an SQLite database" in await refuse(closed)


async def test_somebody_elses_database_is_refused(closed):
    closed.unlink()
    with closing(sqlite3.connect(closed)) as connection:
        connection.execute("CREATE TABLE recipes (title TEXT)")
        connection.commit()

    assert "not Trinity's" in await refuse(closed)


async def test_a_garbage_log_is_refused_not_dropped(crashed):
    log = crashed.with_name(crashed.name + "-wal")
    log.write_bytes(os.urandom(log.stat().st_size))

    assert "-wal is damaged" in await refuse(crashed)


async def test_a_log_without_its_database_is_refused(crashed):
    crashed.unlink()

    assert "without its database" in await refuse(crashed)


async def test_what_a_kill_left_in_the_log_is_there_at_the_next_start(crashed):
    async with open_database(f"sqlite:///{crashed}") as database:
        assert len(await said(database)) == 1


async def test_a_damaged_database_with_a_log_gets_no_index_file_beside_it(crashed):
    content = bytearray(crashed.read_bytes())
    content[100:4096] = os.urandom(3996)
    crashed.write_bytes(content)
    log = crashed.with_name(crashed.name + "-wal")
    log.write_bytes(log.read_bytes()[:32])

    await refuse(crashed)


async def test_an_unwritten_log_of_zeros_is_taken_for_empty(closed):
    closed.with_name(closed.name + "-wal").write_bytes(bytes(4096))

    async with open_database(f"sqlite:///{closed}") as database:
        assert len(await said(database)) == 20


async def test_a_read_only_file_is_refused(closed):
    closed.chmod(0o400)

    assert "read-only" in await refuse(closed)


async def test_a_read_only_folder_is_refused(closed):
    closed.parent.chmod(0o500)
    try:
        assert "read-only" in await refuse(closed)
    finally:
        closed.parent.chmod(0o700)


async def test_a_folder_in_the_files_place_is_refused(file):
    file.mkdir(parents=True)

    assert "not a file" in await refuse(file)


async def test_a_newer_schema_is_refused_and_both_versions_are_named(closed):
    with closing(sqlite3.connect(closed)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0099'")
        connection.commit()

    refusal = await refuse(closed)

    assert "0099" in refusal
    assert SCHEMA_VERSION in refusal


async def test_a_database_without_a_schema_is_refused(closed):
    with closing(sqlite3.connect(closed)) as connection:
        connection.execute("DELETE FROM alembic_version")
        connection.commit()

    assert "names no schema" in await refuse(closed)


@pytest.mark.parametrize(
    "url",
    ["", "trinity.db", "sqlite://", "sqlite:///:memory:", "mysql://localhost/trinity"],
)
async def test_a_url_of_another_kind_is_refused(url):
    with pytest.raises(DatabaseUnusable, match=r"sqlite:///"):
        async with open_database(url):
            pass


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(DatabaseUnusable, match="folder"):
        async with open_database(f"sqlite:///{tmp_path}/file/trinity.db"):
            pass


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DROP TABLE hints", "its table hints is missing"),
        ("DROP INDEX ix_inbox_state", "its index ix_inbox_state is missing"),
        ("ALTER TABLE personas DROP COLUMN prompt", "its table personas is not as Trinity made it"),
        ("ALTER TABLE personas ADD COLUMN mood TEXT", "its table personas is not as Trinity made it"),
        ("ALTER TABLE messages RENAME COLUMN content TO words", "its table messages is not as Trinity made it"),
        ("ALTER TABLE parts RENAME TO pieces", "its table parts is missing"),
        ("CREATE TRIGGER spy AFTER INSERT ON hints BEGIN DELETE FROM inbox; END", "it has the trigger spy"),
        ("CREATE VIEW everything AS SELECT * FROM messages", "it has the view everything"),
        ("CREATE TABLE recipes (title TEXT)", "it has the table recipes"),
        ("CREATE UNIQUE INDEX one_each ON messages (turn_id, role)", "it has the index one_each"),
    ],
)
async def test_an_altered_database_is_refused_and_what_was_altered_is_named(closed, statement, problem):
    with closing(sqlite3.connect(closed)) as connection:
        connection.execute(statement)
        connection.commit()

    assert problem in await refuse(closed)


async def test_another_form_of_an_index_is_seen(closed):
    with closing(sqlite3.connect(closed)) as connection:
        connection.execute("DROP INDEX uq_messages_question")
        connection.execute("CREATE INDEX uq_messages_question ON messages (conversation_id, message_id)")
        connection.commit()

    assert "its index uq_messages_question is not as" in await refuse(closed)


async def test_statistics_that_sqlite_keeps_for_itself_are_no_alteration(closed):
    with closing(sqlite3.connect(closed)) as connection:
        connection.execute("ANALYZE")
        connection.commit()

    async with open_database(f"sqlite:///{closed}") as database:
        assert len(await said(database)) == 20


async def test_a_schema_that_never_was_is_refused(closed):
    with closing(sqlite3.connect(closed)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
        connection.commit()

    assert "never heard of" in await refuse(closed)
