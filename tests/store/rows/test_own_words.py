"""A person's words are erased everywhere, also where the process ends in between, and nobody else's."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.errors import DatabaseBusy
from bot.store.files.database import Database
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.own_words import OwnWords
from bot.store.rows.personas import NOBODY, Personas
from bot.store.tables import inbox, messages, persona_changes, persona_texts, personas, speakers
from tests.store.said import DIRECT, ELSEWHERE, HERE, MORNING, ask, hold_turn, said

ADA, BOB = 5, 6


class Dying:
    """A database that is gone after so many writes."""

    def __init__(self, database: Database, num_writes: int) -> None:
        self._database = database
        self._num_left = num_writes

    def __getattr__(self, name: str):
        return getattr(self._database, name)

    async def write(self, work, **options):
        if not self._num_left:
            raise DatabaseBusy("gone")
        self._num_left -= 1
        return await self._database.write(work, **options)


async def everything(database: Database) -> str:
    async def work(connection) -> str:
        tables = (messages, inbox, persona_changes, personas, speakers, persona_texts)
        return "\n".join([str((await connection.execute(select(table))).all()) for table in tables])

    return await database.read(work)


async def fill(database: Database) -> None:
    for message_id, key in enumerate((HERE, ELSEWHERE, DIRECT), start=1):
        await hold_turn(database, ask(message_id, "swordfish", key), "Yes, swordfish.", persona_text="Say swordfish.")
    await hold_turn(database, ask(4, "hello", author_id=BOB, author_name="Bob"))
    await Inbox(database).receive(ask(8, "swordfish again"))
    for key in (HERE, DIRECT):
        await Personas(database).save(key, "own", "You are brief.", author_id=ADA, author_name="Ada")


async def test_erasing_takes_every_word_and_leaves_those_of_others(database: Database) -> None:
    await fill(database)
    own_words = OwnWords(database)
    places = await own_words.places("discord", ADA)

    emptied = await own_words.erase("discord", ADA)

    (question,) = await Inbox(database).unfinished()
    assert (question.question.message_id, question.is_erased, question.is_stale) == (8, True, True)
    left = await everything(database)
    assert [place.num_turns for place in places] == [1, 1, 1]
    assert emptied == (8,)
    assert "swordfish" not in left
    assert "Ada" not in left
    assert await said(database, HERE) == [("hello", "Not much.")]
    assert await own_words.places("discord", ADA) == []
    assert (await Personas(database).find_own(HERE, "own")).changed_by == NOBODY
    assert await Personas(database).find_own(DIRECT, "own") is None


@pytest.mark.parametrize("num_writes", [1, 2])
async def test_what_was_begun_is_finished_by_whoever_deletes_what_is_hidden(
    database: Database, num_writes: int
) -> None:
    await fill(database)
    history = History(database)
    with pytest.raises(DatabaseBusy):
        await OwnWords(Dying(database, num_writes)).erase("discord", ADA)

    num_restored = await history.undo_reset(HERE, MORNING - timedelta(minutes=1))
    shown = await said(database, HERE)
    await history.purge_hidden(MORNING - timedelta(minutes=1))

    assert num_restored == 0
    assert shown == [("hello", "Not much.")]
    assert "Yes, swordfish." not in await everything(database)
