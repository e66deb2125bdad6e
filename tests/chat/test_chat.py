import asyncio
import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from bot.chat.answer import TRIM_NOTICE_RECALL
from bot.chat.chat import Finished, Notice
from bot.conversation.messages import ConversationKey
from bot.conversation.persona import Persona
from bot.errors import BuiltInPersona, PersonaTooLong, PromptTooLong, UnknownPersona
from bot.inference.engine import FinishReason
from tests.chat.house import GENERAL, RANDOM, THREAD, House, collect, text, until


async def test_the_next_prompt_holds_what_was_said(house: House) -> None:
    answer = text(await house.ask("My cat is called Tom."))

    await house.ask("What is my cat called?")

    assert "[INST] <<SYS>>" in house.prompt()
    assert f"Alice: My cat is called Tom. [/INST] {answer}" in house.prompt()
    assert house.prompt().endswith("[INST] Alice: What is my cat called? [/INST]")


async def test_an_answer_may_be_as_long_as_the_budget_keeps_free_for_it(house: House) -> None:
    await house.ask("Hello?")

    assert house.engine.requests[0].sampling.max_new_tokens == 100


async def test_names_are_left_out_where_one_person_speaks(house: House) -> None:
    await house.serve(house.asks("Hello?", ConversationKey("terminal", 1), is_direct=True))

    assert "Alice" not in house.prompt()


async def test_two_accounts_of_one_name_stay_two_people_over_a_restart(house: House, open_house) -> None:
    await house.serve(house.asks("My cat is called Tom.", author_id=1))
    await house.serve(house.asks("My dog is called Bruno.", author_id=2))
    assert house.prompt().endswith("[INST] Alice (2): My dog is called Bruno. [/INST]")

    async with open_house() as restarted:
        await restarted.serve(restarted.asks("What is my dog called?", author_id=2, message_id=100))
        prompt = restarted.prompt()
        await restarted.serve(restarted.asks("And my cat?", author_id=1, message_id=101))
        renamed = restarted.asks("Well?", author="Alan", author_id=2, message_id=102)
        await restarted.serve(renamed)

    assert "Alice: My cat is called Tom." in prompt
    assert prompt.endswith("[INST] Alice (2): What is my dog called? [/INST]")
    assert "Alan: My dog is called Bruno." in restarted.prompt()
    assert "Alice: And my cat?" in restarted.prompt()


async def test_a_label_goes_with_the_last_that_its_account_said(house: House, tmp_path: Path) -> None:
    first, second = house.asks("I am one.", author_id=1), house.asks("I am another.", author_id=2)
    for question in (first, second):
        await house.serve(question)

    await house.chat.withdraw("discord", first.message_id)
    await house.serve(house.asks("Who am I?", author_id=2))
    assert house.prompt().endswith("[INST] Alice (2): Who am I? [/INST]")
    assert speakers_in(tmp_path) == ["Alice (2)"]

    await house.chat.reset(GENERAL)
    assert speakers_in(tmp_path) == []
    await house.serve(house.asks("Who am I?", author_id=2))
    assert house.prompt().endswith("\n\nAlice: Who am I? [/INST]")


def speakers_in(folder: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(folder / "trinity.db")) as connection:
        return [label for (label,) in connection.execute("SELECT label FROM speakers ORDER BY label")]


async def test_channels_do_not_know_each_other(house: House) -> None:
    await house.ask("The password is swordfish.", GENERAL)

    await house.ask("What is the password?", RANDOM)

    assert "swordfish" not in house.prompt()
    assert house.engine.requests[0].cache_owner != house.engine.requests[1].cache_owner


