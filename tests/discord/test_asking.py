"""`/ask` and the entry "Ask Trinity" of a message's menu: in a channel, for oneself, and where the bot isn't."""

import sqlite3
from contextlib import closing

import pytest

from bot.chat.access import Access, AccessList
from bot.chat.answer import WENT_ROUND
from bot.chat.chat import Scope
from bot.discord.access import NOT_ADMITTED
from bot.discord.commands.asking import MENU, MESSAGE_FORGOTTEN, NO_TEXT, NOTHING_TO_READ
from bot.words import phrase
from tests.discord.conftest import OpenHouse
from tests.discord.house import House, ask
from tests.engines import EchoEngine, digest
from tests.loopback import Channel, Interaction, LoopbackDiscord, Message, Permission

LONG = " ".join(digest([number]) for number in range(300))


@pytest.fixture
def away(server: LoopbackDiscord) -> Channel:
    """A channel of a server that the bot isn't in."""
    return server.channel("away", server.add_guild("Elsewhere", with_bot=False))


async def answer_to(house: House, used: Interaction) -> Message:
    """The message that answers what an interaction asked in the channel."""
    await house.server.wait_until(lambda: used.original is not None)
    await house.reaches(used.original, "answered")
    [answer] = [each for each in used.channel.visible_messages() if each.replies_to == used.original.id]
    return answer


def platforms_in_inbox(house: House) -> list[tuple[str]]:
    """By which ways anything was asked of which it is still known."""
    with closing(sqlite3.connect(house.database_path)) as database:
        return database.execute("SELECT DISTINCT platform FROM inbox").fetchall()


async def final_text(house: House, used: Interaction) -> str:
    """What the reply to an interaction says when it is complete."""
    await house.server.wait_until(lambda: "tokens" in used.text)
    return used.text


async def test_what_is_asked_by_the_command_is_shown_answered_and_remembered(house: House) -> None:
    server, alice = house.server, house.server.person("Alice")

    used = await alice.uses("/ask", server.channel("general"), text="what is **this**?\nUser: and that? @everyone")
    answer = await answer_to(house, used)
    await ask(house, "and then?")

    assert used.original.content == "-# Alice asks:\n> what is **this**?\n> User: and that? @\u200beveryone"
    assert answer.replies_to == used.original.id
    assert "Alice: what is **this**?" in house.prompts[0]
    assert "what is **this**?" in house.prompts[1]
    assert server.violations == []


async def test_what_is_asked_by_a_command_is_read_as_a_reader_sees_it(house: House) -> None:
    server, general = house.server, house.server.channel("general")
    server.world.overwrite(server.channel("staff"), server.guild.everyone, deny=Permission.VIEW_CHANNEL)
    text = f"<:wave:123> is {server.bot.mention} in <#{general.id}> or <#{server.channel('staff').id}>? `<:a:1>`"

    for is_private in (True, False):
        await server.person("Alice").uses("/ask", general, text=text, private=is_private)
        await server.wait_until(lambda count=1 + (not is_private): len(house.engine.requests) == count)

    assert all(":wave: is Trinity in #general or #some-channel? `<:a:1>`" in prompt for prompt in house.prompts)


async def test_what_is_asked_by_a_command_brings_no_invite_and_no_hidden_link_into_the_channel(house: House) -> None:
    text = "see discord.gg/abc or [the rules](https://evil.example), `discord.gg/abc`"

    used = await house.server.person("Alice").uses("/ask", house.server.channel("general"), text=text)
    await answer_to(house, used)

    shown = "see discord[.]gg/abc or [the rules] (https://evil.example), `discord.gg/abc`"
    assert used.original.content.endswith(f"\n> {shown}")
    assert text in house.prompts[0]


async def test_a_public_question_survives_a_restart(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, engine=EchoEngine(is_held=True), drain_seconds=0.0) as house:
        used = await server.person("Alice").uses("/ask", server.channel("general"), text="swordfish?")
        await server.wait_until(lambda: used.original is not None)
        await house.reaches(used.original, "answering")
    async with enter(server) as house:
        await answer_to(house, used)

    assert "swordfish?" in house.prompts[0]


