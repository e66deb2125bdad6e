from typing import Any

from bot.chat.recorded_parts import RecordedParts
from bot.errors import DatabaseBusy
from bot.store.rows.questions import Part


class Inbox:
    """Is away at the first read."""

    num_reads = 0

    async def parts(self, _question: object) -> tuple[Part, ...]:
        self.num_reads += 1
        if self.num_reads == 1:
            raise DatabaseBusy("locked")
        return (Part("answer", 0, 100),)


async def test_what_was_shown_is_read_also_where_the_database_is_away_for_a_while() -> None:
    async def outlast(step: Any) -> Any:
        try:
            return await step()
        except DatabaseBusy:
            return await step()

    parts = RecordedParts(Inbox(), object(), outlast, lambda _: None, lambda _: None)  # type: ignore[arg-type]

    assert [part.message_id for part in await parts.load()] == [100]
    assert parts["answer", 0].message_id == 100
