"""Facts that are kept in mind go the way of what was said: hidden, brought back, deleted and erased with it."""

import asyncio
import multiprocessing
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select

from bot.errors import DatabaseBusy, PinError
from bot.store.files.database import Database, open_database
from bot.store.files.migrate import Migration, prepare_file
from bot.store.rows.history import History
from bot.store.rows.own_words import OwnWords
from bot.store.rows.pins import Pins
from bot.store.tables import SCHEMA_VERSION, pins, speakers
from tests.store.rows.test_own_words import Dying
from tests.store.said import DIRECT, ELSEWHERE, HERE, MORNING, THREAD, ask, hold_turn, said

ADA, BOB = 5, 6
CANARY = "the canary is called Gertrude"


def allow(_: object) -> None:
    """Let every pin be added and forgotten."""


def refuse(_: object) -> None:
    raise PinError("no")


async def pin(database: Database, content: str, key=HERE, author_id: int = ADA, name: str = "Ada") -> None:
    await Pins(database).add(key, author_id, name, content, allow)


async def kept(database: Database, key=HERE) -> list[tuple[int, str]]:
    """What a prompt gets to see, which has to be what a list shows."""
    loaded = (await History(database).load(key)).pins
    assert loaded == await Pins(database).of(key)
    return [(each.number, each.content) for each in loaded]


async def num_rows(database: Database) -> int:
    return await database.read(lambda connection: connection.scalar(select(func.count()).select_from(pins)))


def in_files(file: Path, words: str = CANARY) -> bool:
    files = [file, file.with_name(file.name + "-wal")]
    return any(words.encode() in path.read_bytes() for path in files if path.exists())


async def test_pins_belong_to_a_conversation_and_keep_their_numbers(database):
    for content in ("one", "two", "three"):
        await pin(database, content)
    await pin(database, "elsewhere", ELSEWHERE)
    await hold_turn(database, ask(1))

    forgotten = await Pins(database).forget(HERE, 2, allow)
    again = await Pins(database).forget(HERE, 2, allow)
    await pin(database, "four")

    assert (forgotten.content, forgotten.author_id, forgotten.author_name, again) == ("two", ADA, "Ada", None)
    assert forgotten.pinned_at == MORNING
    assert await kept(database) == [(1, "one"), (3, "three"), (4, "four")]
    assert await kept(database, ELSEWHERE) == [(1, "elsewhere")]
    assert await kept(database, THREAD) == []


async def test_what_is_refused_changes_nothing(database):
    await pin(database, "one")

    with pytest.raises(PinError):
        await Pins(database).add(HERE, ADA, "Ada", "two", refuse)
    with pytest.raises(PinError):
        await Pins(database).forget(HERE, 1, refuse)

    assert await kept(database) == [(1, "one")]


async def test_each_that_is_added_at_the_same_time_sees_those_before(database):
    def at_most_three(those):
        if len(those) > 3:
            raise PinError("full")

    adding = (Pins(database).add(HERE, ADA, "Ada", f"fact {number}", at_most_three) for number in range(8))
    results = await asyncio.gather(*adding, return_exceptions=True)

    assert sum(isinstance(result, PinError) for result in results) == 5
    assert [number for number, _ in await kept(database)] == [1, 2, 3]


async def test_pins_outlive_a_restart(url):
    async with open_database(url) as database:
        await pin(database, "one\x00")

    async with open_database(url) as database:
        assert await kept(database) == [(1, "one\ufffd")]


async def test_a_reset_hides_them_at_once_and_its_undoing_brings_them_back(database, clock):
    await pin(database, "before")
    await pin(database, "elsewhere", ELSEWHERE)
    await hold_turn(database, ask(1))
    history = History(database)
    since = clock.now

    clock.move(seconds=1)
    reset = await history.reset(HERE)
    hidden = await kept(database)
    await pin(database, "after")
    restored = await history.undo_reset(HERE, since)

    assert (reset.num_turns, reset.num_pins, hidden) == (1, 1, [])
    assert restored == 2
    assert await kept(database) == [(1, "before"), (2, "after")]
    assert await kept(database, ELSEWHERE) == [(1, "elsewhere")]
    assert len(await said(database)) == 1


