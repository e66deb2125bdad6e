"""A guild that was left goes as a whole, and nothing else with it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from bot.conversation.messages import ConversationKey
from bot.conversation.turn_limits import TurnLimits
from bot.store.rows.chosen_settings import ChosenSettings, Scope
from bot.store.rows.guilds import Guilds
from bot.store.rows.inbox import Inbox
from bot.store.rows.personas import Personas
from bot.store.rows.pins import Pins
from bot.store.tables import metadata
from tests.store.past import fill
from tests.store.said import DIRECT, GUILD, HERE, MORNING, THREAD, ask, hold_turn, said

OTHER = ConversationKey("discord", 900, guild_id=8)
BY_ADA = {"author_id": 5, "author_name": "Ada"}


async def counts(database) -> dict[str, int]:
    """How many rows each table has, without those that have none."""

    async def work(connection):
        found = {}
        for table in metadata.sorted_tables:
            found[table.name] = await connection.scalar(select(func.count()).select_from(table))
        return {name: number for name, number in found.items() if number}

    return await database.read(work)


async def live_in(database, key: ConversationKey, first: int) -> None:
    """Everything that a guild's people can leave behind."""
    personas, chosen = Personas(database), ChosenSettings(database)
    await hold_turn(database, ask(first, key=key))
    await Inbox(database).receive(ask(first + 1, key=key), TurnLimits(person=1000))
    await hold_turn(database, ask(first + 2, key=replace(key, platform="discord-interaction", person_id=5)))
    await Pins(database).add(key, 5, "Ada", "I am Ada.", lambda _: None)
    await personas.save(key, "own", "You are brief.", **BY_ADA)
    await personas.choose(key, "own", **BY_ADA)
    await chosen.set(key, Scope.CHANNEL, "top_k", 5, by=5)
    if key.guild_id is not None:
        await chosen.set(key, Scope.GUILD, "top_k", 6, by=5)


@pytest.mark.parametrize("others_first", [True, False])
async def test_all_of_a_guild_is_deleted_and_nothing_of_others(database, others_first):
    guilds = Guilds(database)
    kept = [(OTHER, 100), (DIRECT, 200)]
    if others_first:
        for key, first in kept:
            await live_in(database, key, first)
        await guilds.note_joined("discord", OTHER.guild_id)
    before = await counts(database)
    for key, first in ((HERE, 300), (THREAD, 400)):
        await live_in(database, key, first)
    await guilds.note_left("discord", GUILD, MORNING)

    deletion = await guilds.delete("discord", GUILD)

    assert {key.channel_id for key in deletion.conversations} == {HERE.channel_id, THREAD.channel_id}
    assert await counts(database) == before


async def test_what_was_chosen_where_nothing_was_said_goes_too(database):
    await Guilds(database).note_left("discord", GUILD, MORNING)
    await ChosenSettings(database).set(HERE, Scope.CHANNEL, "top_k", 5, by=5)

    await Guilds(database).delete("discord", GUILD)

    assert await counts(database) == {}


async def test_thousands_of_turns_go_in_steps(database):
    await fill(database, [HERE, THREAD], 1000, 2500, MORNING, MORNING + timedelta(hours=1))
    await Guilds(database).note_left("discord", GUILD, MORNING)

    await Guilds(database).delete("discord", GUILD)

    assert await counts(database) == {}


async def test_a_guild_that_was_not_left_is_never_deleted(database):
    guilds = Guilds(database)
    await hold_turn(database, ask(1))
    await guilds.note_left("discord", GUILD, MORNING)
    await guilds.note_joined("discord", GUILD)

    assert (await guilds.delete("discord", GUILD)).conversations == ()
    assert (await guilds.delete("discord", 12345)).conversations == ()

    assert await said(database) == [("What is up?", "Not much.")]


async def test_which_guilds_are_missing_is_told_and_when_they_were_left_is_kept(database):
    guilds = Guilds(database)
    assert await guilds.note_present("discord", [1, 2, 3]) == set()

    assert await guilds.note_present("discord", [1]) == {2, 3}
    await guilds.note_left("discord", 2, MORNING)
    await guilds.note_left("discord", 2, MORNING + timedelta(days=5))

    assert await guilds.note_present("discord", [1]) == {3}
    assert await guilds.left_before("discord", MORNING + timedelta(days=1)) == [2]
    assert await guilds.note_present("discord", [1, 2]) == {3}
    assert await guilds.left_before("discord", MORNING + timedelta(days=1)) == []
