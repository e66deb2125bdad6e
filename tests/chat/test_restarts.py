"""A PostgreSQL server that is started again while people ask: what was asked is answered once, in its place."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from bot.chat.chat import InboxState
from bot.conversation.messages import ConversationKey
from tests.chat.house import House, collect
from tests.store.postgresql_server import on_postgresql, own_server

pytestmark = on_postgresql()

NUM_PEOPLE, NUM_QUESTIONS, NUM_RESTARTS = 8, 8, 3


async def test_nothing_is_lost_or_said_twice_when_the_server_is_started_again_and_again(
    open_house: Callable[..., AbstractAsyncContextManager[House]],
) -> None:
    num_answered, half_way = 0, asyncio.Condition()

    async def talk(house: House, person: int) -> None:
        nonlocal num_answered
        for number in range(NUM_QUESTIONS):
            question = house.asks(f"question {number}", place(person), author_id=person + 1)
            assert await house.receive(question)
            await collect(house, question)
            assert await house.state(question) is InboxState.ANSWERED
            async with half_way:
                num_answered += 1
                half_way.notify_all()

    with own_server() as server:
        async with open_house(url=server.url) as house:
            talking = [asyncio.create_task(talk(house, person)) for person in range(NUM_PEOPLE)]
            for restart in range(NUM_RESTARTS):
                due = (restart + 1) * NUM_PEOPLE * NUM_QUESTIONS // (NUM_RESTARTS + 1)
                async with asyncio.timeout(120), half_way:
                    await half_way.wait_for(lambda due=due: num_answered >= due)
                await asyncio.to_thread(server.stop)
                await asyncio.to_thread(server.start)
            async with asyncio.timeout(120):
                await asyncio.gather(*talking)

            said = [[turn.question for turn in (await house.history.load(place(n))).turns] for n in range(NUM_PEOPLE)]
            assert said == [[f"question {number}" for number in range(NUM_QUESTIONS)]] * NUM_PEOPLE
            assert await house.inbox.unfinished() == []


def place(person: int) -> ConversationKey:
    return ConversationKey("discord", 100 + person, guild_id=1)
