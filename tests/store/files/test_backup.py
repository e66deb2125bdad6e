import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.errors import DatabaseBusy, DatabaseUnusable, SecondInstance
from bot.store.files.backup import backup, restore
from bot.store.files.database import open_database
from bot.store.files.instance import hold_instance
from bot.store.files.sqlite import APPLICATION_ID
from bot.store.rows.history import History
from tests.store.said import ask, hold_turn, said


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "backup.db"


async def heard(url: str) -> list[str]:
    async with open_database(url) as database:
        return [question for question, _ in await said(database)]


async def test_a_backup_is_private_whole_and_ours(database, url, copy):
    await hold_turn(database, ask(1))

    await backup(url, copy)

    assert copy.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in copy.parent.iterdir() if path.is_file()] == [copy.name]
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


@pytest.mark.no_cover
async def test_a_backup_made_under_load_is_a_prefix_of_what_was_said(database, url, copy):
    has_begun = asyncio.Event()

    async def talk() -> None:
        for number in range(60):
            await hold_turn(database, ask(number, f"question {number}"))
            if number == 5:
                has_begun.set()

    async with asyncio.TaskGroup() as tasks:
        talking = tasks.create_task(talk())
        await has_begun.wait()
        await backup(url, copy)
        was_talking = not talking.done()

    asked = await heard(f"sqlite:///{copy}")
    assert was_talking
    assert 5 <= len(asked) < 60
    assert asked == [f"question {number}" for number in range(len(asked))]


async def test_what_was_reset_is_in_no_backup(database, url, copy):
    history, here = History(database), ask(1).conversation
    turn_id = await hold_turn(database, ask(1, "the canary is called Gertrude"))
    await history.pins.add(here, 5, "Ada", "Gertrude is a canary.", lambda _: None)
    (turn,) = await history.transcripts.turns(here, [turn_id])
    assert await history.summaries.save(here, 0, [turn], ["Ada calls a canary Gertrude."])
    await history.reset(here)

    await backup(url, copy)

    assert b"Gertrude" not in copy.read_bytes()


async def test_a_backup_replaces_an_older_one_and_nothing_else(database, url, file, copy, tmp_path):
    await backup(url, copy)
    await hold_turn(database, ask(1))
    await backup(url, copy)
    assert len(await heard(f"sqlite:///{copy}")) == 1

    letter = tmp_path / "letter"
    letter.write_text("Dear Ada")
    for target in (letter, file, tmp_path):
        with pytest.raises(DatabaseUnusable, match="not overwritten"):
            await backup(url, target)
    assert letter.read_text() == "Dear Ada"


async def test_a_backup_into_a_folder_that_is_not_there_names_the_folder(database, url, tmp_path):
    with pytest.raises(DatabaseUnusable, match=f"no folder {tmp_path / 'nowhere'}"):
        await backup(url, tmp_path / "nowhere" / "backup.db")

    assert not (tmp_path / "nowhere").exists()


async def test_there_is_nothing_to_back_up_or_to_restore(url, copy, file):
    with pytest.raises(DatabaseUnusable, match="no database"):
        await backup(url, copy)
    with pytest.raises(DatabaseUnusable, match="no backup"):
        await restore(copy, url)

    assert not copy.exists()
    assert not file.exists()


async def test_a_restored_database_says_what_it_said_and_the_newer_one_is_kept(url, file, copy):
    async with open_database(url) as database:
        await hold_turn(database, ask(1, "old"))
        await backup(url, copy)
        await hold_turn(database, ask(2, "new"))

    kept = await restore(copy, url)

    assert await heard(url) == ["old"]
    assert await heard(f"sqlite:///{kept}") == ["old", "new"]
    assert kept.parent == file.parent
    assert file.stat().st_mode & 0o777 == 0o600


async def test_a_backup_is_restored_where_there_is_no_database(database, url, copy, tmp_path):
    await hold_turn(database, ask(1, "old"))
    await backup(url, copy)
    copy.chmod(0o400)
    elsewhere = f"sqlite:///{tmp_path}/new/folder/trinity.db"

    assert await restore(copy, elsewhere) is None

    assert await heard(elsewhere) == ["old"]


@pytest.mark.parametrize("damage", ["garbage", "empty", "log"])
async def test_a_backup_takes_a_damaged_databases_place(url, file, copy, damage):
    async with open_database(url) as database:
        await hold_turn(database, ask(1, "old"))
        await backup(url, copy)
        log = file.with_name(file.name + "-wal").read_bytes()
    if damage == "log":
        file.with_name(file.name + "-wal").write_bytes(os.urandom(len(log)))
        file.write_bytes(file.read_bytes()[:5000])
    else:
        file.write_bytes(b"Dear diary" * 1000 if damage == "garbage" else b"")
    content = file.read_bytes()

    kept = await restore(copy, url)

    assert await heard(url) == ["old"]
    if damage != "empty":
        assert kept.read_bytes() == content


async def test_a_damaged_backup_is_refused_and_the_database_stays(url, file, copy):
    async with open_database(url) as database:
        await hold_turn(database, ask(1, "a long question " * 500))
        await backup(url, copy)
    before = file.read_bytes()
    for content in (b"", b"junk" * 1000, copy.read_bytes()[:9000]):
        copy.write_bytes(content)
        with pytest.raises(DatabaseUnusable, match="name another backup"):
            await restore(copy, url)

    assert file.read_bytes() == before
    assert {path.name for path in file.parent.iterdir()} == {file.name, file.name + ".lock"}


async def test_nothing_is_restored_under_a_running_daemon(url, copy, tmp_path):
    async with open_database(url) as database:
        await backup(url, copy)
        with hold_instance(url, "token", tmp_path), pytest.raises(SecondInstance):
            await restore(copy, url)
        await hold_turn(database, ask(1))
        with pytest.raises(DatabaseBusy, match="open"):
            await restore(copy, url)

    assert len(await heard(url)) == 1


async def test_postgresql_has_its_own_tools(copy):
    with pytest.raises(DatabaseUnusable, match="pg_dump"):
        await backup("postgresql+asyncpg://localhost/trinity", copy)
