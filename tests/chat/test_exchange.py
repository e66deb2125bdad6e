import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest

from bot.chat.answer import FELL_SILENT, NOTHING_SAID, WENT_ROUND
from bot.chat.chat import Anew, Exchange, Finished, InboxState, Notice, Part, StopReason, TextDelta
from bot.chat.queue import QuestionQueue
from bot.chat.time_limits import TimeLimits
from bot.conversation.messages import ConversationKey, Question
from bot.errors import EngineOverloaded, EngineUnavailable, RequestFailed, WaitedTooLong
from bot.inference.engine import FinishReason
from bot.store.rows.questions import engine_name
from tests.chat.house import GENERAL, RANDOM, THREAD, House, collect, text, until
from tests.engines import echo
from tests.locks import lock


async def test_an_answer_streams_and_ends_with_finished(house: House) -> None:
    events = await house.ask("Hello?")

    assert text(events) == echo(house.engine.requests[0])
    assert len([event for event in events if isinstance(event, TextDelta)]) > 1
    assert events[-1] == Finished(FinishReason.STOP)


async def test_a_question_that_comes_twice_is_received_once(house: House) -> None:
    question = house.asks("Hello?")
    await house.serve(question)

    is_new = await house.receive(question)

    assert not is_new
    assert house.chat.queue.num_running == 0


async def test_a_question_that_need_not_wait_is_begun_with_the_commit_that_receives_it(house: House) -> None:
    first, second = house.asks("Hello?"), house.asks("And me?")

    for question in (first, second):
        assert await house.chat.open(question).receive(begins=True)

    states = [await house.state(question) for question in (first, second)]
    for question in (first, second):
        await collect(house, question)
    assert states == [InboxState.ANSWERING, InboxState.RECEIVED]
    assert "Hello?" in house.prompt(1)


@pytest.mark.parametrize("begins", [False, True])
async def test_a_question_that_is_stopped_while_it_is_being_committed_is_known_to_be_there(
    house: House, tmp_path: Path, begins: bool
) -> None:
    question = house.asks("Hello?")
    exchange = house.chat.open(question)
    pool = house.history._database.engine.sync_engine.pool
    with contextlib.closing(sqlite3.connect(tmp_path / "trinity.db", isolation_level=None)) as other:
        await lock(other)
        receiving = asyncio.create_task(exchange.receive(begins=begins))
        await until(lambda: pool.checkedout() == 1)

        receiving.cancel()
        other.execute("ROLLBACK")
        await asyncio.wait([receiving])

    assert receiving.cancelled()
    assert exchange.is_committed
    await exchange.finish(InboxState.WITHDRAWN)
    assert await house.state(question) is InboxState.WITHDRAWN
    exchange.close()


async def test_an_edit_between_the_commit_and_the_answer_is_followed(house: House) -> None:
    question = house.asks("What is tow?")
    exchange = house.chat.open(question)
    await exchange.receive(begins=True)

    await exchange.edit("What is two?")
    events = await collect(house, question)

    assert Anew() not in events
    assert len(house.engine.requests) == 1
    assert "What is two?" in house.prompt()


async def test_answers_of_one_channel_come_one_at_a_time_in_order(house: House) -> None:
    questions = [house.asks(f"Question {number}") for number in range(4)]
    for question in questions:
        assert await house.receive(question)
    order = []

    async def serve(question: Question) -> None:
        async for event in house.exchange(question).events():
            if isinstance(event, Finished):
                order.append(question.message_id)
                assert house.engine.num_running == 0
        assert len(house.engine.requests) == len(order), "the next one waits for `finish`"
        await house.exchange(question).finish(InboxState.ANSWERED)

    async with asyncio.TaskGroup() as tasks:
        for question in reversed(questions):
            tasks.create_task(serve(question))

    assert order == [question.message_id for question in questions]


