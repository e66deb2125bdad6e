"""A persona's text is kept once for all the answers that it was given with, and goes with the last of them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.store.files.database import Database
from bot.store.rows.guilds import Guilds
from bot.store.rows.history import History
from bot.store.rows.turns import packed, unpacked
from bot.store.tables import messages, persona_texts
from tests.store.said import ELSEWHERE, GUILD, HERE, MORNING, answer, ask, hold_turn

CANARY = "You are Gertrude, a canary."
PLAIN = "You are plain."
MADE_WITH = {"persona_text": CANARY, "recipe": {"sections": {"persona": []}}, "token_ids": [1, 2, 255, 31_999, 70_000]}


async def kept(database: Database) -> set[str]:
    async def work(connection) -> set[str]:
        return set(await connection.scalars(select(persona_texts.c.prompt)))

    return await database.read(work)


async def leave_guild(database: Database) -> None:
    guilds = Guilds(database)
    await guilds.note_present("discord", [GUILD])
    await guilds.note_left("discord", GUILD, MORNING)
    await guilds.delete("discord", GUILD)


async def reset(database: Database) -> None:
    await History(database).reset(HERE)
    await History(database).purge_hidden()


DELETIONS: dict[str, Callable[[Database], Awaitable[object]]] = {
    "message": lambda database: History(database).delete_message("discord", 1),
    "reset": reset,
    "retention": lambda database: History(database).delete_older_than(MORNING + timedelta(days=1)),
    "channel": lambda database: History(database).delete_channel("discord", HERE.channel_id),
    "person": lambda database: History(database).own_words.erase("discord", 5),
    "guild": leave_guild,
}


@pytest.mark.parametrize("deletion", DELETIONS.values(), ids=DELETIONS)
async def test_a_text_goes_with_its_last_answer_and_is_in_no_file_then(
    database: Database, file: Path, deletion: Callable[[Database], Awaitable[object]]
) -> None:
    await hold_turn(database, ask(1), **MADE_WITH)
    assert await kept(database) == {CANARY}

    await deletion(database)

    assert await kept(database) == set()
    assert [path.name for path in file.parent.iterdir() if b"Gertrude" in path.read_bytes()] == []


async def test_a_text_stays_for_as_long_as_an_answer_needs_it(database: Database) -> None:
    await hold_turn(database, ask(1), **MADE_WITH)
    await hold_turn(database, ask(2, key=ELSEWHERE), persona_text=CANARY)
    await hold_turn(database, ask(3, key=ELSEWHERE), persona_text=PLAIN)

    await DELETIONS["message"](database)

    assert await kept(database) == {CANARY, PLAIN}


async def test_an_answer_that_is_replaced_leaves_no_text(database: Database) -> None:
    await hold_turn(database, ask(1), **MADE_WITH)
    await hold_turn(database, ask(2), persona_text=PLAIN)
    await hold_turn(database, ask(3, key=ELSEWHERE))
    history = History(database)
    await database.write(lambda connection: connection.exec_driver_sql("UPDATE inbox SET state = 'waiting'"))

    await history.save_turn(ask(1), answer(persona_text=PLAIN), epoch=0)

    assert await kept(database) == {PLAIN}


async def test_an_answer_keeps_its_recipe_and_its_tokens(database: Database) -> None:
    await hold_turn(database, ask(1), **MADE_WITH)

    query = select(messages.c.recipe, messages.c.token_ids).where(messages.c.role == "assistant")
    recipe, token_ids = (await database.read(lambda connection: connection.execute(query))).one()

    assert recipe == MADE_WITH["recipe"]
    assert list(unpacked(token_ids)) == MADE_WITH["token_ids"]
    assert [packed(ids) for ids in ([], [-1, 5], [5, 2**24])] == [b""] * 3
