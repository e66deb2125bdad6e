import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.chat.answer import FELL_SILENT, NOTHING_SAID, TRIM_NOTICE
from bot.chat.chat import (
    Chat,
    Exchange,
    Finished,
    InboxState,
    Notice,
    Part,
    ReplyEvent,
    SamplingChoice,
    StopReason,
    TextDelta,
)
from bot.chat.queue import QuestionQueue
from bot.chat.time_limits import TimeLimits
from bot.conversation.chat_format import TurnEncoder
from bot.conversation.messages import ConversationKey, Question
from bot.conversation.window import TokenBudget
from bot.errors import (
    BuiltInPersona,
    EngineOverloaded,
    EngineUnavailable,
    PersonaTooLong,
    PromptTooLong,
    RequestFailed,
    UnknownPersona,
    WaitedTooLong,
)
from bot.inference.engine import FinishReason
from bot.store.files.database import open_database
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.personas import Personas
from bot.store.rows.questions import engine_name
from tests.conversation.vocabularies import load_any_vocabulary
from tests.engines import EchoEngine, echo

GENERAL = ConversationKey("discord", 10, guild_id=1)
RANDOM = ConversationKey("discord", 20, guild_id=1)
THREAD = ConversationKey("discord", 11, guild_id=1, parent_channel_id=10)
ASKED_AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class House:
    """A chat on a real database, and what is behind it."""

    chat: Chat
    engine: EchoEngine
    inbox: Inbox
    history: History
    encoder: TurnEncoder
    last_id: int = 0

    def asks(self, text: str, key: ConversationKey = GENERAL, author: str = "Alice", **fields: object) -> Question:
        self.last_id += 1
        question = Question(key, self.last_id, hash(author) % 1000, author, text, ASKED_AT)
        return replace(question, **fields)

    async def ask(self, text: str, key: ConversationKey = GENERAL, author: str = "Alice") -> list[ReplyEvent]:
        return await self.serve(self.asks(text, key, author))

    async def serve(self, question: Question) -> list[ReplyEvent]:
        assert await self.receive(question)
        return await collect(self, question)

    async def receive(self, question: Question) -> bool:
        return await self.chat.open(question).receive()

    def exchange(self, question: Question) -> Exchange:
        """The exchange of a question that was received or resumed."""
        exchange = self.chat.exchanges.asked_by(question.conversation.platform, question.message_id)
        assert exchange is not None
        return exchange

    def prompt(self, number: int = -1) -> str:
        return self.encoder.tokenizer.decode(list(self.engine.requests[number].prompt_token_ids))

    async def state(self, question: Question) -> InboxState | None:
        return await self.inbox.state(question.conversation.platform, question.message_id)


@pytest.fixture(scope="session")
def small_encoder(tmp_path_factory: pytest.TempPathFactory) -> TurnEncoder:
    return TurnEncoder(load_any_vocabulary("small", tmp_path_factory.mktemp("vocabulary")))


@pytest.fixture
def open_house(
    tmp_path: Path, small_encoder: TurnEncoder
) -> Callable[..., contextlib.AbstractAsyncContextManager[House]]:
    @asynccontextmanager
    async def opened(
        *, num_prompt_tokens: int = 3072, queue: QuestionQueue | None = None, time_limits: TimeLimits | None = None
    ) -> AsyncIterator[House]:
        async with open_database(f"sqlite:///{tmp_path / 'trinity.db'}") as database:
            history, inbox, engine = History(database), Inbox(database), EchoEngine()
            budget = TokenBudget(num_prompt_tokens + 100, 100_000, 100)
            sampling = SamplingChoice(seed=7)
            chat = Chat(
                history, inbox, Personas(database), engine, small_encoder, budget,
                sampling=sampling, queue=queue, time_limits=time_limits,
            )  # fmt: skip
            yield House(chat, engine, inbox, history, small_encoder)

    return opened


@pytest.fixture
async def house(open_house: Callable[..., contextlib.AbstractAsyncContextManager[House]]) -> AsyncIterator[House]:
    async with open_house() as opened:
        yield opened