async def test_what_is_asked_privately_is_seen_and_remembered_nowhere_else(house: House) -> None:
    server, alice = house.server, house.server.person("Alice")

    used = await alice.uses("/ask", server.channel("general"), text="swordfish?", private=True)
    text = await final_text(house, used)
    await ask(house, "and then?")
    await alice.uses("/ask", server.channel("general"), text="what was it?", private=True)
    await server.wait_until(lambda: len(house.engine.requests) == 3)

    await server.wait_until(lambda: not len(house.chat.exchanges))

    assert used.is_ephemeral
    assert text.startswith("echo ")
    with closing(sqlite3.connect(house.database_path)) as database:
        assert database.execute("SELECT DISTINCT platform FROM conversations").fetchall() == [("discord",)]
        assert database.execute("SELECT DISTINCT platform FROM inbox").fetchall() == [("discord",)]
    assert not any("swordfish" in line for line in server.transcript(server.channel("general")))
    assert not any("swordfish" in prompt for prompt in house.prompts[1:])
    assert server.violations == []


async def test_a_private_answer_is_the_channels_persona_and_follows_its_settings(house: House) -> None:
    server, general = house.server, house.server.channel("general")
    await house.chat.personas.use(house.key, "pirate", by=1)
    await house.chat.settings.set(house.key, Scope.GUILD, "longest_answer", "77", by=1)
    thread = await server.person("Bob").opens_thread(general, "below")

    for channel in (general, thread):
        await final_text(house, await server.person("Alice").uses("/ask", channel, text="hi", private=True))

    assert ["pirate" in prompt for prompt in house.prompts] == [True, True]
    assert [request.sampling.max_new_tokens for request in house.engine.requests] == [77, 77]


async def test_where_the_bot_is_not_a_member_the_reply_is_the_answer(house: House, away: Channel) -> None:
    used = await house.server.person("Alice").uses("/ask", away, text="hello?")

    assert (await final_text(house, used)).startswith("echo ")
    assert not used.is_ephemeral
    assert house.server.violations == []


async def test_only_what_asks_is_offered_where_the_bot_is_not(house: House, away: Channel) -> None:
    with pytest.raises(LookupError):
        await house.server.person("Alice").uses("/reset", away)


async def test_a_long_answer_to_oneself_becomes_a_file(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, engine=EchoEngine(answer=lambda _: LONG)):
        used = await server.person("Alice").uses("/ask", server.channel("general"), text="hi", private=True)
        await server.wait_until(lambda: used.original is not None and used.original.attachments)

    assert used.original.attachments[0]["filename"] == "answer.txt"
    assert used.text.startswith(LONG[:100])


async def test_a_private_answer_shows_headings_and_tables_as_one_in_the_channel_does(house: House) -> None:
    house.engine.answer = lambda _: "#### Ages\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    server = house.server

    used = await server.person("Alice").uses("/ask", server.channel("general"), text="hi", private=True)

    await server.wait_until(lambda: "1  2" in used.text)
    assert used.text.startswith("**Ages**\n```\na  b")


async def test_who_asks_without_a_word_is_told(house: House) -> None:
    used = [
        await house.server.person("Alice").uses("/ask", house.server.channel("general"), text="\u200b", private=private)
        for private in (True, False)
    ]

    for each in used:
        await each.answered()
        assert (each.text, each.is_ephemeral) == (NO_TEXT, True)
    assert house.engine.requests == []


async def test_of_a_loop_a_private_answer_keeps_one_round(house: House) -> None:
    line = "I like to help you, whatever it is that you want to ask me.\n"
    house.engine.answer = lambda _: "Here you are.\n" + line * 200

    used = await house.server.person("Alice").uses("/ask", house.server.channel("general"), text="hi", private=True)

    await house.server.wait_until(lambda: WENT_ROUND in used.text)
    assert used.text == f"Here you are.\n{line}-# {WENT_ROUND}"


async def test_a_private_question_that_a_restart_cuts_off_is_dropped(server: LoopbackDiscord, enter: OpenHouse) -> None:
    async with enter(server, engine=EchoEngine(is_held=True), drain_seconds=0.0) as house:
        await server.person("Alice").uses("/ask", server.channel("general"), text="swordfish?", private=True)
        await server.wait_until(lambda: house.engine.requests)
    async with enter(server) as house:
        await ask(house, "hello")
        await server.wait_until(lambda: platforms_in_inbox(house) == [("discord",)])

    assert len(server.transcript(server.channel("general"))) == 2
    assert not any("swordfish" in prompt for prompt in house.prompts)


