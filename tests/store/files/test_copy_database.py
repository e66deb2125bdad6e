"""A database copied into an empty one of either kind: whole, compared, and not where a daemon runs."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.command_line.database import copy_database as copy_on_command_line
from bot.errors import DatabaseUnusable, SecondInstance
from bot.settings.settings import Settings
from bot.store.files.copying import ROWS_AT_ONCE, copy_database
from bot.store.files.database import open_database
from bot.store.files.instance import hold_database_file
from bot.store.files.server_lock import hold_server
from bot.store.rows.chosen_settings import ChosenSettings, Scope
from bot.store.rows.guilds import Guilds
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.personas import Personas
from bot.store.tables import hints, metadata
from tests.logging_state import logging_as_before
from tests.store.postgresql_server import new_database, on_postgresql
from tests.store.said import DIRECT, ELSEWHERE, HERE, MORNING, THREAD, Clock, ask, hold_turn, said

NUM_HINTS = 2 * ROWS_AT_ONCE + 1
FAR = 2**62
"""An id as Discord will have them."""


@pytest.fixture
async def urls(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """Where from and where to, by the kinds that the test is called with."""
    async with AsyncExitStack() as made:
        urls = []
        for number, kind in enumerate(request.param):
            if kind == "sqlite":
                urls.append(f"sqlite:///{tmp_path}/{number}/trinity.db")
                continue
            server = request.getfixturevalue("postgresql_server")
            address = await made.enter_async_context(new_database(server, f"trinity_copy_{os.getpid()}_{number}"))
            urls.append(address.render_as_string(hide_password=False))
        yield urls[0], urls[1]


EACH_WAY = pytest.mark.parametrize(
    "urls",
    [
        ("sqlite", "sqlite"),
        *(
            pytest.param(kinds, marks=on_postgresql())
            for kinds in (("sqlite", "postgresql"), ("postgresql", "sqlite"), ("postgresql", "postgresql"))
        ),
    ],
    indirect=True,
)
QUICKEST = pytest.mark.parametrize("urls", [("sqlite", "sqlite")], indirect=True)


async def live_in(url: str) -> None:
    """Everything that the tables can hold, and a turn that was deleted."""
    clock = Clock()
    async with open_database(url, clock=clock) as database:
        inbox, history = Inbox(database), History(database)
        await hold_turn(
            database, ask(1, "Who \x00 are you? \ud800 \U0001f98a"), "Trinity.", persona_text="You are brief."
        )
        await hold_turn(database, ask(FAR, key=THREAD), token_ids=[5, 70_000], recipe={"day": "2026-11-22", "a": [1.5]})
        await hold_turn(database, ask(3, key=DIRECT, is_direct=True))
        await hold_turn(database, ask(4, key=ELSEWHERE))
        await history.reset(ELSEWHERE)
        await inbox.receive(ask(5, "an open question"))
        await history.pins.add(HERE, 5, "Ada", "Rex", lambda _: None)
        await ChosenSettings(database).set(HERE, Scope.CHANNEL, "temperature", 0.7, 5)
        await Personas(database).save(HERE, "Baker", "You bake.", author_id=1, author_name="Ada")
        await Guilds(database).note_left("discord", 8, clock() + timedelta(microseconds=7))
        await hold_turn(database, ask(6, key=ELSEWHERE))
        await history.delete_message("discord", 6)
        rows = [{"platform": "t", "author_id": number, "day": MORNING.date()} for number in range(NUM_HINTS)]
        await database.write(lambda connection: connection.execute(hints.insert(), rows))


def quietly(_table: str, _done: int, _total: int) -> None:
    pass


@EACH_WAY
async def test_a_copy_holds_the_same_and_goes_on_where_the_other_was(urls: tuple[str, str]) -> None:
    source, target = urls
    await live_in(source)
    heard: dict[str, tuple[int, int]] = {}

    copied = await copy_database(source, target, lambda table, *how_far: heard.update({table: how_far}))

    assert heard == {name: (number, number) for name, number in copied.num_rows.items()}
    assert set(metadata.tables) - set(copied.num_rows) == {"shards", "shard_processes", "session_starts"}
    assert copied.num_rows["hints"] == NUM_HINTS
    async with open_database(source) as one, open_database(target) as other:
        assert await said(other) == [("Who \ufffd are you? \ufffd \U0001f98a", "Trinity.")]
        assert await History(other).load(THREAD) == await History(one).load(THREAD)
        assert [left.question.content for left in await Inbox(other).unfinished()] == ["an open question"]
        ids = [await hold_turn(each, ask(7, key=DIRECT)) for each in (one, other)]
        assert ids[0] == ids[1]


@EACH_WAY
async def test_what_is_not_empty_is_not_written_to(urls: tuple[str, str]) -> None:
    source, target = urls
    for url in urls:
        async with open_database(url) as database:
            await hold_turn(database, ask(1))

    with pytest.raises(DatabaseUnusable, match="TO isn't empty"):
        await copy_database(source, target, quietly)
    async with open_database(target) as database:
        assert len(await said(database)) == 1


@EACH_WAY
async def test_a_copy_that_ended_half_way_is_begun_again(urls: tuple[str, str]) -> None:
    source, target = urls
    await live_in(source)

    def end(table: str, done: int, _total: int) -> None:
        if table == "messages" and done:
            raise KeyError("as if the process ended")

    with pytest.raises(KeyError):
        await copy_database(source, target, end)
    copied = await copy_database(source, target, quietly)

    assert copied.num_rows["messages"] > 0


@QUICKEST
async def test_what_reads_otherwise_is_not_kept(urls: tuple[str, str]) -> None:
    source, target = urls
    await live_in(source)
    async with open_database(target) as database:  # as a mistake in the database would
        trigger = (
            "CREATE TRIGGER spoil AFTER INSERT ON pins BEGIN UPDATE pins SET content = 'Max' WHERE id = new.id; END"
        )

        async def spoil(connection: AsyncConnection) -> None:
            await connection.execute(text(trigger))

        await database.write(spoil)
    with pytest.raises(DatabaseUnusable, match=r"TO: .*altered"):
        await copy_database(source, target, quietly)


@EACH_WAY
async def test_no_daemon_may_run_on_either(urls: tuple[str, str]) -> None:
    await live_in(urls[0])
    for url in urls:
        async with AsyncExitStack() as running:
            if url.startswith("sqlite"):
                file = Path(url.removeprefix("sqlite:///"))
                file.parent.mkdir(exist_ok=True)
                running.enter_context(hold_database_file(file))
            else:
                await running.enter_async_context(hold_server(url))
            with pytest.raises(SecondInstance, match="FROM" if url == urls[0] else "TO"):
                await copy_database(*urls, quietly)


@QUICKEST
async def test_there_has_to_be_something_to_copy_and_another_place_for_it(urls: tuple[str, str]) -> None:
    with pytest.raises(DatabaseUnusable, match="FROM"):
        await copy_database(*urls, quietly)
    with pytest.raises(DatabaseUnusable, match="the same database"):
        await copy_database(urls[0], urls[0], quietly)


@QUICKEST
def test_the_command_says_how_far_it_is_and_what_is_next(
    urls: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(live_in(urls[0]))

    with logging_as_before():
        assert copy_on_command_line(Settings(_env_file=None), *urls) == 0

    out = capsys.readouterr().out
    assert f"hints: {NUM_HINTS:,} of {NUM_HINTS:,}" in out
    assert "TRINITY_DATABASE_URL" in out
