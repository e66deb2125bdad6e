"""What a failing connection costs an interaction: nothing, or it ends in words."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.conversation.messages import Question
from bot.delivery.outcomes import NOT_TAKEN
from bot.delivery.sender import open_sender
from bot.discord.command_replies import NOT_TAKEN as COMMAND_NOT_TAKEN
from bot.discord.commands.asking import MENU
from bot.discord.interaction_answers import OUT_OF_TIME, PLATFORM, InteractionAnswers
from tests.discord.conftest import OpenHouse
from tests.discord.house import House
from tests.engines import EchoEngine
from tests.loopback import Garbled, LoopbackDiscord, Reset, Status, WordFilter

FIRST_ANSWER = "/interactions/*/*/callback"
EDIT = "/webhooks/*/*/messages/@original"
ANSWER = "one two three four five six seven eight"


@pytest.fixture
def engine() -> EchoEngine:
    return EchoEngine(answer=lambda _: ANSWER, seconds_per_word=0.02)


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("fault", [Status(503), Status(403), Reset(), Reset(after_effect=True), Garbled()], ids=str)
async def test_an_answer_in_a_reply_outlives_an_edit_that_fails(
    server: LoopbackDiscord, enter: OpenHouse, engine: EchoEngine, fault, nth: int
) -> None:
    async with enter(server, engine=engine):
        planned = server.faults.add(fault, method="PATCH", route=EDIT, nth=nth)

        used = await server.person("Alice").uses("/ask", server.channel("general"), text="hi", private=True)
        await server.wait_until(lambda: used.text == ANSWER)

    assert planned.num_hits == 1


@pytest.mark.parametrize("is_private", [True, False])
@pytest.mark.parametrize(
    "fault", [Status(403), Reset(), Reset(after_effect=True), Status(503, after_effect=True)], ids=str
)
async def test_what_is_asked_by_a_command_is_answered_though_its_acknowledgement_fails(
    server: LoopbackDiscord, enter: OpenHouse, engine: EchoEngine, fault, is_private: bool
) -> None:
    general = server.channel("general")
    async with enter(server, engine=engine) as house:
        server.faults.add(fault, method="POST", route=FIRST_ANSWER, times=1)

        used = await server.person("Alice").uses("/ask", general, text="hi", private=is_private)
        await server.wait_until(lambda: used.original is not None)
        if is_private:
            await server.wait_until(lambda: used.text == ANSWER)
        else:
            await house.reaches(used.original, "answered")

    answers = [each.content for each in general.visible_messages() if each.content == ANSWER]
    assert len(answers) == (0 if is_private else 1)
    assert len(house.prompts) == 1


@pytest.mark.parametrize("fault", [Status(403), Reset(), Reset(after_effect=True)], ids=str)
async def test_a_command_is_answered_though_its_acknowledgement_fails(house: House, fault) -> None:
    planned = house.server.faults.add(fault, method="POST", route=FIRST_ANSWER, times=1)

    used = await (await house.server.person("Alice").uses("/help", house.server.channel("general"))).answered()

    assert planned.num_hits == 1
    assert "/ask" in used.text


async def test_a_form_is_shown_though_a_try_to_show_it_fails(house: House) -> None:
    server, general = house.server, house.server.channel("general")
    message = await server.person("Bob").says(general, "the sea is red")
    planned = server.faults.add(Reset(), method="POST", route=FIRST_ANSWER, times=1)

    used = await server.person("Alice").picks(MENU, message)
    await server.wait_until(lambda: used.modal is not None)

    assert planned.num_hits == 1


async def test_an_answer_in_a_reply_that_discord_stops_taking_ends_in_words(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    engine = EchoEngine(answer=lambda _: "Once there was a darn fox", words_before_gate=2, is_held=True)
    async with enter(server, engine=engine):
        server.faults.add(WordFilter("darn"), method="PATCH", route=EDIT)

        used = await server.person("Alice").uses("/ask", server.channel("general"), text="hi", private=True)
        await server.wait_until(lambda: used.text.startswith("Once"))
        engine.gate.set()
        await server.wait_until(lambda: "\n" in used.text)

    assert used.text.startswith("Once")
    assert used.text.endswith(f"\n-# {NOT_TAKEN}")


async def test_a_question_by_command_that_discord_does_not_show_is_told(
    server: LoopbackDiscord, enter: OpenHouse, engine: EchoEngine
) -> None:
    async with enter(server, engine=engine) as house:
        server.faults.add(WordFilter("darn"), method="POST", route=FIRST_ANSWER)

        used = await server.person("Alice").uses("/ask", server.channel("general"), text="what is a darn?")
        await used.answered()

    assert used.text == COMMAND_NOT_TAKEN
    assert used.is_ephemeral
    assert house.prompts == []


class _NoTransport:
    """Nothing is sent in any channel."""

    def __getattr__(self, name: str) -> Any:
        raise NotImplementedError(name)


class _Used:
    """An interaction that takes every edit, and keeps what it says."""

    application_id, token, channel_id, locale = 1, "token", 5, discord.Locale.american_english

    def __init__(self) -> None:
        self.said: list[str] = []
        self.response = SimpleNamespace(defer=self._defer)
        self.client = SimpleNamespace(http=SimpleNamespace(request=self._edit))

    async def _defer(self, **_: object) -> None:
        pass

    async def _edit(self, _: object, **body: Any) -> None:
        self.said.append(body["json"]["content"])


async def test_an_answer_in_a_reply_for_which_discord_gives_no_more_time_ends_in_words(
    server: LoopbackDiscord, enter: OpenHouse
) -> None:
    engine = EchoEngine(answer=lambda _: ANSWER, words_before_gate=1, is_held=True)
    used: Any = _Used()
    async with enter(server, engine=engine) as house, open_sender(_NoTransport()) as sender:
        question = Question(
            replace(house.key, platform=PLATFORM, person_id=7), 77, 7, "Alice", "hi", datetime.now(UTC), is_direct=True
        )
        await InteractionAnswers(house.chat, sender, 0.3).answer(used, question, is_private=True)
        counts = await house.inbox.count_by_state()

    assert used.said[-1].endswith(f"-# {OUT_OF_TIME}")
    assert sum(counts.values()) == 0  # nothing of it is left