async def test_a_stop_that_keeps_nothing_ends_whatever_is_waited_for(house: House) -> None:
    house.engine.gate.clear()
    first, second = house.asks("Hello?"), house.asks("And me?")
    for question in (first, second):
        await house.receive(question)
    tasks = [asyncio.create_task(answer_until_stopped(house.exchange(question))) for question in (first, second)]
    await until(lambda: bool(house.engine.requests))

    was_ended = [house.exchange(question).stop(StopReason.CHANNEL_LOST) for question in (second, first)]

    await asyncio.gather(*tasks)
    assert was_ended == [True, True]
    assert house.engine.num_aborted == 1
    assert house.chat.queue.num_waiting == house.chat.queue.num_running == len(house.chat.exchanges) == 0


async def answer_until_stopped(exchange: Exchange) -> None:
    with contextlib.suppress(TimeoutError):
        async with exchange, exchange.until_stopped():
            await anext(event async for event in exchange.events() if isinstance(event, Finished))


async def test_a_later_stop_that_keeps_nothing_goes_before_one_that_keeps(house: House) -> None:
    question = house.asks("Hello?")
    await house.receive(question)
    exchange = house.exchange(question)

    for reason, keep in ((StopReason.RESET, True), (StopReason.QUESTION_DELETED, False), (StopReason.RESET, True)):
        assert not exchange.stop(reason, keep=keep)  # nothing runs that it could end

    assert exchange.stopped is StopReason.QUESTION_DELETED
    assert await collect(house, question) == [Finished(FinishReason.ABORTED)]


async def test_a_question_that_is_given_up_while_it_waits_holds_nobody_up(house: House) -> None:
    house.engine.gate.clear()
    questions = [house.asks(f"Question {number}") for number in range(3)]
    for question in questions:
        await house.receive(question)
    tasks = [asyncio.create_task(collect(house, question)) for question in questions]
    await until(lambda: len(house.engine.requests) == 1)

    tasks[1].cancel()
    house.engine.gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert [isinstance(events, list) for events in outcomes] == [True, False, True]
    assert len(house.chat.exchanges) == 0


async def test_a_failed_question_leaves_no_trace_in_the_history(house: House) -> None:
    house.engine.answer = lambda _: RequestFailed()
    question = house.asks("Boom")
    await house.receive(question)

    with pytest.raises(RequestFailed):
        await collect(house, question)
    await house.exchange(question).finish(InboxState.FAILED)
    house.engine.answer = echo
    await house.ask("Hello?")

    assert "Boom" not in house.prompt()
    assert await house.state(question) is InboxState.FAILED


async def test_an_empty_answer_is_an_error_in_words(house: House) -> None:
    house.engine.answer = lambda _: " \u200b\n"
    question = house.asks("Hello?")
    await house.receive(question)

    with pytest.raises(RequestFailed, match=NOTHING_SAID):
        await collect(house, question)


async def test_blanks_around_an_answer_are_neither_shown_nor_stored(house: House) -> None:
    house.engine.answer = lambda _: "  well  then \n"

    assert text(await house.ask("Hello?")) == "well  then"

    await house.ask("And?")
    assert "Alice: Hello? [/INST] well  then  [INST] Alice: And?" in house.prompt()


async def test_a_line_that_speaks_for_someone_else_ends_the_answer(house: House) -> None:
    house.engine.answer = lambda _: "Hi.\nAlice: I hate you\nyes I do"

    assert text(await house.ask("Hello?")) == "Hi."
    assert house.engine.num_aborted == 1


async def test_a_loop_ends_the_answer_and_one_round_of_it_is_kept(house: House) -> None:
    house.engine.answer = lambda _: "Here you are. " + "I like to help you. " * 200
    events = await house.ask("Hello?")

    house.engine.answer = echo
    await house.ask("And now?")

    assert Anew("Here you are. I like to help you.") in events
    assert events[-2:] == [Notice(WENT_ROUND), Finished(FinishReason.LOOP)]
    assert house.prompt().count("I like to help you.") == 1
    assert house.engine.num_aborted == 1


async def test_a_cancelled_answer_stays_open_and_its_try_is_not_counted(house: House) -> None:
    house.engine.gate.clear()
    question = house.asks("Hello?")
    await house.receive(question)
    under_way = asyncio.create_task(collect(house, question))
    await until(lambda: bool(house.engine.requests))

    under_way.cancel()
    await asyncio.gather(under_way, return_exceptions=True)

    [left] = await house.inbox.unfinished()
    assert left.question.content == "Hello?"
    assert left.attempts == 0
    assert house.chat.queue.num_running == 0