async def test_a_reset_of_pins_alone_is_undone_but_not_by_another_ones_name(database, clock):
    history, since = History(database), clock.now
    await pin(database, "first")
    clock.move(seconds=1)
    first = await history.reset(HERE)
    await pin(database, "second")
    clock.move(seconds=1)
    second = await history.reset(HERE)

    assert await history.undo_reset(HERE, since, at=second.at) == 1
    assert await kept(database) == [(2, "second")]
    assert await history.undo_reset(HERE, since, at=first.at) == 1
    assert await history.undo_reset(HERE, since) == 0
    assert await kept(database) == [(1, "first"), (2, "second")]


@pytest.mark.parametrize("way", ["forget", "reset", "retention", "channel", "erasure"])
async def test_no_word_of_a_pin_that_is_gone_is_in_the_files(database, file, clock, way):
    history = History(database)
    for _ in range(3):  # in pages that are split, and written again
        await pin(database, CANARY + " and much is to be said of that" * 30)
    await pin(database, "harmless", ELSEWHERE, BOB, "Bob")
    assert in_files(file)
    clock.move(days=2)

    if way == "forget":
        for number in (1, 2, 3):
            await Pins(database).forget(HERE, number, allow)
    elif way == "reset":
        await history.reset(HERE)
        await history.purge_hidden()
    elif way == "retention":
        await history.delete_older_than(clock.now)
    elif way == "channel":
        await history.delete_channel("discord", HERE.channel_id)
    else:
        await OwnWords(database).erase("discord", ADA)

    assert not in_files(file)
    assert await kept(database) == []
    assert await num_rows(database) == (0 if way == "retention" else 1)


async def test_what_is_hidden_is_deleted_when_its_minute_is_over_also_by_a_later_process(url, clock):
    async with open_database(url, clock=clock) as database:
        await pin(database, CANARY)
        await History(database).reset(HERE)

    async with open_database(url, clock=clock) as database:
        history = History(database)
        await history.purge_hidden(MORNING.replace(hour=0))
        before = await num_rows(database)
        await history.purge_hidden(MORNING)
        assert (before, await num_rows(database)) == (1, 0)


async def test_a_clock_that_is_set_back_keeps_no_hidden_pin_alive(database, clock):
    await pin(database, CANARY)
    await History(database).reset(HERE)
    clock.move(days=-3)

    await History(database).purge_hidden(clock.now)

    assert await num_rows(database) == 0


async def test_retention_counts_and_finds_the_oldest_of_them(database, clock):
    history = History(database)
    await pin(database, "old")
    clock.move(days=3)
    await pin(database, "new")

    due, oldest = await history.count_older_than(clock.now), await history.oldest()
    await history.delete_older_than(clock.now)

    assert (due.num_turns, due.num_pins, bool(due), oldest) == (0, 1, True, MORNING)
    assert [content for _, content in await kept(database)] == ["new"]
    assert not await history.count_older_than(clock.now)


async def test_a_channels_deletion_takes_those_of_its_threads_along(database):
    for key in (HERE, THREAD, ELSEWHERE):
        await pin(database, "fact", key)

    await History(database).delete_channel("discord", HERE.channel_id)

    assert [len(await kept(database, key)) for key in (HERE, THREAD, ELSEWHERE)] == [0, 0, 1]