async def test_a_reset_forgets_at_once_and_stops_the_answer_under_way(house: House) -> None:
    await house.ask("The password is swordfish.")
    house.engine.gate.clear()
    question, waiting = house.asks("What is it?"), house.asks("Well?")
    await house.receive(question)
    await house.receive(waiting)
    under_way = asyncio.create_task(collect(house, question))
    left_behind = asyncio.create_task(collect(house, waiting))
    await until(lambda: len(house.engine.requests) == 2)

    reset = await house.chat.reset(GENERAL)
    events = [await under_way, await left_behind]

    assert reset.num_turns == 1
    assert [event[-1] for event in events] == [Finished(FinishReason.ABORTED)] * 2
    assert house.engine.num_aborted == 1
    assert GENERAL.cache_owner in house.engine.forgotten
    house.engine.gate.set()
    await house.ask("What is the password?")
    assert "swordfish" not in house.prompt()
    assert "Well?" not in house.prompt()


async def test_a_deleted_question_stops_its_answer_and_is_in_no_later_prompt(house: House) -> None:
    house.engine.gate.clear()
    question = house.asks("My name is Secret.")
    await house.receive(question)
    under_way = asyncio.create_task(collect(house, question))
    await until(lambda: bool(house.engine.requests))

    await house.chat.withdraw("discord", question.message_id)
    events = await under_way

    assert events[-1] == Finished(FinishReason.ABORTED)
    house.engine.gate.set()
    await house.ask("What is my name?")
    assert "Secret" not in house.prompt()


async def test_the_deletion_of_an_old_question_takes_its_turn_out_of_the_history(house: House) -> None:
    question = house.asks("My name is Secret.")
    await house.serve(question)

    await house.chat.withdraw("discord", question.message_id)
    await house.ask("What is my name?")

    assert "Secret" not in house.prompt()


async def test_an_edit_counts_until_the_answer_is_begun(house: House) -> None:
    question = house.asks("Tell me about cats")
    await house.receive(question)

    edit = await house.chat.edit(replace(question, content="Tell me about dogs"), edited_at=None)
    events = await collect(house, question)

    assert edit.is_known
    assert edit.exchange is None
    assert "dogs" in house.prompt()
    assert "cats" not in house.prompt()
    assert events[-1] == Finished(FinishReason.STOP)


@pytest.mark.no_cover
async def test_the_first_trim_after_a_reset_is_told_once_and_is_not_part_of_the_answer(open_house) -> None:
    async with open_house(num_prompt_tokens=600) as house:
        notices = []
        for number in range(25):
            events = await house.ask(f"Tale {number}: " + "once upon a time " * 5)
            notices += [event for event in events if isinstance(event, Notice)]

        assert notices == [Notice(TRIM_NOTICE_RECALL)]
        assert TRIM_NOTICE_RECALL not in house.prompt()
        assert "Alice: Tale 0:" not in house.prompt()
        await house.chat.reset(GENERAL)
        for number in range(25):
            events = await house.ask(f"Tale {number}: " + "once upon a time " * 5)
            notices += [event for event in events if isinstance(event, Notice)]
        assert len(notices) == 2


async def test_a_message_too_long_by_itself_is_refused_with_its_length_and_the_limit(open_house) -> None:
    async with open_house(num_prompt_tokens=600) as house:
        question = house.asks("7" * 2000)
        await house.receive(question)

        with pytest.raises(PromptTooLong) as refused:
            await collect(house, question)

        assert refused.value.num_tokens > 2000
        assert refused.value.limit == 600


async def test_a_persona_is_the_prompt_of_its_channel_and_of_the_threads_in_it(house: House) -> None:
    await house.chat.personas.set(GENERAL, "baker", "Your name is Flour.", 1)
    await house.chat.personas.use(GENERAL, "BAKER", 1)

    await house.ask("Hello?", THREAD)
    assert "Your name is Flour." in house.prompt()
    await house.ask("Hello?", RANDOM)
    assert "Your name is Flour." not in house.prompt()
    await house.chat.personas.clear(GENERAL, 1)
    await house.ask("Hello?", GENERAL)
    assert "Your name is Trinity." in house.prompt()


