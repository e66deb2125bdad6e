"""What is asked again and again reads no whole table, however many rows there are."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import event

from bot.conversation.turn_limits import TurnLimits
from bot.store.files.database import Database
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from tests.store.past import fill
from tests.store.said import DIRECT, HERE, MORNING, ask

pytestmark = pytest.mark.sqlite_only  # the plans are its own

PERIODIC: dict[str, Callable[[Database], Awaitable[object]]] = {
    "what was reset": lambda database: History(database).purge_hidden(MORNING),
    "all that was reset": lambda database: History(database).purge_hidden(),
    "what is too old": lambda database: History(database).delete_older_than(MORNING - timedelta(days=1)),
    "what is oldest": lambda database: History(database).oldest(),
    "what is left to do": lambda database: Inbox(database).unfinished(),
    "a turn of the hour": lambda database: Inbox(database).receive(ask(2), TurnLimits(person=5, guild=50)),
    "a hint": lambda database: Inbox(database).claim_hint("discord", 5, MORNING.date()),
}


async def plans(database: Database, work: Callable[[Database], Awaitable[object]]) -> list[str]:
    """The steps of each statement that `work` runs, as SQLite plans them."""
    statements: list[tuple[str, object]] = []
    engine = database.engine.sync_engine

    def note(_connection, _cursor, statement, parameters, _context, _many):
        if statement.split()[0] in ("SELECT", "UPDATE", "DELETE", "INSERT"):
            statements.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    await work(database)
    event.remove(engine, "before_cursor_execute", note)
    assert statements
    steps = []
    for statement, parameters in statements:
        explained = "EXPLAIN QUERY PLAN " + statement
        rows = await database.read(lambda c, s=explained, p=parameters: c.exec_driver_sql(s, p))
        steps += [f"{row[3]} <- {' '.join(statement.split())[:90]}" for row in rows]
    return steps


@pytest.mark.parametrize("what", PERIODIC)
async def test_nothing_that_comes_again_and_again_reads_a_whole_table(database, what):
    await History(database).reset(HERE)
    await fill(database, [HERE, DIRECT], 1000, 20, MORNING - timedelta(days=9), MORNING - timedelta(days=8))
    # So that there is something to do, and every statement runs.
    await History(database).reset(DIRECT)
    await Inbox(database).receive(ask(1))
    await database.write(
        lambda c: c.exec_driver_sql("UPDATE conversations SET epoch = epoch + 1 WHERE channel_id = 100")
    )

    steps = await plans(database, PERIODIC[what])

    scans = [step for step in steps if step.startswith("SCAN") and not step.startswith("SCAN CONSTANT ROW")]
    # The oldest is the first of its index. The index of texts holds only the few questions that still have theirs.
    bounded = ("_at <- SELECT",) if what == "what is oldest" else ("ix_inbox_text",)
    assert [step for step in scans if not any(words in step for words in bounded)] == []


async def test_where_nothing_is_to_do_nothing_is_written(database, file):
    await History(database).purge_hidden()
    before = file.read_bytes(), file.with_name("trinity.db-wal").read_bytes()
    ran: list[str] = []

    def note(_connection, _cursor, statement, *_rest):
        ran.append(statement.split()[0])

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    await History(database).purge_hidden(MORNING)

    assert (file.read_bytes(), file.with_name("trinity.db-wal").read_bytes()) == before
    assert "SELECT" in ran
    assert not {"UPDATE", "DELETE", "INSERT"} & set(ran)
