import asyncio
from datetime import UTC, datetime

import pytest

from bot.chat.chat import Chat
from bot.chat.queue import QuestionQueue
from bot.chat.registry import MAX_UNSETTLED
from bot.conversation.messages import ConversationKey, Question
from bot.conversation.window import TokenBudget
from bot.delivery.answers import Answers
from bot.delivery.refusals import Unreachable
from bot.delivery.sender import open_sender
from bot.store.rows.history import History

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GENERAL = ConversationKey("anywhere", 1, 2)


class Silent:
    """An inbox that commits nothing, and a transport that nobody uses."""

    async def receive(self, *_: object, **__: object) -> bool:
        await asyncio.Event().wait()
        return False

    receive_and_begin = receive


class OutOfReach(Silent):
    """A platform that can't be reached."""

    def __init__(self) -> None:
        self.was_tried = asyncio.Event()

    def language_of(self, _: int) -> str:
        return "en"

    async def create(self, _: object) -> None:
        self.was_tried.set()
        raise Unreachable("the connection was closed")


def ask(number: int) -> Question:
    return Question(GENERAL, number, number, "Alice", "hello", NOW)


def open_chat() -> Chat:
    queue = QuestionQueue(max_waiting=2 * MAX_UNSETTLED)
    return Chat(History(None), Silent(), None, None, None, None, TokenBudget(4096, 100_000, 1000), queue=queue)


async def test_an_answer_that_is_cancelled_before_it_began_leaves_nothing_behind() -> None:
    chat = open_chat()
    async with open_sender(Silent()) as sender, asyncio.TaskGroup() as tasks:
        answers = Answers(chat, sender, tasks, lambda: NOW)
        answers.begin(chat.open(ask(1)))

        await answers.drain(0)

    assert len(chat.exchanges) == chat.queue.num_running == 0


async def test_a_question_that_is_told_twice_at_once_is_answered_by_one() -> None:
    chat = open_chat()
    async with open_sender(Silent()) as sender, asyncio.TaskGroup() as tasks:
        answers = Answers(chat, sender, tasks, lambda: NOW)
        answers.begin(chat.open(ask(1)))
        first = chat.exchanges.asked_by("anywhere", 1)
        answers.begin(chat.open(ask(1)))

        await asyncio.sleep(0)
        assert [*chat.exchanges] == [first]
        assert (chat.queue.num_running, chat.queue.num_waiting) == (1, 0)
        await answers.drain(0)


@pytest.mark.no_cover
async def test_when_too_many_questions_are_under_way_no_more_is_read_until_one_is_done() -> None:
    chat = open_chat()
    async with open_sender(Silent()) as sender, asyncio.TaskGroup() as tasks:
        answers = Answers(chat, sender, tasks, lambda: NOW)
        for number in range(MAX_UNSETTLED):
            answers.begin(chat.open(ask(number)))
        reading = asyncio.create_task(answers.room())
        await asyncio.sleep(0)
        assert not reading.done()

        await answers.drain(0)

        await reading


async def test_who_can_not_be_told_that_the_database_is_away_holds_up_no_end() -> None:
    chat, transport = open_chat(), OutOfReach()
    async with asyncio.timeout(60), open_sender(transport) as sender, asyncio.TaskGroup() as tasks:
        answers = Answers(chat, sender, tasks, lambda: NOW)
        exchange = chat.open(ask(1))
        answers.begin(exchange)
        exchange.on_held()
        await transport.was_tried.wait()

        await answers.drain(0)

    assert len(chat.exchanges) == 0
