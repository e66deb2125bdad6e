"""A moderator's timeout of the bot: what is asked, edited and answered meanwhile."""

import asyncio
from dataclasses import dataclass

import pytest
from aiohttp import web

from tests.discord.conftest import OpenHouse
from tests.discord.house import House, ask, remembered, remembers
from tests.engines import EchoEngine
from tests.loopback import LoopbackDiscord, Message, judge
from tests.loopback.wire import Call, json_answer

EDITS = "/channels/*/messages/*"
LONG = 3600.0


@dataclass(frozen=True, slots=True)
class RefusedWhileMuted:
    """Refuses the bot's edits too while it is timed out; Discord doesn't say whether it does."""

    server: LoopbackDiscord

    async def before(self, call: Call) -> web.Response | None:
        is_muted = self.server.guild.members[self.server.bot.user.id].is_timed_out
        return json_answer({"code": 50013, "message": "Missing Permissions"}, status=403) if is_muted else None

    async def after(self, call: Call, answer: web.Response) -> web.Response:
        return answer


@pytest.fixture(params=[True, False], ids=["edits refused", "edits taken"])
def muting(server: LoopbackDiscord, request: pytest.FixtureRequest) -> LoopbackDiscord:
    if request.param:
        server.faults.add(RefusedWhileMuted(server), route=EDITS, method="PATCH")
    return server


def mute(server: LoopbackDiscord, seconds: float) -> None:
    server.world.time_out(server.guild, server.bot.user, seconds)


async def edits(house: House, question: Message, words: str) -> None:
    await house.server.person("Alice").edits(question, f"{house.server.bot.mention} {words}")


async def settled(house: House) -> None:
    async with asyncio.timeout(60):
        while len(house.chat.exchanges):  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.01)


async def test_an_edit_of_a_growing_answers_question_is_followed_after_the_mute(
    muting: LoopbackDiscord, enter: OpenHouse
) -> None:
    server = muting
    engine = EchoEngine(answer=lambda request: f"one two {len(engine.requests)}", words_before_gate=2, is_held=True)
    alice, general = server.person("Alice"), server.channel("general")

    async with enter(server, engine=engine) as house:
        question = await alice.says(general, "what is tow?", mention=True)
        await general.answer_to(question, until=lambda text: text == "one two")
        mute(server, 3)
        await edits(house, question, "what is two?")
        await server.wait_until(lambda: len(engine.requests) == 2)
        engine.gate.set()
        await house.reaches(question, "answered")
        history = await remembered(house)

    (part,) = server.answer_to(question).parts
    assert part.content == "one two 2"
    assert history == [("what is two?", "one two 2")]
    judge(server).require(turns=1, replies=1)


async def test_an_edit_of_an_answered_question_in_a_mute_is_remembered_and_the_old_answer_stays(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    async with enter(server) as house:
        question = await ask(house, "what is tow?")
        mute(server, LONG)
        await edits(house, question, "what is two?")
        await house.comes_true(lambda: remembers(house, "what is two?"))

    assert len(house.engine.requests) == 1
    judge(server).require(turns=1, replies=1)


async def test_a_mute_that_comes_while_an_edited_question_is_answered_is_waited_for(
    muting: LoopbackDiscord, enter: OpenHouse
) -> None:
    server = muting
    engine = EchoEngine(answer=lambda request: f"answer number {len(engine.requests)}")
    async with enter(server, engine=engine) as house:
        question = await ask(house, "what is tow?")
        engine.words_before_gate, engine.is_held = 2, True
        engine.gate.clear()
        await edits(house, question, "what is two?")
        await server.wait_until(lambda: len(engine.requests) == 2)
        mute(server, 3)
        engine.gate.set()
        await settled(house)
        history = await remembered(house)

    assert server.answer_to(question).text == "answer number 2"
    assert history == [("what is two?", "answer number 2")]
    judge(server).require(turns=1, replies=1)


@pytest.mark.slow
async def test_typing_that_a_mute_refuses_closes_no_channel_for_longer(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    engine = EchoEngine(answer=lambda _: "one two", is_held=True)
    async with enter(server, engine=engine) as house:
        question = await server.person("Alice").says(server.channel("general"), "count", mention=True)
        await server.wait_until(lambda: engine.requests)
        mute(server, 12)  # typing is shown every 8 seconds
        await server.wait_until(lambda: any(call.status == 403 for call in server.journal.calls))
        engine.gate.set()
        await house.reaches(question, "answered")

    judge(server).require(turns=1, replies=1)


async def test_a_mute_that_is_taken_back_is_not_waited_for(server: LoopbackDiscord, enter: OpenHouse) -> None:
    engine = EchoEngine(answer=lambda _: "one two", is_held=True)
    async with enter(server, engine=engine) as house:
        question = await server.person("Alice").says(server.channel("general"), "count", mention=True)
        await server.wait_until(lambda: engine.requests)
        mute(server, 600)
        engine.gate.set()
        await server.wait_until(lambda: any(call.status == 403 for call in server.journal.calls))
        mute(server, 0)
        await house.reaches(question, "answered", 60)

    judge(server).require(turns=1, replies=1)
