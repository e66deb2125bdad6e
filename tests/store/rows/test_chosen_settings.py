import logging

import pytest
from sqlalchemy import text

from bot.conversation.channel_settings import ChannelSettings
from bot.conversation.messages import ConversationKey
from bot.store.files.database import Database
from bot.store.rows.chosen_settings import ChosenSettings, Scope
from bot.store.rows.history import History
from tests.store.said import DIRECT, ELSEWHERE, GUILD, HERE, THREAD

OTHER_GUILD = ConversationKey("discord", 900, 8)
OTHER_PLATFORM = ConversationKey("terminal", HERE.channel_id, GUILD)


@pytest.fixture
def chosen(database: Database) -> ChosenSettings:
    return ChosenSettings(database)


async def holds(database: Database, chosen: ChosenSettings, key: ConversationKey) -> ChannelSettings:
    """What an answer gets; what is in memory says the same, now and after a start."""
    loaded = (await History(database).load(key)).settings
    started = ChosenSettings(database)
    await started.load()
    assert chosen.now(key) == started.now(key) == loaded
    return loaded


async def test_a_guilds_choice_is_the_default_of_its_channels_alone(database, chosen):
    await chosen.set(HERE, Scope.GUILD, "temperature", 0.7, by=5)
    await chosen.set(HERE, Scope.CHANNEL, "temperature", 0.2, by=5)

    values = [(await holds(database, chosen, key)).temperature for key in (HERE, THREAD, ELSEWHERE)]

    assert values == [0.2, 0.2, 0.7]
    for stranger in (OTHER_GUILD, DIRECT, OTHER_PLATFORM):
        assert await holds(database, chosen, stranger) == ChannelSettings()


async def test_a_thread_has_its_channels_choices_until_it_has_its_own(database, chosen):
    await chosen.set(HERE, Scope.CHANNEL, "top_k", 3, by=5)
    await chosen.set(THREAD, Scope.CHANNEL, "top_k", 9, by=5)
    own = (await holds(database, chosen, THREAD)).top_k

    cleared = [await chosen.clear(THREAD, Scope.CHANNEL, "top_k") for _ in range(2)]

    assert own == 9
    assert cleared == [True, False]
    assert (await holds(database, chosen, THREAD)).top_k == 3


async def test_a_choice_is_changed_in_its_place(database, chosen):
    for value in ("managers", "everyone", "managers"):
        await chosen.set(DIRECT, Scope.CHANNEL, "resets", value, by=5)

    rows = await database.read(lambda connection: connection.execute(text("SELECT count(*) FROM channel_settings")))

    assert rows.scalar_one() == 1
    assert (await holds(database, chosen, DIRECT)).resets == "managers"


async def test_a_choice_for_the_guild_takes_a_guild(chosen):
    with pytest.raises(ValueError, match="no guild"):
        await chosen.set(DIRECT, Scope.GUILD, "top_k", 3, by=5)


async def test_rows_that_nobody_understands_are_ignored_with_a_line_in_the_log(database, chosen, caplog):
    await chosen.set(HERE, Scope.CHANNEL, "top_k", 3, by=5)
    for name, value in (("volume", "11"), ("temperature", '"hot"'), ("session", "null"), ("done_ping", "{}")):
        row = {"name": name, "value": value, "channel": HERE.channel_id}
        statement = text(
            "INSERT INTO channel_settings (platform, scope, scope_id, name, value, changed_by, changed_at)"
            " VALUES ('discord', 'channel', :channel, :name, :value, 1, '2026-11-22 09:00:00')"
        )
        await database.write(lambda connection, row=row, statement=statement: connection.execute(statement, row))

    caplog.set_level(logging.WARNING)

    assert await holds(database, chosen, HERE) == ChannelSettings(top_k=3)
    assert all(name in caplog.text for name in ("volume", "temperature", "session", "done_ping"))


async def test_a_deleted_channel_takes_its_choices_along_and_its_threads(database, chosen):
    await History(database).load(HERE)
    await chosen.set(HERE, Scope.CHANNEL, "top_k", 3, by=5)
    await chosen.set(HERE, Scope.GUILD, "top_p", 0.5, by=5)

    deletion = await History(database).delete_channel("discord", HERE.channel_id)
    chosen.forget_channels("discord", {key.channel_id for key in deletion.conversations})

    assert await holds(database, chosen, HERE) == ChannelSettings(top_p=0.5)