async def test_what_an_earlier_process_left_open_is_answered_with_the_same_seed(house: House, open_house) -> None:
    question = house.asks("Hello?")
    await house.receive(question)
    attempt = await house.inbox.begin_attempt(question, seed=99)
    assert attempt is not None

    async with open_house() as restarted:
        [left] = await restarted.chat.resume("discord")
        events = await collect(restarted, left.question)

    assert text(events)
    assert restarted.engine.requests[0].sampling.seed == 99


async def test_an_answer_that_was_complete_before_a_crash_is_delivered_and_not_made_anew(
    house: House, open_house
) -> None:
    question = house.asks("Hello?")
    await house.receive(question)
    shown = text([event async for event in house.exchange(question).events()])

    async with open_house() as restarted:
        [left] = await restarted.chat.resume("discord")
        events = await collect(restarted, left.question)

        assert text(events) == shown
        assert not restarted.engine.requests
        assert not await restarted.chat.resume("discord")


async def test_a_question_that_was_alone_in_the_engine_at_two_deaths_is_set_aside(house: House, open_house) -> None:
    question = house.asks("Hello?")
    await house.receive(question)
    for _ in range(2):
        await house.inbox.begin_attempt(question, seed=1)
        await house.inbox.note_deaths([engine_name(question)])

    async with open_house() as restarted:
        [left] = await restarted.chat.resume("discord")
        with pytest.raises(RequestFailed, match="set it aside") as refusal:
            await collect(restarted, left.question)
        await restarted.exchange(left.question).finish(InboxState.FAILED)

        assert "other words" not in str(refusal.value)
        assert not await restarted.chat.resume("discord")
        assert not restarted.engine.requests


@pytest.mark.parametrize(
    "deaths",
    [
        [(), (), ()],  # it only waited in the engine's queue
        [("it", "other"), ("it", "other"), ("it", "other")],
        [("it", "other"), ("it",)],
        [("it",), ("other",)],
        [("it", ""), ("it", "")],
    ],
    ids=str,
)
async def test_what_waited_or_ran_in_company_when_the_process_died_is_answered(
    house: House, open_house, deaths: list[tuple[str, ...]]
) -> None:
    question = house.asks("Hello?")
    await house.receive(question)
    names = {"it": engine_name(question), "other": "discord:9999", "": ""}
    for running in deaths:
        await house.inbox.begin_attempt(question, seed=1)
        await house.inbox.note_deaths([names[name] for name in running])

    async with open_house() as restarted:
        [left] = await restarted.chat.resume("discord")
        events = await collect(restarted, left.question)

    assert events[-1] == Finished(FinishReason.STOP)


async def test_what_was_there_at_two_deaths_has_the_engine_to_itself(house: House, open_house) -> None:
    suspect = house.asks("Hello?")
    await house.receive(suspect)
    for _ in range(2):
        await house.inbox.note_deaths([engine_name(suspect), "discord:9999"])

    async with open_house(time_limits=TimeLimits(waiting_seconds=0.2)) as restarted:
        restarted.engine.gate.clear()
        [left] = await restarted.chat.resume("discord")
        first = asyncio.create_task(collect(restarted, left.question))
        await until(lambda: len(restarted.engine.requests) == 1)
        impatient = restarted.asks("And me?", RANDOM, message_id=100)
        await restarted.receive(impatient)
        with pytest.raises(WaitedTooLong):
            await collect(restarted, impatient)
        assert len(restarted.engine.requests) == 1
        restarted.engine.gate.set()
        await first
        await restarted.serve(restarted.asks("And now?", THREAD, message_id=101))

    assert len(restarted.engine.requests) == 2


async def test_too_many_waiting_questions_are_refused_and_committed_as_such(open_house) -> None:
    async with open_house(queue=QuestionQueue(max_waiting_per_person=1)) as house:
        running, waiting, refused = (house.asks(f"Question {number}") for number in range(3))
        assert await house.receive(running)
        assert await house.receive(waiting)

        with pytest.raises(EngineOverloaded):
            await house.receive(refused)

        assert await house.state(refused) is InboxState.REFUSED
        assert not await house.receive(refused)