def text(events: list[ReplyEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_an_answer_streams_and_ends_with_finished(house: House) -> None:
    events = await house.ask("Hello?")

    assert text(events) == echo(house.engine.requests[0])
    assert len([event for event in events if isinstance(event, TextDelta)]) > 1
    assert events[-1] == Finished(FinishReason.STOP)


async def test_the_next_prompt_holds_what_was_said(house: House) -> None:
    answer = text(await house.ask("My cat is called Tom."))

    await house.ask("What is my cat called?")

    assert "[INST] <<SYS>>" in house.prompt()
    assert f"Alice: My cat is called Tom. [/INST] {answer}" in house.prompt()
    assert house.prompt().endswith("[INST] Alice: What is my cat called? [/INST]")


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


async def test_a_question_that_comes_twice_is_received_once(house: House) -> None:
    question = house.asks("Hello?")
    await house.serve(question)

    is_new = await house.receive(question)

    assert not is_new
    assert house.chat.queue.num_running == 0


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


async def test_a_reset_forgets_at_once_and_stops_the_answer_under_way(house: House) -> None:
    await house.ask("The password is swordfish.")
    house.engine.gate.clear()
    question, waiting = house.asks("What is it?"), house.asks("Well?")
    await house.receive(question)
    await house.receive(waiting)
    under_way = asyncio.create_task(collect(house, question))
    left_behind = asyncio.create_task(collect(house, waiting))
    await until(lambda: len(house.engine.requests) == 2)

    num_turns = await house.chat.reset(GENERAL)
    events = [await under_way, await left_behind]

    assert num_turns == 1
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
    told = await asyncio.gather(*tasks, return_exceptions=True)

    assert [isinstance(events, list) for events in told] == [True, False, True]
    assert len(house.chat.exchanges) == 0


async def test_the_deletion_of_an_old_question_takes_its_turn_out_of_the_history(house: House) -> None:
    question = house.asks("My name is Secret.")
    await house.serve(question)

    await house.chat.withdraw("discord", question.message_id)
    await house.ask("What is my name?")

    assert "Secret" not in house.prompt()


async def test_an_edit_counts_until_the_answer_is_begun(house: House) -> None:
    question = house.asks("Tell me about cats")
    await house.receive(question)

    assert await house.chat.edit("discord", question.message_id, "Tell me about dogs")
    events = await collect(house, question)

    assert "dogs" in house.prompt()
    assert "cats" not in house.prompt()
    assert not await house.chat.edit("discord", question.message_id, "Tell me about birds")
    assert events[-1] == Finished(FinishReason.STOP)


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
        with pytest.raises(RequestFailed, match="set it aside") as told:
            await collect(restarted, left.question)
        await restarted.exchange(left.question).finish(InboxState.FAILED)

        assert "other words" not in str(told.value)
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


async def test_the_first_trim_after_a_reset_is_told_once_and_is_not_part_of_the_answer(open_house) -> None:
    async with open_house(num_prompt_tokens=600) as house:
        notices = []
        for number in range(25):
            events = await house.ask(f"Tale {number}: " + "once upon a time " * 5)
            notices += [event for event in events if isinstance(event, Notice)]

        assert notices == [Notice(TRIM_NOTICE)]
        assert TRIM_NOTICE not in house.prompt()
        assert "Tale 0:" not in house.prompt()
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

        told = await asyncio.gather(*(house.receive(each) for each in (*refused, refused[0])), return_exceptions=True)

        assert [type(answer) for answer in told[:-1]] == [EngineOverloaded] * 1200
        assert told[-1] is False
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
        told = await asyncio.gather(*tasks, return_exceptions=True)

        assert [type(answer) for answer in told[1::2]] == [EngineOverloaded] * 9
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
        first, second, left_over = house.asks("Hello?"), house.asks("And now?"), house.asks("And later?", RANDOM)
        for question in (first, second, left_over):
            await house.receive(question)
        answering = [asyncio.create_task(collect(house, question)) for question in (first, second)]
        await until(lambda: house.engine.num_running == 1)
        await asyncio.sleep(0.05)
        house.engine.gate.set()
        await asyncio.gather(*answering)

    async with open_house(time_limits=TimeLimits(waiting_seconds=60.0)) as restarted:
        await restarted.chat.resume("discord")
        await collect(restarted, left_over)

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
        left_over = [left.question for left in await restarted.chat.resume("discord")]
        answering = [asyncio.create_task(collect(restarted, question)) for question in left_over]
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


async def test_a_part_that_we_delete_is_not_taken_for_a_persons_deletion(house: House) -> None:
    question = house.asks("Hello?")
    await house.receive(question)
    exchange = house.exchange(question)
    await exchange.record_part(Part("answer", 1, 501))
    assert house.chat.exchanges.shown_by("discord", 501) is exchange

    await exchange.mark_surplus(("answer", 1))
    await house.chat.withdraw("discord", 501)

    assert await house.state(question) is InboxState.RECEIVED
    assert house.chat.exchanges.shown_by("discord", 501) is None
    assert exchange.stopped is None


async def test_parts_are_remembered_until_they_are_removed(house: House) -> None:
    question = house.asks("Hello?")
    await house.receive(question)
    exchange = house.exchange(question)
    await exchange.record_part(Part("answer", 0, 500))
    await exchange.record_part(Part("answer", 1, 501))

    await exchange.remove_part(("answer", 1))

    assert [(part.index, part.message_id) for part in await exchange.load_parts()] == [(0, 500)]
    assert exchange.generation == 0


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


async def collect(house: House, question: Question) -> list[ReplyEvent]:
    exchange = house.exchange(question)
    try:
        events = [event async for event in exchange.events()]
        is_aborted = events[-1] == Finished(FinishReason.ABORTED)
        await exchange.finish(InboxState.WITHDRAWN if is_aborted else InboxState.ANSWERED)
    except asyncio.CancelledError:
        exchange.close()
        raise
    exchange.close()
    return events


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.001)