async def test_erasing_takes_ones_own_pins_everywhere_and_nobody_elses(database):
    for key in (HERE, ELSEWHERE, DIRECT):
        await pin(database, "Ada's", key)
    await pin(database, "Bob's", HERE, BOB, "Bob")
    await History(database).reset(ELSEWHERE)
    own_words = OwnWords(database)
    of_ada = [(key, each.content) for key, each in await Pins(database).by("discord", ADA)]
    before = await own_words.traces("discord", ADA)

    await own_words.erase("discord", ADA)
    restored = await History(database).undo_reset(ELSEWHERE, MORNING.replace(hour=0))

    assert of_ada == [(HERE, "Ada's"), (ELSEWHERE, "Ada's"), (DIRECT, "Ada's")]
    assert (before.num_pins, (await own_words.traces("discord", ADA)).num_pins, restored) == (3, 0, 0)
    assert await kept(database) == [(2, "Bob's")]
    assert await Pins(database).by("discord", ADA) == []


@pytest.mark.parametrize("num_writes", [1, 2, 3])
async def test_an_erasure_that_ends_in_between_has_taken_them(database, num_writes):
    await pin(database, CANARY)
    await hold_turn(database, ask(1))

    with pytest.raises(DatabaseBusy):
        await OwnWords(Dying(database, num_writes)).erase("discord", ADA)

    assert await num_rows(database) == 0


@pytest.mark.parametrize("way", ["forget", "retention"])
async def test_who_has_a_pin_keeps_the_name_it_stands_under_and_loses_it_with_it(database, file, clock, way):
    history = History(database)
    await hold_turn(database, ask(1))
    await pin(database, "fact")
    row = {"conversation_id": 1, "label_key": "ada", "author_id": ADA, "name_key": "ada", "label": "Ada Lovelace"}
    await database.write(lambda connection: connection.execute(speakers.insert().values(**row)))

    await history.delete_message("discord", 1)
    with_pin = (await history.load(HERE)).speakers
    clock.move(days=2)
    if way == "forget":
        await Pins(database).forget(HERE, 1, allow)
    else:
        await history.delete_older_than(clock.now)

    assert [speaker.label for speaker in with_pin] == ["Ada Lovelace"]
    assert (await history.load(HERE)).speakers == ()
    assert not in_files(file, "Ada Lovelace")


RESETS_AFTER = 7


def add_until_killed(url: str, acknowledged) -> None:
    """Pins a fact after the other, each named by how many there were; a negative number says that all were reset."""

    async def add() -> None:
        async with open_database(url) as database:
            for number in range(1, 100_000):
                await pin(database, f"{number} {CANARY}")
                acknowledged.value = number
                if number % RESETS_AFTER == 0:
                    await History(database).reset(HERE)
                    acknowledged.value = -number

    asyncio.run(add())


@pytest.mark.slow
async def test_a_process_that_is_killed_loses_no_pin_and_brings_none_back(url, file):
    context = multiprocessing.get_context("spawn")
    acknowledged = context.Value("l", 0)
    process = context.Process(target=add_until_killed, args=(url, acknowledged))
    process.start()
    least = 2 * RESETS_AFTER + 3
    while abs(acknowledged.value) < least and process.is_alive():  # noqa: ASYNC110 - another process sets it
        await asyncio.sleep(0.001)
    process.kill()
    process.join()
    last = acknowledged.value

    async with open_database(url) as database:
        numbers = [int(content.split()[0]) for _, content in await kept(database)]
        await History(database).reset(HERE)
        await History(database).purge_hidden()

    assert process.exitcode == -signal.SIGKILL
    # One step more may have been committed than its process lived to tell.
    if last < 0:
        assert numbers in ([], [-last + 1])
    elif last % RESETS_AFTER == 0:
        assert numbers in ([*range(last - RESETS_AFTER + 1, last + 1)], [])
    else:
        first = last - last % RESETS_AFTER + 1
        assert numbers in ([*range(first, last + 1)], [*range(first, last + 2)])
    assert not in_files(file)


def test_a_database_of_before_gets_room_for_them(file):
    prepare_file(file, version="0013")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO conversations (platform, channel_id, guild_id) VALUES ('discord', 100, 7)")

    migration = prepare_file(file)

    assert migration == Migration("0013", SCHEMA_VERSION)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM conversations").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM pins").fetchone() == (0,)
