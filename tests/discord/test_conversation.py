"""Who is answered and how it looks, end to end on a loopback Discord."""

import asyncio

import pytest

from tests.discord.conftest import OpenHouse
from tests.discord.house import House
from tests.engines import EchoEngine, echo
from tests.loopback import LoopbackDiscord, judge

LONG_ANSWER = " ".join(f"word{index}" for index in range(600))


async def test_a_mention_is_answered_by_a_reply(house: House) -> None:
    server = house.server
    alice, general = server.person("Alice"), server.channel("general")

    question = await alice.says(general, "hello", mention=True)
    answer = await general.answer_to(question)

    assert answer.text == echo(house.engine.requests[0])
    assert answer.parts[0].replies_to == question.id
    await house.reaches(question, "answered")
    judge(server).require(turns=1, replies=1)
