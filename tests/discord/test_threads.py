"""`/thread`, end to end on a loopback Discord."""

import pytest

from bot.discord.command_replies import NOT_TAKEN
from bot.store.rows.chosen_settings import Scope
from bot.words import phrase
from tests.discord.conftest import OpenHouse
from tests.discord.house import House
from tests.engines import EchoEngine
from tests.loopback import LoopbackDiscord, Permission, Status, judge


async def test_a_thread_begins_anew_with_its_channels_settings(house: House) -> None:
    server = house.server
    alice, general = server.person("Alice"), server.channel("general")
    await general.answer_to(await alice.says(general, "the word is swordfish", mention=True))
    await house.chat.settings.set(house.key, Scope.CHANNEL, "temperature", "1.5", alice.id)

    used = await alice.uses("/thread", general, title="  Deep   talk ")
    await used.answered()
    thread = next(channel for channel in server.world.channels.values() if channel.is_thread)
    await thread.answer_to(await alice.says(thread, "which word?", mention=True))

    assert thread.name == "Deep talk"
    assert f"<#{thread.id}>" in used.text
    assert "swordfish" not in house.prompts[-1]
    assert house.engine.requests[-1].sampling.temperature == 1.5
    judge(server).require(turns=2, replies=2)


async def test_a_thread_without_a_title_is_called_after_who_opened_it(house: House) -> None:
    server = house.server
    alice, general = server.person("Alice"), server.channel("general")

    await (await alice.uses("/thread", general)).answered()

    assert [channel.name for channel in server.world.channels.values() if channel.is_thread] == ["Trinity and Alice"]


async def test_where_no_thread_can_be_opened_that_is_said(house: House) -> None:
    server = house.server
    alice, general, other = server.person("Alice"), server.channel("general"), server.channel("other")
    thread = await alice.opens_thread(general, "aside")
    server.world.overwrite(general, server.bot.user, deny=Permission.CREATE_PUBLIC_THREADS)
    server.world.overwrite(other, server.guild.everyone, deny=Permission.CREATE_PUBLIC_THREADS)

    said = []
    for place in (thread, general, other):
        used = await alice.uses("/thread", place)
        await used.answered()
        said.append(used.text)

    assert "text channels only" in said[0]
    assert "Create Public Threads" in said[1]
    assert "You may not" in said[2]
    assert sum(channel.is_thread for channel in server.world.channels.values()) == 1


@pytest.mark.parametrize(("code", "said"), [(160006, phrase("not_possible_now")), (200001, NOT_TAKEN)])
async def test_why_discord_opens_no_thread_is_said(house: House, code: int, said: str) -> None:
    house.server.faults.add(Status(400, code=code), method="POST", route="/channels/*/threads")

    used = await house.server.person("Alice").uses("/thread", house.server.channel("general"), title="talk")
    await used.answered()

    assert used.text == said


async def test_a_thread_that_was_closed_in_the_middle_of_an_answer_is_answered_in_when_it_is_opened_again(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    engine = EchoEngine(answer=lambda _: "one two three", words_before_gate=2, is_held=True)
    alice = server.person("Alice")
    async with enter(server, engine=engine) as house:
        thread = await alice.opens_thread(server.channel("general"), "aside")
        question = await alice.says(thread, "hello", mention=True)
        await server.wait_until(lambda: server.answer_to(question))

        server.world.update_thread(thread, is_archived=True)
        engine.gate.set()
        await house.reaches(question, "failed")
        server.world.update_thread(thread, is_archived=False)
        await house.reaches(await alice.says(thread, "and now?", mention=True), "answered")
