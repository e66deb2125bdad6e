import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.errors import DatabaseBusy, StoreError
from bot.store.files.database import Database, open_database
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.questions import InboxState
from bot.store.tables import inbox, messages
from tests.store.said import ELSEWHERE, HERE, answer, ask, hold_turn, said
from tests.store.storms import find_all_acknowledged, kill_while_answering


async def test_a_full_disk_loses_nothing_acknowledged_and_is_over_when_there_is_room(database):
    await hold_turn(database, ask(1, "before"))
    pages = await database.read(lambda connection: connection.exec_driver_sql("PRAGMA page_count"))
    await database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = " + str(pages.scalar_one())))
    acknowledged = 0

    async def fill() -> None:
        nonlocal acknowledged
        for number in range(2, 100):
            await Inbox(database).receive(ask(number, "x" * 2000))
            acknowledged += 1

    with pytest.raises(DatabaseBusy, match=r"disk .* is full"):
        await fill()

    assert database.engine.sync_engine.pool.checkedout() == 0
    assert len(await Inbox(database).unfinished()) == acknowledged
    assert await said(database) == [("before", "Not much.")]
    await database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 1000000"))
    assert await Inbox(database).receive(ask(200, "x" * 2000))
    assert await hold_turn(database, ask(201, "after")) is not None


async def hold_lock(file: Path, until: asyncio.Event) -> None:
    """What another process does that writes for long."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        await until.wait()
    finally:
        connection.execute("ROLLBACK")
        connection.close()


async def test_a_passing_lock_is_waited_for_and_the_loop_goes_on(database, file):
    until = asyncio.Event()
    num_rounds = 0

    async def probe() -> None:
        nonlocal num_rounds
        while not until.is_set():
            num_rounds += 1
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hold_lock(file, until))
        tasks.create_task(probe())
        await asyncio.sleep(0.01)
        receiving = tasks.create_task(Inbox(database).receive(ask(1)))
        await asyncio.sleep(0.5)
        was_waiting = not receiving.done()
        until.set()

    assert was_waiting
    assert receiving.result() is True
    assert num_rounds > 5


async def test_a_lock_of_long_is_told_to_all_who_wait_and_reading_goes_on(database, file):
    await hold_turn(database, ask(1))
    until = asyncio.Event()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hold_lock(file, until))
        await asyncio.sleep(0.01)
        writes = [tasks.create_task(failure_of(Inbox(database).receive(ask(number)))) for number in range(10, 18)]
        assert len(await said(database)) == 1
        async with asyncio.timeout(20):  # in turn it would be 8 times 5 seconds
            failures = [await write for write in writes]
        until.set()

    assert [type(failure) for failure in failures] == [DatabaseBusy] * 8
    assert await Inbox(database).receive(ask(10))
    assert database.engine.sync_engine.pool.checkedout() == 0


async def failure_of(work) -> BaseException | None:
    try:
        await work
    except StoreError as error:
        return error
    return None


async def test_another_process_may_read_and_write_beside_it(database, url):
    async with open_database(url) as other:
        await asyncio.gather(*(hold_turn(database, ask(number)) for number in range(10)))
        await asyncio.gather(*(hold_turn(other, ask(number, key=ELSEWHERE)) for number in range(10, 20)))

        assert len(await said(other, HERE)) == len(await said(database, ELSEWHERE)) == 10


@pytest.mark.no_cover
async def test_after_a_crash_anywhere_the_state_is_a_prefix_of_what_was_done(url, file, tmp_path):
    """The steps of a day; a copy of the files after each commit, recovered twice, shows just the steps before."""
    copies: list[Path] = []
    expected: list[object] = []

    async def snapshot(database: Database) -> None:
        folder = tmp_path / "copies" / str(len(copies))
        folder.mkdir(parents=True)
        for path in file.parent.glob("trinity.db*"):
            if not path.name.endswith("-shm"):
                shutil.copy(path, folder)
        copies.append(folder / file.name)
        expected.append(await describe(database))

    async with open_database(url) as database:
        history, questions = History(database), Inbox(database)
        for number in range(8):
            key = HERE if number % 2 else ELSEWHERE
            question = ask(number, f"question {number}", key=key)
            steps = [
                lambda q=question: questions.receive(q),
                lambda q=question: questions.begin_attempt(q, seed=7),
                lambda q=question: history.save_turn(q, answer(f"answer to {q.content}"), epoch=0),
                lambda q=question: questions.set_state(q, InboxState.ANSWERED),
            ]
            for step in steps:
                assert await step()
                await snapshot(database)

    for copy, before in zip(copies, expected, strict=True):
        for _ in range(2):
            async with open_database(f"sqlite:///{copy}") as recovered:
                assert await describe(recovered) == before


async def describe(database: Database) -> object:
    queries = (select(inbox.c.message_id, inbox.c.state, inbox.c.turn_id), select(messages.c.id, messages.c.content))
    return [(await database.read(lambda c, query=query: c.execute(query))).all() for query in queries]


@pytest.mark.no_cover
async def test_after_kill_9_everything_acknowledged_is_there_and_nothing_is_half(url, file, tmp_path):
    numbers = kill_while_answering(url, tmp_path / "acknowledged", num_bytes=200)

    assert await find_all_acknowledged(url, file, numbers) >= len(numbers) > 50
