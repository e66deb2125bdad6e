"""What people choose for a channel, from the choice to the request that it changes."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.chat.chat import Scope
from bot.chat.settings_desk import Origin
from bot.conversation.messages import ConversationKey
from bot.errors import InvalidSetting
from bot.inference.engine import FinishReason
from tests.chat.house import GENERAL, RANDOM, THREAD, House, until

DIRECT = ConversationKey("discord", 30)


def shown(house: House, key: ConversationKey, name: str) -> tuple[str, Origin]:
    return next((each.value, each.origin) for each in house.chat.settings.show(key) if each.setting.name == name)


async def test_an_answer_is_drawn_as_its_channel_chose(house: House) -> None:
    settings = house.chat.settings
    for name, value in (("temperature", "0.7"), ("top_p", "0.5"), ("top_k", "20")):
        await settings.set(GENERAL, Scope.CHANNEL, name, value, by=1)

    await house.ask("hello")
    await house.ask("hello", THREAD)
    await house.ask("hello", RANDOM)

    drawn = [(params.temperature, params.top_p, params.top_k, params.seed) for params in _sampling(house)]
    assert drawn == [(0.7, 0.5, 20, 7), (0.7, 0.5, 20, 7), (0.0, 0.95, 50, 7)]


async def test_an_answer_gets_as_many_tokens_as_its_channel_chose_and_the_prompt_the_rest(house: House) -> None:
    await house.chat.settings.set(GENERAL, Scope.CHANNEL, "longest_answer", "20", by=1)

    for number in range(40):
        await house.ask(f"question {number} " + "word " * 60)
    await house.ask("hello", RANDOM)

    assert [params.max_new_tokens for params in _sampling(house)] == [20] * 40 + [100]
    longest = max(len(request.prompt_token_ids) for request in house.engine.requests)
    assert 3072 < longest <= 3172 - 20


async def test_an_answer_is_never_longer_than_the_operator_allows(house: House) -> None:
    with pytest.raises(InvalidSetting, match="100 tokens at most"):
        await house.chat.settings.set(GENERAL, Scope.CHANNEL, "longest_answer", "101", by=1)

    assert shown(house, GENERAL, "longest_answer") == ("100", Origin.OPERATOR)


async def test_show_says_where_each_value_comes_from(house: House) -> None:
    settings = house.chat.settings
    await settings.set(GENERAL, Scope.GUILD, "top_k", "20", by=1)
    await settings.set(GENERAL, Scope.CHANNEL, "top_k", "30", by=1)
    await settings.set(THREAD, Scope.CHANNEL, "top_p", "0.5", by=1)

    assert shown(house, RANDOM, "top_k") == ("20", Origin.GUILD)
    assert shown(house, GENERAL, "top_k") == ("30", Origin.HERE)
    assert shown(house, THREAD, "top_k") == ("30", Origin.PARENT)
    assert shown(house, THREAD, "top_p") == ("0.5", Origin.HERE)
    assert shown(house, DIRECT, "top_k") == ("50", Origin.DEFAULT)


async def test_what_is_cleared_falls_back_to_what_is_behind_it(house: House) -> None:
    settings = house.chat.settings
    await settings.set(GENERAL, Scope.GUILD, "top_k", "20", by=1)
    await settings.set(GENERAL, Scope.CHANNEL, "top_k", "30", by=1)

    fallen_back = [await settings.clear(GENERAL, scope, "Top-K") for scope in (Scope.CHANNEL, Scope.GUILD)]

    assert [(each.value, each.origin) for each in fallen_back] == [("20", Origin.GUILD), ("50", Origin.DEFAULT)]


async def test_a_name_that_is_none_is_refused(house: House) -> None:
    with pytest.raises(InvalidSetting, match="volume"):
        await house.chat.settings.set(GENERAL, Scope.CHANNEL, "volume", "11", by=1)


async def test_each_person_has_a_conversation_of_their_own_where_that_is_chosen(house: House) -> None:
    await house.ask("the word is swordfish")
    await house.chat.settings.set(GENERAL, Scope.GUILD, "session", "person", by=1)

    for author in ("Alice", "Bob"):
        for text in ("", ", still"):
            asked = house.asks(f"I am {author}{text}", author=author)
            key = house.chat.settings.conversation_of(THREAD, asked.author_id)
            await house.serve(replace(asked, conversation=key))

    assert "I am Alice" not in house.prompt()
    assert house.prompt().count("I am Bob") == 2
    assert "swordfish" not in house.prompt()
    assert house.chat.settings.conversation_of(DIRECT, 5) == DIRECT


async def test_the_shared_conversation_comes_back_with_the_setting(house: House) -> None:
    await house.ask("the word is swordfish")
    await house.chat.settings.set(GENERAL, Scope.CHANNEL, "session", "person", by=1)
    await house.ask("hello", house.chat.settings.conversation_of(GENERAL, 5))

    await house.chat.settings.clear(GENERAL, Scope.CHANNEL, "session")
    await house.ask("which word?", house.chat.settings.conversation_of(GENERAL, 5))

    assert "swordfish" not in house.prompt(1)
    assert "swordfish" in house.prompt(2)


async def test_one_persons_answer_does_not_wait_for_anothers(house: House) -> None:
    house.engine.gate.clear()
    keys = [replace(GENERAL, person_id=person) for person in (1, 2)]

    async with asyncio.TaskGroup() as tasks:
        for key in keys:
            tasks.create_task(house.ask("hello", key))
        await until(lambda: house.engine.num_running == 2)
        house.engine.gate.set()

    assert {request.cache_owner for request in house.engine.requests} == {"discord:10:1", "discord:10:2"}


async def test_a_reset_stops_ones_own_answer_alone(house: House) -> None:
    house.engine.gate.clear()
    own, others = (replace(GENERAL, person_id=person) for person in (1, 2))

    async with asyncio.TaskGroup() as tasks:
        answers = [tasks.create_task(house.ask("hello", key)) for key in (own, others)]
        await until(lambda: house.engine.num_running == 2)
        await house.chat.reset(own)
        house.engine.gate.set()

    assert [answer.result()[-1].reason for answer in answers] == [FinishReason.ABORTED, FinishReason.STOP]
    assert house.engine.forgotten[0] == own.cache_owner


async def test_the_day_in_a_prompt_changes_once_a_day_so_that_the_prompts_beginning_stays(open_house) -> None:
    now = datetime(2026, 11, 8, 11, tzinfo=UTC)
    async with open_house(clock=lambda: now) as house:
        await house.chat.personas.set(GENERAL, "clerk", "It is {date}. Be brief.", 1)
        await house.chat.personas.use(GENERAL, "clerk", 1)
        for moment in (now, now + timedelta(minutes=30), now + timedelta(days=1)):
            now = moment
            await house.ask("hello")

        first, second, third = (list(request.prompt_token_ids) for request in house.engine.requests)

        assert "It is Sunday, 8 November 2026. Be brief." in house.prompt(0)
        assert second[: len(first)] == first
        assert "It is Monday, 9 November 2026. Be brief." in house.prompt(2)
        assert third[: len(first)] != first


def _sampling(house: House) -> list:
    return [request.sampling for request in house.engine.requests]
