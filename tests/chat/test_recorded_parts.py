"""What is shown of an exchange, as a database that is away for a moment has it."""

from collections.abc import Collection
from datetime import UTC, datetime

from bot.chat.outage import Outage
from bot.chat.recorded_parts import RecordedParts
from bot.conversation.messages import ConversationKey, Question
from bot.errors import DatabaseBusy
from bot.store.rows.questions import Part

QUESTION = Question(ConversationKey("anywhere", 1), 7, 1, "Alice", "hello", datetime(2026, 1, 1, tzinfo=UTC))
PART = Part("answer", 0, 100)


class Hesitant:
    """An inbox that refuses every other read."""

    def __init__(self) -> None:
        self._num_reads = 0

    def _read(self) -> None:
        self._num_reads += 1
        if self._num_reads % 2:
            raise DatabaseBusy("The database is away.")

    async def parts(self, _: Question) -> tuple[Part, ...]:
        self._read()
        return (PART,)

    async def recorded_among(self, _: str, message_ids: Collection[int]) -> set[int]:
        self._read()
        return {*message_ids}


async def test_what_a_resumed_question_shows_is_waited_for() -> None:
    known: list[Part] = []
    parts = RecordedParts(Hesitant(), QUESTION, Outage(60.0).outlast, known.append, known.remove)

    loaded = await parts.load()

    assert loaded == (PART,) == tuple(known)
    assert await parts.recorded_among([5]) == {5}
