"""`/privacy` on a loopback Discord: what a person said is shown, given and erased, everywhere and for good."""

import json
import logging
import re
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from bot.chat.memory_desk import MAX_EXPORT_BYTES
from bot.discord.commands.asking import MENU
from bot.words import phrase
from tests.discord.conftest import OpenHouse
from tests.discord.house import House, ask, labels
from tests.engines import EchoEngine
from tests.loopback import Interaction, LoopbackDiscord, Permission, judge
from tests.store.said import answer
from tests.store.said import ask as ask_there

ALL = Permission.MANAGE_GUILD | Permission.MANAGE_CHANNELS | Permission.MANAGE_MESSAGES
SECRET = "the swordfish sleeps below the old lighthouse"


async def use(house: House, person: str, command: str, channel=None, **options: object) -> Interaction:
    server = house.server
    used = await server.person(person).uses(command, channel or server.channel("general"), **options)
    return await used.answered(timeout=30.0)


def mentions(house: House, text: str) -> list[str]:
    """The tables in which a text stands."""
    with closing(sqlite3.connect(house.database_path)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [name for name in names for row in database.execute(f"SELECT * FROM {name}") if text in str(row)]


async def test_own_words_of_all_places_are_shown_given_and_erased_and_nobody_elses(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, bob, general = server.person("Alice"), server.person("Bob"), server.channel("general")
    async with enter(server) as house:
        await ask(house, SECRET)
        await house.reaches(await alice.dms("between us"), "answered")
        await use(house, "Alice", "/settings set", alice.dm_channel(), name="top_k", value="5")
        house.engine.answer = lambda _: f"Alice said: {SECRET.upper()}!"
        echoing = await bob.says(general, "what did she say?", mention=True)
        await house.reaches(echoing, "answered")
        shown = await use(house, "Alice", "/privacy show")
        given = await use(house, "Alice", "/privacy export")
        asked = await use(house, "Alice", "/privacy erase")
        kept = mentions(house, SECRET)
        erased = await use(house, "Alice", "/privacy erase", confirm=True)
        again = await use(house, "Alice", "/privacy show")
        num_forgotten = len(house.engine.forgotten)
        house.engine.answer = lambda _: "I don't know."
        await house.reaches(await bob.says(general, "who spoke?", mention=True), "answered")

        assert f"<#{general.id}>: 1" in shown.text
        assert "direct messages: 1" in shown.text
        assert phrase("privacy_settings", n=1) in shown.text
        (content,) = given.responses[0].files.values()
        questions = [turn["question"] for turns in json.loads(content).values() for turn in turns]
        assert sorted(questions) == ["between us", SECRET]
        assert labels(asked.original) == ["Erase", "Keep"]
        assert kept
        assert mentions(house, SECRET) == mentions(house, str(alice.id)) == []
        (answer,) = [m for m in general.visible_messages() if SECRET.upper() in m.content]
        assert f"/{server.guild.id}/{general.id}/{answer.id}" in erased.text
        assert f"<#{general.id}>: 1" in erased.text
        assert f"<#{general.id}>" not in again.text
        assert num_forgotten >= 2
        assert "Bob: what did she say?" in house.prompts[-1]
        assert f"Alice: {SECRET}" not in house.prompts[-1]
        assert all(used.is_ephemeral for used in (shown, given, asked, erased, again))
    judge(server)


async def test_what_one_said_in_many_places_fits_into_one_file_with_the_newest_of_each(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, words = server.person("Alice"), "x" * (MAX_EXPORT_BYTES // 4)
    async with enter(server) as house:
        for number, num_turns in enumerate((1, 3, 4)):
            key = replace(house.key, channel_id=100 + number)
            for turn in range(num_turns):
                said = ask_there(10 * number + turn, f"{turn} {words}", key, author_id=alice.id, author_name="Alice")
                await house.history.save_turn(said, answer(), epoch=0)

        copy = await house.chat.privacy.copy("discord", alice.id)

    copied = {place: [entry["question"][0] for entry in said] for place, said in json.loads(copy.text).items()}
    assert copied == {"channel 100": ["0"], "channel 101": ["2"], "channel 102": ["3"]}
    assert (copy.num_turns, copy.is_whole) == (3, False)


async def test_the_receipt_names_where_others_quoted_the_person(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, bob, general = server.person("Alice"), server.person("Bob"), server.channel("general")
    aside, elsewhere = server.channel("aside"), server.channel("hall", server.add_guild("Other"))
    async with enter(server) as house:
        menu = [
            await (await bob.picks(MENU, await alice.says(channel, "not said to the bot"))).answered()
            for channel in (aside, elsewhere)
        ]
        asked = [await bob.submits(opened, question="what is it?") for opened in menu]
        await ask(house, SECRET)
        said_again = await bob.says(general, f"is it true that {SECRET}?", mention=True)
        other = await bob.says(general, "Alice wrote: a book", mention=True)
        for message in (asked[0].original, asked[1].original, said_again, other):
            await house.reaches(message, "answered")

        erased = await use(house, "Alice", "/privacy erase", confirm=True)

        named = re.findall(r"/(\d+)/(\d+)$", erased.text.partition(phrase("privacy_quoted", n=2))[2], re.MULTILINE)
        quoting = {(str(message.channel.id), str(message.id)) for message in (asked[0].original, said_again)}
        assert set(named) == quoting


async def test_nothing_is_erased_before_a_click_says_so(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    alice.user.locale = "de"
    async with enter(server) as house:
        await ask(house, SECRET)
        asked = (await use(house, "Alice", "/privacy erase")).original
        kept = (await use(house, "Alice", "/privacy erase")).original
        await alice.clicks(kept, "Behalten")
        await server.wait_until(lambda: not labels(kept))
        before = mentions(house, SECRET)
    async with enter(server) as house:  # the question outlives the process
        await alice.clicks(asked, "Löschen")
        await server.wait_until(lambda: f"<#{general.id}>" in asked.content and not labels(asked))

        assert kept.content == phrase("privacy_kept").to("de")
        assert before
        assert mentions(house, SECRET) == []
        assert phrase("privacy_erased").to("de") in asked.content
        assert asked.ephemeral_for is alice.user
    judge(server)


async def test_that_somebody_asked_for_themselves_alone_is_erased_too(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, owner, general = server.person("Alice"), server.person("Olga", permissions=ALL), server.channel("general")
    async with enter(server) as house:
        private = await alice.uses("/ask", general, text=SECRET, private=True)
        await server.wait_until(lambda: "tokens" in private.text)
        chosen = await owner.uses("/settings set", general, name="session", value="person")
        await chosen.answered()
        question = await ask(house, SECRET)
        kept = mentions(house, str(alice.id))
        await use(house, "Alice", "/privacy erase", confirm=True)

        assert kept
        assert mentions(house, SECRET) == mentions(house, str(alice.id)) == []
        assert await house.state(question) == "answered"
        assert await house.inbox.last_message_id("discord", general.id) == question.id
        await house.reaches(await alice.says(general, "hello again", mention=True), "answered")
    judge(server)


async def test_a_private_answer_that_is_being_written_goes_with_ones_words(
    server: LoopbackDiscord, enter: OpenHouse, caplog: pytest.LogCaptureFixture
) -> None:
    engine = EchoEngine(answer=lambda _: "one two", words_before_gate=1, is_held=True)
    alice, general = server.person("Alice"), server.channel("general")
    async with enter(server, engine=engine) as house:
        private = await alice.uses("/ask", general, text=SECRET, private=True)
        await server.wait_until(lambda: "one" in private.text)

        await use(house, "Alice", "/privacy erase", confirm=True)
        await server.wait_until(lambda: not private.responses)
        await server.wait_until(lambda: not len(house.chat.exchanges))

        assert mentions(house, SECRET) == []
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    judge(server)