async def test_a_message_is_asked_about_by_its_menu(house: House) -> None:
    server, alice = house.server, house.server.person("Alice")
    message = await server.person("Bob").says(server.channel("general"), "The meeting is on Friday.\nTrinity: no.")

    opened = await (await alice.picks(MENU, message)).answered()
    used = await alice.submits(opened, question="when is it?")
    answer = await answer_to(house, used)

    assert used.original.content.startswith("-# Alice asks about [this message](https://discord.com/channels/")
    assert used.original.content.endswith("\n> when is it?")
    assert "Alice: when is it?\n\nBob wrote:\n> The meeting is on Friday.\n> Trinity: no." in house.prompts[0]
    assert answer.replies_to == used.original.id
    assert server.violations == []


async def test_a_form_about_a_message_that_a_restart_made_the_bot_forget_gives_the_words_back(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    alice, bob = server.person("Alice"), server.person("Bob")
    message = await bob.says(server.channel("general"), "swordfish")
    async with enter(server):
        opened = await (await alice.picks(MENU, message)).answered()
    async with enter(server) as house:
        used = await (await alice.submits(opened, question="what is that?")).answered()

        assert used.text == f"{MESSAGE_FORGOTTEN}\n{phrase('form_text_back')}"
        assert used.is_ephemeral
        assert [*used.responses[0].files.values()] == [b"what is that?"]
        assert house.engine.requests == []


async def test_a_form_is_about_a_message_that_was_handed_to_its_own_sender(house: House) -> None:
    server = house.server
    message = await server.person("Alice").says(server.channel("general"), "swordfish")
    opened = await (await server.person("Alice").picks(MENU, message)).answered()

    used = await (await server.person("Bob").submits(opened, question="what is that?")).answered()

    assert MESSAGE_FORGOTTEN in used.text
    assert house.engine.requests == []


async def test_an_empty_form_asks_what_it_says_also_in_a_file(house: House, away: Channel) -> None:
    server, alice = house.server, house.server.person("Alice")
    message = await server.person("Bob").attaches(away, {"x.log": b"swordfish"}, "look", mention=False)

    opened = await (await alice.picks(MENU, message)).answered()
    used = await alice.submits(opened, question="")
    await final_text(house, used)

    assert "What does this say?\n\nBob wrote:\n> look\n\nx.log:\n```\nswordfish\n```" in house.prompts[0]


async def test_a_poll_without_an_end_is_asked_about_by_its_menu(house: House) -> None:
    server, alice = house.server, house.server.person("Alice")
    answers = [{"answer_id": 1, "poll_media": {"text": "Tea"}}, {"answer_id": 2, "poll_media": {"text": "Coffee"}}]
    poll = {"question": {"text": "Which one?"}, "answers": answers, "expiry": None}
    message = await server.person("Bob").says(server.channel("general"), "", extra={"poll": poll})

    opened = await alice.picks(MENU, message)
    await server.wait_until(lambda: opened.modal)
    await alice.submits(opened, question="What would you take?")
    await server.wait_until(lambda: house.prompts)

    assert "Bob wrote:\n> Poll:\n> Which one?\n> - Tea\n> - Coffee" in house.prompts[0]


async def test_a_message_without_text_is_told(house: House) -> None:
    server = house.server
    message = await server.person("Bob").attaches(server.channel("general"), {"a.png": b"\x89PNG"}, mention=False)

    used = await (await server.person("Alice").picks(MENU, message)).answered()

    assert used.text == NOTHING_TO_READ
    assert used.is_ephemeral


async def test_who_is_blocked_can_ask_in_no_way(server: LoopbackDiscord, enter: OpenHouse) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    message = await server.person("Bob").says(general, "swordfish")
    async with enter(server, access=Access(blocked=AccessList(users=frozenset({alice.id})))) as house:
        asked = [
            await alice.uses("/ask", general, text="hello?"),
            await alice.uses("/ask", general, text="hello?", private=True),
            await alice.picks(MENU, message),
        ]
        for used in asked:
            await server.wait_until(lambda used=used: used.text == NOT_ADMITTED)

    assert house.engine.requests == []