async def test_refused_questions_are_all_committed_and_each_refused_once(open_house) -> None:
    async with open_house(queue=QuestionQueue(max_waiting=1)) as house:
        running, waiting, *refused = [house.asks(f"Hello {number}?") for number in range(1202)]
        assert await house.receive(running)
        assert await house.receive(waiting)

        outcomes = await asyncio.gather(
            *(house.receive(each) for each in (*refused, refused[0])), return_exceptions=True
        )

        assert [type(answer) for answer in outcomes[:-1]] == [EngineOverloaded] * 1200
        assert outcomes[-1] is False
        assert await house.inbox.last_message_id("discord", GENERAL.channel_id) == refused[-1].message_id
        counts = await house.inbox.count_by_state()
        assert (counts[InboxState.REFUSED], counts[InboxState.RECEIVED]) == (1200, 2)


async def test_a_refusal_that_is_cancelled_does_not_hold_up_the_others(open_house) -> None:
    async with open_house(queue=QuestionQueue(max_waiting=1)) as house:
        running, waiting, *refused = [house.asks("Hello?", author=f"Person {number}") for number in range(20)]
        assert await house.receive(running)
        assert await house.receive(waiting)

        tasks = [asyncio.create_task(house.receive(question)) for question in refused]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)

        assert [type(answer) for answer in outcomes[1::2]] == [EngineOverloaded] * 9
        for question in refused[1::2]:
            assert await house.state(question) is InboxState.REFUSED


async def test_a_question_whose_turn_does_not_come_is_dropped_with_a_reason(open_house) -> None:
    async with open_house(time_limits=TimeLimits(waiting_seconds=0.01)) as house:
        house.engine.gate.clear()
        first, second = house.asks("Hello?"), house.asks("And now?")
        for question in (first, second):
            await house.receive(question)
        answering = asyncio.create_task(collect(house, first))
        await until(lambda: house.engine.num_running == 1)

        with pytest.raises(WaitedTooLong):
            await collect(house, second)

        house.engine.gate.set()
        await house.exchange(second).finish(InboxState.REFUSED)
        assert text(await answering)
        assert len(house.engine.requests) == 1


async def test_the_wait_in_the_engines_queue_counts_with_the_wait_for_the_turn(open_house) -> None:
    async with open_house(time_limits=TimeLimits(waiting_seconds=60.0)) as house:
        house.engine.gate.clear()
        first, second, unfinished = house.asks("Hello?"), house.asks("And now?"), house.asks("And later?", RANDOM)
        for question in (first, second, unfinished):
            await house.receive(question)
        answering = [asyncio.create_task(collect(house, question)) for question in (first, second)]
        await until(lambda: house.engine.num_running == 1)
        await asyncio.sleep(0.05)
        house.engine.gate.set()
        await asyncio.gather(*answering)

    async with open_house(time_limits=TimeLimits(waiting_seconds=60.0)) as restarted:
        await restarted.chat.resume("discord")
        await collect(restarted, unfinished)

    waits = [request.max_queued_seconds for request in house.engine.requests]
    assert 0 < waits[1] <= waits[0] - 0.04 <= 60
    assert restarted.engine.requests[0].max_queued_seconds is None


async def test_an_answer_that_falls_silent_ends_with_a_note_and_is_stored_and_counted_as_it_is(
    open_house, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "bot")
    async with open_house(time_limits=TimeLimits(silence_seconds=0.05)) as house:
        house.engine.words_before_gate = 3
        house.engine.gate.clear()

        events = await house.ask("Tell me everything.")

        shown = text(events)
        num_words = len(shown.split())
        assert events[-2:] == [Notice(FELL_SILENT), Finished(FinishReason.SILENCE)]
        assert 1 <= num_words <= 3
        assert echo(house.engine.requests[0]).startswith(shown)
        assert [turn.answer for turn in (await house.history.load(GENERAL)).turns] == [shown]
        assert house.engine.num_aborted == 1
        num_prompt_tokens = len(house.engine.requests[0].prompt_token_ids)
    assert stored(tmp_path) == [("silence", num_prompt_tokens, num_words)]
    assert f"prompt {num_prompt_tokens} tokens, 0 cached, {num_words} new" in caplog.text
    assert "in all, silence" in caplog.text


