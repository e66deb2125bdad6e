"""Answers that are stopped, replaced, gone on with, or begun anew because the question was edited."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.chat.answer import AGAIN_TEMPERATURE, STOPPED
from bot.chat.chat import TOO_LATE_TO_UNDO, Anew, Edit, Exchange, Finished, InboxState, Notice, ReplyEvent, StopReason
from bot.chat.regeneration import BUSY, IS_COMPLETE, NOT_THE_LAST
from bot.conversation.messages import Question
from bot.errors import RequestFailed, UserError
from bot.inference.engine import FinishReason
from tests.chat.house import GENERAL, RANDOM, House, text, until

BOB = 2
OpenHouse = Callable[..., AbstractAsyncContextManager[House]]


async def run(exchange: Exchange, state: InboxState = InboxState.ANSWERED) -> list[ReplyEvent]:
    try:
        events = [event async for event in exchange.events()]
    except RequestFailed:
        events = []
    await exchange.finish(state)
    exchange.close()
    return events


async def begun(house: House, words: str, **fields: object) -> tuple[Question, "asyncio.Task[list[ReplyEvent]]"]:
    """A question whose answer has begun and is held back by the engine."""
    question = house.asks(words, **fields)
    await house.receive(question)
    events: list[ReplyEvent] = []

    async def answer() -> list[ReplyEvent]:
        exchange = house.exchange(question)
        async for event in exchange.events():
            events.append(event)
        await exchange.finish(InboxState.ANSWERED)
        exchange.close()
        return events

    task = asyncio.create_task(answer())
    await until(lambda: len(events) >= house.engine.words_before_gate and bool(house.engine.requests))
    return question, task


async def said(house: House) -> list[tuple[str, str]]:
    return [(turn.question, turn.answer) for turn in (await house.history.load(GENERAL)).turns]


def hold(house: House, answer: str, words: int) -> None:
    house.engine.gate.clear()
    house.engine.words_before_gate = words
    house.engine.answer = lambda _: answer


async def test_a_stopped_answer_is_kept_as_far_as_it_was_said(house: House) -> None:
    hold(house, "one two three", 2)
    question, task = await begun(house, "Count!")

    (exchange,) = house.chat.under_way(GENERAL)
    exchange.stop(StopReason.ASKED, keep=True)
    events = await task

    assert text(events) == "one two"
    assert events[-2:] == [Notice(STOPPED), Finished(FinishReason.STOPPED)]
    assert await said(house) == [("Count!", "one two")]
    assert await house.state(question) is InboxState.ANSWERED
    assert house.engine.num_aborted == 1
    last = await house.chat.last_turn(GENERAL)
    assert last is not None
    assert last.finish_reason == FinishReason.STOPPED


async def test_an_answer_that_is_stopped_before_its_first_word_is_none(house: House) -> None:
    hold(house, "one two three", 0)
    _, task = await begun(house, "Count!")

    house.chat.under_way(GENERAL)[0].stop(StopReason.ASKED, keep=True)

    assert await task == [Finished(FinishReason.ABORTED)]
    assert await said(house) == []


async def test_a_stopped_question_leaves_the_queue_at_once(house: House) -> None:
    hold(house, "one two three", 1)
    _, task = await begun(house, "Count!")
    waiting = house.asks("And me?", author="Bob")
    await house.receive(waiting)
    leaving = asyncio.create_task(run(house.exchange(waiting), InboxState.WITHDRAWN))
    await asyncio.sleep(0)

    running, asked = house.chat.under_way(GENERAL)
    assert (running.has_turn, asked.has_turn) == (True, False)
    asked.stop(StopReason.ASKED, keep=True)

    assert await leaving == [Finished(FinishReason.ABORTED)]
    assert not task.done()
    house.engine.gate.set()
    assert text(await task) == "one two three"
    assert len(house.engine.requests) == 1


async def test_a_stop_after_the_end_changes_nothing(house: House) -> None:
    question = house.asks("Hello?")
    await house.receive(question)
    exchange = house.exchange(question)

    async for event in exchange.events():
        if isinstance(event, Finished):
            assert not exchange.can_stop
            exchange.stop(StopReason.ASKED, keep=True)

    assert event == Finished(FinishReason.STOP)


async def test_another_answer_replaces_the_last_one(house: House) -> None:
    house.engine.answer = lambda request: f"the one of {request.sampling.seed}"
    await house.ask("First?")
    await house.ask("Second?")
    last = await house.chat.last_turn(GENERAL)
    assert last is not None

    exchange = await house.chat.again(GENERAL, last.message_id, BOB)
    during = await said(house)
    events = await run(exchange)

    first, second = house.engine.requests[1:]
    assert second.prompt_token_ids == first.prompt_token_ids
    assert (first.sampling.temperature, second.sampling.temperature) == (0.0, AGAIN_TEMPERATURE)
    assert first.sampling.seed != second.sampling.seed
    assert during[-1][1] == f"the one of {first.sampling.seed}"
    assert await said(house) == [during[0], ("Second?", text(events))]
    assert text(events) == f"the one of {second.sampling.seed}"
    assert (exchange.generation, exchange.previous) == (1, None)


async def test_only_the_last_answer_is_replaced_and_only_while_nothing_else_is_asked(house: House) -> None:
    await house.ask("First?")
    await house.ask("Second?")

    for key, message_id, generation in ((GENERAL, 1, None), (RANDOM, 2, None), (GENERAL, 3, None), (GENERAL, 2, 1)):
        with pytest.raises(UserError, match=NOT_THE_LAST):
            await house.chat.again(key, message_id, BOB, generation=generation)
    exchange = await house.chat.again(GENERAL, 2, BOB, generation=0)
    with pytest.raises(UserError, match=BUSY):
        await house.chat.again(GENERAL, 2, BOB)
    await run(exchange)
    await house.chat.reset(GENERAL)
    with pytest.raises(UserError, match=NOT_THE_LAST):
        await house.chat.again(GENERAL, 2, BOB)

    assert house.chat.queue.num_running == len(house.chat.exchanges) == 0


@pytest.mark.parametrize("is_stopped", [False, True])
async def test_where_nothing_comes_of_another_answer_the_old_one_stays(house: House, is_stopped: bool) -> None:
    house.engine.answer = lambda _: "the old one"
    await house.ask("Hello?")
    house.engine.answer = lambda _: "never" if is_stopped else RequestFailed()

    exchange = await house.chat.again(GENERAL, 1, BOB)
    if is_stopped:
        exchange.stop(StopReason.ASKED, keep=True)
    await run(exchange)

    assert exchange.previous == "the old one"
    assert await said(house) == [("Hello?", "the old one")]
    house.engine.answer = lambda _: "the new one"
    await run(await house.chat.again(GENERAL, 1, BOB))
    assert await said(house) == [("Hello?", "the new one")]


async def test_another_answer_is_gone_on_with_after_a_restart(open_house: OpenHouse) -> None:
    async with open_house() as house:
        house.engine.answer = lambda _: "the old one"
        await house.ask("Hello?")
        await house.chat.again(GENERAL, 1, BOB)

    async with open_house() as house:
        (resumed,) = await house.chat.resume("discord")
        before = await said(house), resumed.previous, resumed.has_stored_answer
        house.engine.answer = lambda _: "the new one"
        await run(resumed)

        assert before == ([("Hello?", "the old one")], "the old one", False)
        assert await said(house) == [("Hello?", "the new one")]
        assert house.engine.requests[-1].sampling.temperature == AGAIN_TEMPERATURE
        assert await house.inbox.unfinished() == []


async def test_an_answer_that_ended_at_a_limit_is_gone_on_with(house: House) -> None:
    hold(house, "one two three four", 2)
    _, task = await begun(house, "Count!")
    house.chat.under_way(GENERAL)[0].stop(StopReason.ASKED, keep=True)
    await task
    house.engine.gate.set()
    house.engine.answer = lambda _: " three four"

    exchange = await house.chat.continue_answer(GENERAL, 1, BOB)
    during = await said(house)
    events = await run(exchange)

    assert house.prompt().endswith("Count! [/INST] one two")
    assert house.engine.requests[-1].is_continued
    assert during == [("Count!", "one two")]
    assert text(events) == "one two three four"
    assert await said(house) == [("Count!", "one two three four")]
    with pytest.raises(UserError, match=IS_COMPLETE):
        await house.chat.continue_answer(GENERAL, 1, BOB)


async def test_an_answer_is_gone_on_with_after_a_restart(open_house: OpenHouse) -> None:
    async with open_house() as house:
        hold(house, "one two three", 2)
        _, task = await begun(house, "Count!")
        house.chat.under_way(GENERAL)[0].stop(StopReason.ASKED, keep=True)
        await task
        await house.chat.continue_answer(GENERAL, 1, BOB)

    async with open_house() as house:
        (resumed,) = await house.chat.resume("discord")
        house.engine.answer = lambda _: " three"
        events = await run(resumed)

        assert text(events) == "one two three"
        assert await said(house) == [("Count!", "one two three")]


async def test_going_on_with_nothing_leaves_the_answer_as_it_is(house: House) -> None:
    hold(house, "one two three four", 2)
    _, task = await begun(house, "Count!")
    house.chat.under_way(GENERAL)[0].stop(StopReason.ASKED, keep=True)
    await task
    house.engine.gate.set()
    house.engine.answer = lambda _: RequestFailed()

    assert await run(await house.chat.continue_answer(GENERAL, 1, BOB)) == []

    assert await said(house) == [("Count!", "one two")]


async def test_an_edit_while_the_answer_is_written_begins_it_anew(house: House) -> None:
    hold(house, "one two three", 2)
    question, task = await begun(house, "What is tow?")

    same = await edit(house, question, "What is tow?")
    edited = await edit(house, question, "What is two?")
    house.engine.gate.set()
    events = await task

    assert (same.is_known, edited.is_known, same.exchange, edited.exchange) == (True, True, None, None)
    assert text(events[: events.index(Anew())]) == "one two"
    assert text(events[events.index(Anew()) :]) == "one two three"
    assert events.count(Anew()) == 1
    assert await said(house) == [("What is two?", "one two three")]
    assert house.prompt().endswith("Alice: What is two? [/INST]")


async def edit(house: House, question: Question, words: str, **later: float) -> Edit:
    edited_at = question.created_at + timedelta(**later)
    return await house.chat.edit(replace(question, content=words), edited_at=edited_at)


async def test_an_edited_question_is_answered_again_if_it_is_the_last_and_young(house: House) -> None:
    first, second = house.asks("One?"), house.asks("Two?")
    for question in (first, second):
        await house.serve(question)

    old = await edit(house, first, "Uno?", minutes=1)
    same = await edit(house, second, "Two?", minutes=1)
    late = await edit(house, second, "Dos?", minutes=16)
    young = await edit(house, second, "Due?", minutes=14)

    assert [each.exchange is not None for each in (old, same, late, young)] == [False, False, False, True]
    assert house.engine.forgotten == [GENERAL.cache_owner] * 3
    assert [question for question, _ in await said(house)] == ["Uno?", "Due?"]
    assert young.exchange is not None
    events = await run(young.exchange)
    assert house.prompt().endswith("Alice: Due? [/INST]")
    assert (await said(house))[-1] == ("Due?", text(events))
    assert house.engine.requests[-1].sampling.temperature == 0
    assert not (await edit(house, house.asks("Never received"), "!")).is_known


async def test_an_edit_that_is_found_later_asks_nothing_anew(house: House) -> None:
    house.engine.answer = lambda _: RequestFailed()
    question = house.asks("One?")
    await house.receive(question)
    await run(house.exchange(question), InboxState.FAILED)
    house.engine.answer = lambda _: "yes"
    edited, edited_at = replace(question, content="Uno?"), question.created_at + timedelta(minutes=1)

    found = await house.chat.edit(edited, edited_at=edited_at, is_live=False)
    told = await house.chat.edit(edited, edited_at=edited_at)

    assert found == Edit(is_known=True)
    assert told.exchange is not None
    told.exchange.close()


async def test_an_edit_that_is_found_later_waits_for_no_answer_that_has_to_be_shown_yet(house: House) -> None:
    question = house.asks("One?")
    await house.receive(question)
    exchange = house.exchange(question)
    assert isinstance([event async for event in exchange.events()][-1], Finished)

    async with asyncio.timeout(20):
        found = await house.chat.edit(
            replace(question, content="Uno?"), edited_at=question.created_at + timedelta(minutes=1), is_live=False
        )

    assert found == Edit(is_known=True)
    assert [words for words, _ in await said(house)] == ["Uno?"]
    exchange.close()


async def test_what_is_edited_in_the_minute_after_a_reset_comes_back_as_it_reads_now(house: House) -> None:
    question = house.asks("My number is 12.")
    await house.serve(question)
    await house.chat.reset(GENERAL)

    await edit(house, question, "My number is a secret.", minutes=1)
    await house.chat.undo_reset(GENERAL)

    assert [words for words, _ in await said(house)] == ["My number is a secret."]


async def test_an_edit_while_others_ask_only_changes_what_is_remembered(house: House) -> None:
    first = house.asks("One?")
    await house.serve(first)
    hold(house, "one two three", 1)
    _, task = await begun(house, "Two?")

    edited = await edit(house, first, "Uno?", minutes=1)
    house.engine.gate.set()
    await task

    assert edited.exchange is None
    assert [question for question, _ in await said(house)] == ["Uno?", "Two?"]


async def test_a_reset_can_be_undone_for_a_minute_and_what_was_said_since_stays(house: House) -> None:
    await house.ask("One?")
    await house.chat.reset(GENERAL)
    hold(house, "one two three", 1)
    _, task = await begun(house, "Two?")

    num_turns = await house.chat.undo_reset(GENERAL)
    house.engine.gate.set()
    await task

    assert num_turns == 1
    assert [question for question, _ in await said(house)] == ["One?", "Two?"]
    with pytest.raises(UserError, match=TOO_LATE_TO_UNDO):
        await house.chat.undo_reset(GENERAL)
    await run(await house.chat.again(GENERAL, 2, BOB))
    assert "One?" in house.prompt()


async def test_an_answer_that_came_back_after_a_reset_can_be_replaced(house: House) -> None:
    await house.ask("One?")
    await house.chat.reset(GENERAL)
    await house.chat.undo_reset(GENERAL)

    await run(await house.chat.again(GENERAL, 1, BOB))

    assert len(house.engine.requests) == 2
    assert len(await said(house)) == 1