async def test_a_persona_block_is_what_conversations_may_share(house: House) -> None:
    await house.ask("Hello?", GENERAL)
    await house.ask("Good evening!", RANDOM)

    first, second = house.engine.requests
    shared = first.num_shared_prefix_tokens
    assert shared > 10
    assert first.prompt_token_ids[:shared] == second.prompt_token_ids[:shared]


async def test_personas_are_refused_with_reasons(house: House) -> None:
    with pytest.raises(UnknownPersona):
        await house.chat.personas.use(GENERAL, "nobody", 1)
    with pytest.raises(BuiltInPersona):
        await house.chat.personas.set(GENERAL, "trinity", "I am new", 1)
    with pytest.raises(BuiltInPersona):
        await house.chat.personas.delete(GENERAL, "plain", 1)
    with pytest.raises(UnknownPersona):
        await house.chat.personas.delete(GENERAL, "nobody", 1)
    with pytest.raises(PersonaTooLong):
        await house.chat.personas.set(GENERAL, "long", "7" * 4000, 1)


async def test_a_deleted_persona_gives_its_channels_back_to_the_default(house: House) -> None:
    await house.chat.personas.set(GENERAL, "baker", "Your name is Flour.", 1)
    await house.chat.personas.use(GENERAL, "baker", 1)

    await house.chat.personas.delete(GENERAL, "baker", 1)

    assert (await house.chat.personas.show(GENERAL)).name == "Trinity"
    assert [persona.name for persona in await house.chat.personas.list(GENERAL) if not persona.is_built_in] == []


async def test_the_operators_persona_is_there_everywhere_and_nobody_changes_it(open_house) -> None:
    butler = Persona("butler", "You are a butler.", is_operators=True)
    async with open_house() as house:  # before the operator gave one, somebody else had the name
        await house.chat.personas.set(GENERAL, "Butler", "You are mine.", 1)
        await house.chat.personas.use(GENERAL, "Butler", 1)

    async with open_house(default_persona=butler) as house:
        desk = house.chat.personas
        assert [await desk.show(key) for key in (GENERAL, RANDOM)] == [butler, butler]
        assert [persona.name for persona in await desk.list(GENERAL)][:2] == ["butler", "Trinity"]
        await desk.use(RANDOM, "trinity", 1)
        assert (await desk.show(RANDOM)).name == "Trinity"
        assert await desk.use(RANDOM, "BUTLER", 1) == await desk.show(RANDOM) == butler
        with pytest.raises(BuiltInPersona):
            await desk.set(GENERAL, "butler", "You are rude.", 1)
        await house.ask("hello")
        assert "You are a butler." in house.prompt()
        assert "You are mine." not in house.prompt()


async def test_a_deleted_channel_is_forgotten_with_its_threads(house: House) -> None:
    await house.ask("The password is swordfish.", GENERAL)
    await house.ask("The other is halibut.", THREAD)

    await house.chat.delete_channel("discord", GENERAL.channel_id)

    assert not (await house.history.load(GENERAL)).turns
    assert not (await house.history.load(THREAD)).turns
    assert {GENERAL.cache_owner, THREAD.cache_owner} <= set(house.engine.forgotten)


async def test_a_person_gets_one_hint_a_day(house: House) -> None:
    assert await house.chat.should_hint("discord", "bare", 1)
    assert not await house.chat.should_hint("discord", "bare", 1)
    assert await house.chat.should_hint("discord", "bare", 2)


async def test_what_was_reset_is_deleted_for_good_a_minute_later(house: House) -> None:
    await house.ask("The password is swordfish.")
    await house.chat.reset(GENERAL)

    assert await house.chat.delete_hidden() == 0
    assert await house.chat.delete_hidden(everything=True) == 1


async def test_the_prompt_log_line_holds_no_text(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "bot")

    await house.ask("The password is swordfish.")

    [line] = [record.getMessage() for record in caplog.records if "answered" in record.getMessage()]
    assert "discord:10" in line
    assert "swordfish" not in caplog.text