async def test_an_answer_that_goes_on_may_take_longer_than_a_silence(open_house) -> None:
    async with open_house(time_limits=TimeLimits(silence_seconds=1.5)) as house:
        house.engine.seconds_per_word = 0.25
        house.engine.answer = lambda _: "one two three four five six seven eight"

        events = await house.ask("Tell me everything.")

    assert text(events) == "one two three four five six seven eight"
    assert events[-1] == Finished(FinishReason.STOP)


async def test_a_forged_speaker_is_a_reason_of_its_own_and_what_was_said_before_is_counted(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "bot")
    house.engine.answer = lambda _: "Hi there.\nAlice: I hate you and so on"

    events = await house.ask("Hello?")

    assert events[-1] == Finished(FinishReason.FORGED_SPEAKER)
    [(reason, _, num_new_tokens)] = stored(tmp_path)
    assert (reason, num_new_tokens) == ("forged_speaker", 2)  # the label came with the second word
    assert "2 new" in caplog.text
    assert "in all, forged_speaker" in caplog.text


def stored(folder: Path) -> list[tuple[str, int, int]]:
    """Finish reason, prompt tokens and new tokens of each answer in the database."""
    with contextlib.closing(sqlite3.connect(folder / "trinity.db")) as connection:
        query = "SELECT finish_reason, num_prompt_tokens, num_new_tokens FROM messages WHERE role = 'assistant'"
        return connection.execute(query).fetchall()


async def test_questions_that_may_have_ended_the_process_are_tried_one_by_one(house: House, open_house) -> None:
    keys = [ConversationKey("discord", 30 + number, guild_id=1) for number in range(3)]
    suspects = [house.asks("Hello?", key) for key in keys]
    for question in suspects:
        await house.receive(question)
        await house.inbox.begin_attempt(question, seed=1)
    await house.inbox.note_deaths([engine_name(question) for question in suspects])

    async with open_house() as restarted:
        restarted.engine.gate.clear()
        unfinished = [left.question for left in await restarted.chat.resume("discord")]
        answering = [asyncio.create_task(collect(restarted, question)) for question in unfinished]
        fresh = asyncio.create_task(restarted.serve(restarted.asks("Me too?", RANDOM, message_id=100)))
        await until(lambda: len(restarted.engine.requests) == 2)
        attempts = [left.attempts for left in await restarted.inbox.unfinished()]
        restarted.engine.gate.set()
        await asyncio.gather(fresh, *answering)

    assert attempts == [2, 1, 1, 1]
    assert len(restarted.engine.requests) == 4


async def test_an_engine_that_is_away_leaves_the_question_open(house: House) -> None:
    house.engine.answer = lambda _: EngineUnavailable("The engine is shutting down.")
    question = house.asks("Hello?")
    await house.receive(question)

    with pytest.raises(EngineUnavailable):
        await collect(house, question)

    assert [left.question.message_id for left in await house.inbox.unfinished()] == [question.message_id]


async def test_a_part_that_we_delete_is_not_taken_for_a_persons_deletion(house: House) -> None:
    question = house.asks("Hello?")
    await house.receive(question)
    exchange = house.exchange(question)
    await exchange.parts.record(Part("answer", 1, 501))
    assert house.chat.exchanges.shown_by("discord", 501) is exchange

    await exchange.parts.mark_surplus(("answer", 1))
    await house.chat.withdraw("discord", 501)

    assert await house.state(question) is InboxState.RECEIVED
    assert house.chat.exchanges.shown_by("discord", 501) is None
    assert exchange.stopped is None


async def test_parts_are_remembered_until_they_are_removed(house: House) -> None:
    question = house.asks("Hello?")
    await house.receive(question)
    exchange = house.exchange(question)
    await exchange.parts.record(Part("answer", 0, 500))
    await exchange.parts.record(Part("answer", 1, 501))

    await exchange.parts.remove(("answer", 1))

    assert [(part.index, part.message_id) for part in await exchange.parts.load()] == [(0, 500)]
    assert exchange.generation == 0
