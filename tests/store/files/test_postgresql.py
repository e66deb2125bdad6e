"""The store on a real PostgreSQL server: the one that POSTGRESQL_URL names, or one that the tests start."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, NullPool, func, make_url, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from bot.conversation.pins import Pin
from bot.conversation.turn_limits import TurnLimits
from bot.doctor.database import look_at_database
from bot.doctor.finding import State
from bot.errors import DatabaseBusy, DatabaseUnusable, PinError, TurnsSpent
from bot.store.files.database import Database, migrate, open_database
from bot.store.files.reading import open_for_reading
from bot.store.rows.chosen_settings import ChosenSettings, Scope
from bot.store.rows.conversations import ensure_conversation
from bot.store.rows.guilds import Guilds
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.made_answers import MadeAnswer, MadeAnswers, Missing
from bot.store.rows.own_words import OwnWords
from bot.store.rows.personas import NOBODY, Personas
from bot.store.rows.pins import Pins
from bot.store.rows.questions import InboxState
from bot.store.tables import (
    SCHEMA_VERSION,
    channel_settings,
    conversations,
    messages,
    metadata,
    persona_texts,
    turns_taken,
)
from tests.store.postgresql_server import new_database, on_postgresql
from tests.store.said import DIRECT, ELSEWHERE, HERE, THREAD, Clock, ask, hold_turn, said

NAME = f"trinity_test_{os.getpid()}"

pytestmark = on_postgresql()


@pytest.fixture
async def url(postgresql_server: str) -> AsyncIterator[str]:
    async with new_database(postgresql_server, NAME) as address:
        yield address.render_as_string(hide_password=False)


async def test_a_new_database_has_the_schema_without_drift(url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        options = {"compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    first, *later = await asyncio.gather(*(migrate(url) for _ in range(4)))

    assert {migration.after for migration in (first, *later)} == {SCHEMA_VERSION}
    assert [migration.before for migration in (first, *later)].count(None) == 1
    async with open_database(url) as database:
        assert await database.read(lambda connection: connection.run_sync(differences)) == []


async def test_the_doctor_looks_without_making_anything(url: str) -> None:
    empty = await look_at_database(url)
    await migrate(url)
    migrated = await look_at_database(url)

    assert {finding.state for finding in (*empty, *migrated)} == {State.OK}
    assert any("it is empty" in finding.said for finding in empty)
    assert any("this Trinity's" in finding.said for finding in migrated)
    assert any("its encoding is UTF8" in finding.said for finding in migrated)


async def test_what_was_said_is_there_after_a_restart_and_gone_after_a_reset(url: str) -> None:
    clock = Clock()
    async with open_database(url, clock=clock) as database:
        await hold_turn(database, ask(1, "Who \x00 are you? \ud800 \U0001f98a"), "Trinity.")
        await hold_turn(database, ask(2, "And in the thread?", THREAD), "The same.")

    async with open_database(url, clock=clock) as database:
        assert await said(database) == [("Who \ufffd are you? \ufffd \U0001f98a", "Trinity.")]
        await History(database).reset(HERE)
        assert await said(database) == []
        assert len(await said(database, THREAD)) == 1
        assert await History(database).purge_hidden(clock() + timedelta(minutes=2)) == 1
        assert await database.read(lambda connection: connection.scalar(select(func.count(messages.c.id)))) == 2


async def test_facts_are_kept_hidden_brought_back_and_erased(url: str) -> None:
    clock = Clock()
    async with open_database(url, clock=clock) as database, open_database(url, clock=clock) as other:
        history, pins = History(database), Pins(database)

        def at_most_three(those: Sequence[Pin]) -> None:
            if len(those) > 3:
                raise PinError("full")

        adding = (Pins(each).add(HERE, 5, "Ada", "Rex \x00", at_most_three) for each in (database, other) * 4)
        results = await asyncio.gather(*adding, return_exceptions=True)
        assert sum(isinstance(result, PinError) for result in results) == 5
        await pins.add(HERE, 6, "Bob", "Minka", lambda _: None)
        await hold_turn(database, ask(1))
        assert [(pin.number, pin.content) for pin in (await history.load(HERE)).pins] == [
            (1, "Rex \ufffd"), (2, "Rex \ufffd"), (3, "Rex \ufffd"), (4, "Minka"),
        ]  # fmt: skip

        clock.move(seconds=1)
        assert (await history.reset(HERE)).num_pins == 4
        assert await pins.of(HERE) == ()
        assert await history.undo_reset(HERE, clock() - timedelta(seconds=60)) == 5
        assert await pins.forget(HERE, 1, lambda _: None) is not None
        assert (await history.count_older_than(clock())).num_pins == 3
        await OwnWords(database).erase("discord", 5)
        assert [pin.content for pin in await pins.of(HERE)] == ["Minka"]
        await history.delete_older_than(clock())
        assert await pins.by("discord", 6) == []


async def test_a_question_is_received_once_by_whichever_process(url: str) -> None:
    async with open_database(url) as database, open_database(url) as other:
        accepted = await asyncio.gather(*(Inbox(each).receive(ask(1)) for each in (database, other) * 5))

        assert sorted(accepted) == [False] * 9 + [True]
        assert await Inbox(database).state("discord", 1) == InboxState.RECEIVED
        assert [left.question.content for left in await Inbox(other).unfinished()] == ["What is up?"]


async def test_turns_are_counted_one_by_one_and_a_guild_that_was_left_goes(url: str) -> None:
    clock = Clock()
    async with open_database(url, clock=clock) as database:
        inbox, guilds, limits = Inbox(database), Guilds(database), TurnLimits(person=2, guild=50)
        asked = (inbox.receive(ask(number), limits) for number in range(10))
        taken = await asyncio.gather(*asked, return_exceptions=True)
        assert sorted(map(str, taken)).count("True") == 2
        assert sum(isinstance(each, TurnsSpent) for each in taken) == 8

        await guilds.note_present("discord", [HERE.guild_id or 0, 8])
        assert await guilds.note_present("discord", [8]) == {HERE.guild_id}
        await guilds.note_left("discord", HERE.guild_id or 0, clock())
        assert (await guilds.delete("discord", HERE.guild_id or 0)).conversations == (HERE,)
        assert await inbox.unfinished() == []


async def test_a_persons_words_are_erased_and_named_where_others_quote_them(url: str) -> None:
    clock, limits = Clock(), TurnLimits(person=2)
    async with open_database(url, clock=clock) as database:
        own_words, inbox, history = OwnWords(database), Inbox(database), History(database)
        await inbox.receive(ask(1, "swordfish"), limits)
        await hold_turn(database, ask(2, "swordfish again", ELSEWHERE), "Yes, swordfish.")
        await hold_turn(database, ask(3, "what is it?\n\nAda wrote:\n> 100%_sure", author_id=6, author_name="Bob"))
        await hold_turn(database, ask(4, "what is it?\n\nAda wrote:\n> 100 sure", author_id=6, author_name="Bob"))

        places = await own_words.places("discord", 5)
        names = await own_words.names("discord", 5)
        quoting = await own_words.questions_of_others("discord", 5, [HERE.guild_id or 0], ["Ada wrote:\n> 100%_"])
        withdrawn = await own_words.erase("discord", 5)

        assert [(place.key, place.num_turns) for place in places] == [(ELSEWHERE, 1)]
        assert (names, quoting, withdrawn) == ({"Ada"}, [(HERE, 3)], (1,))
        assert [await said(database, key) for key in (HERE, ELSEWHERE)][1] == []
        assert await own_words.places("discord", 5) == []
        numbers = await database.read(lambda connection: connection.scalars(select(turns_taken.c.author_id)))
        assert [number < 0 for number in numbers] == [True]
        assert await history.purge_hidden() == 0


async def test_a_reset_is_undone_by_its_moment_within_a_minute(url: str) -> None:
    clock = Clock()
    async with open_database(url, clock=clock) as database:
        history, resets = History(database), []
        for number in (1, 2):
            clock.move(seconds=1, microseconds=number)
            await hold_turn(database, ask(number, f"question {number}"))
            resets.append(await history.reset(HERE))
        minute_ago = clock() - timedelta(minutes=1)

        first = await history.undo_reset(HERE, minute_ago, resets[0].at)
        shown = await said(database)
        too_late = await history.undo_reset(HERE, clock(), resets[1].at)
        second = await history.undo_reset(HERE, minute_ago)

        assert (first, too_late, second) == (1, 0, 1)
        assert shown == [("question 1", "Not much.")]
        assert len(await said(database)) == 2


async def test_what_was_chosen_for_a_channel_is_kept_changed_and_taken_back(url: str) -> None:
    async with open_database(url) as database:
        chosen = ChosenSettings(database)
        await chosen.set(HERE, Scope.GUILD, "temperature", 0.5, 5)
        await chosen.set(HERE, Scope.CHANNEL, "temperature", 0.7, 5)
        await chosen.set(HERE, Scope.CHANNEL, "temperature", 1, 5)
        await chosen.set(HERE, Scope.CHANNEL, "done_ping", True, 5)
        await chosen.clear(HERE, Scope.CHANNEL, "done_ping")
        await OwnWords(database).erase("discord", 5)
        read = ChosenSettings(database)
        await read.load()

        assert [read.now(key).temperature for key in (HERE, THREAD, ELSEWHERE, DIRECT)] == [1, 1, 0.5, None]
        assert read.now(HERE).done_ping is False
        changed_by = await database.read(lambda connection: connection.scalars(select(channel_settings.c.changed_by)))
        assert set(changed_by) == {NOBODY}


async def test_a_persona_is_the_guilds_and_a_thread_inherits_it(url: str) -> None:
    async with open_database(url) as database:
        personas = Personas(database)
        await personas.save(HERE, "Baker", "You bake.", author_id=1, author_name="")
        await personas.choose(HERE, "Baker", author_id=1, author_name="")
        await Inbox(database).receive(ask(1, key=THREAD))

        inherited = (await History(database).load(THREAD)).settings.persona

    assert (inherited.name, inherited.prompt) == ("Baker", "You bake.")


async def test_two_processes_do_not_lose_each_others_updates(url: str) -> None:
    async def count_up(connection: AsyncConnection) -> None:
        value = (await ensure_conversation(connection, HERE)).epoch
        await connection.execute(conversations.update().values(epoch=value + 1))

    async def count_up_alone(connection: AsyncConnection) -> None:
        value = await connection.scalar(select(conversations.c.epoch))
        await connection.execute(conversations.update().values(epoch=value + 1))

    async with open_database(url) as database, open_database(url) as other:
        await Inbox(database).receive(ask(1))
        writers = [database, other] * 12
        counting = [writer.write(count_up) for writer in writers]
        alone = [writer.write(count_up_alone, is_alone=True) for writer in writers]
        await asyncio.gather(*(each for pair in zip(counting, alone, strict=True) for each in pair))

        assert await epoch(database) == 48


async def test_a_reader_sees_one_state_and_keeps_no_writer_waiting(url: str) -> None:
    async with open_database(url) as database:
        await hold_turn(database, ask(1))

        async def count_twice(connection: AsyncConnection) -> list[int | None]:
            before = await connection.scalar(select(func.count(messages.c.id)))
            await hold_turn(database, ask(2))
            return [before, await connection.scalar(select(func.count(messages.c.id)))]

        assert await database.read(count_twice) == [2, 2]
        assert len(await said(database)) == 2


async def test_connections_that_the_server_dropped_are_replaced(postgresql_server: str, url: str) -> None:
    drop = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name").bindparams(name=NAME)
    async with open_database(url) as database:
        await hold_turn(database, ask(1))
        engine = create_async_engine(make_url(postgresql_server).set(drivername="postgresql+asyncpg"))
        async with engine.connect() as connection:
            await connection.execute(drop)
        await engine.dispose()

        await hold_turn(database, ask(2))

        assert len(await said(database)) == 2


async def test_a_connection_lost_in_a_transaction_is_passing(url: str) -> None:
    async def lose(connection: AsyncConnection) -> None:
        await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    async with open_database(url) as database:
        with pytest.raises(DatabaseBusy):
            await database.write(lose)

        await hold_turn(database, ask(1))
        assert len(await said(database)) == 1


@pytest.mark.parametrize("wrong", [{"password": "not-the-password"}, {"database": "no_such_database"}])
async def test_what_the_server_refuses_is_the_operators_to_mend(url: str, wrong: dict[str, str]) -> None:
    with pytest.raises(DatabaseUnusable, match="TRINITY_DATABASE_URL"):
        await migrate(make_url(url).set(**wrong).render_as_string(hide_password=False))


async def test_a_new_database_has_to_hold_what_people_write(url: str) -> None:
    name = f"{NAME}_latin"
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"), isolation_level="AUTOCOMMIT", poolclass=NullPool
    )
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"))
        try:
            with pytest.raises(DatabaseUnusable, match="encoding is LATIN1"):
                await migrate(make_url(url).set(database=name).render_as_string(hide_password=False))
        finally:
            await connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


async def test_a_database_of_a_newer_trinity_is_left_alone(url: str) -> None:
    await migrate(url)
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await engine.dispose()

    with pytest.raises(DatabaseUnusable, match="newer"):
        await migrate(url)


async def epoch(database: Database) -> int | None:
    return await database.read(lambda connection: connection.scalar(select(conversations.c.epoch)))


async def test_an_answer_is_found_with_what_it_was_made_of_and_its_personas_text_goes_with_it(url: str) -> None:
    made_with = {"persona": "short", "persona_text": "You are brief.", "recipe": {"day": "2026-11-22"}}
    async with open_database(url) as database:
        await hold_turn(database, ask(1), token_ids=[5, 70_000], **made_with)
        await hold_turn(database, ask(2), **made_with)
        async with open_for_reading(url) as looked_at:
            answers = MadeAnswers(looked_at)
            made, unknown = await answers.find("discord", 1), await answers.find("discord", 3)
        texts = [await database.read(lambda connection: connection.scalar(select(persona_texts.c.prompt)))]
        await OwnWords(database).erase("discord", 5)
        texts.append(await database.read(lambda connection: connection.scalar(select(persona_texts.c.prompt))))

    assert isinstance(made, MadeAnswer)
    assert (made.token_ids, made.persona_text, made.recipe) == ((5, 70_000), "You are brief.", made_with["recipe"])
    assert unknown is Missing.UNKNOWN
    assert texts == ["You are brief.", None]


async def test_what_only_reads_makes_no_tables(url: str) -> None:
    with pytest.raises(DatabaseUnusable, match="nothing was ever answered here"):
        async with open_for_reading(url):
            pass
