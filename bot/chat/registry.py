"""The exchanges under way: the only place where they are looked up."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bot.store.rows.questions import Part

if TYPE_CHECKING:
    from bot.chat.exchange import Exchange


class ExchangeRegistry:
    """The exchanges under way, by the message that asks and by the messages that show the answer."""

    def __init__(self) -> None:
        self._by_question: dict[tuple[str, int], Exchange] = {}
        self._by_part: dict[tuple[str, int], Exchange] = {}
        self._prepared: dict[tuple[str, int], Exchange] = {}  # by channel, the last one that isn't received

    def __len__(self) -> int:
        return len(self._by_question)

    def __iter__(self) -> Iterator["Exchange"]:
        """In the order in which they were opened."""
        return iter([*self._by_question.values()])

    def in_channel(self, platform: str, channel_id: int) -> list["Exchange"]:
        """Those of one channel: the one that has its turn first, then those that wait, in their order."""
        here = [
            each for each in self if (each.question.conversation.platform, each.channel_id) == (platform, channel_id)
        ]
        return sorted(here, key=lambda exchange: not exchange.has_turn)

    def asked_by(self, platform: str, message_id: int) -> "Exchange | None":
        """The exchange of a question."""
        return self._by_question.get((platform, message_id))

    def shown_by(self, platform: str, message_id: int) -> "Exchange | None":
        """The exchange of which a message shows a part."""
        return self._by_part.get((platform, message_id))

    def add(self, exchange: "Exchange") -> bool:
        """Know an exchange; False where another one has the same question and keeps its place."""
        return self._by_question.setdefault(_id(exchange, exchange.message_id), exchange) is exchange

    def note_prepared(self, exchange: "Exchange") -> "Exchange | None":
        """The exchange to be received before this one: the last of its channel that reads, or waits for one."""
        channel = exchange.question.conversation.platform, exchange.channel_id
        before = self._prepared.get(channel)
        if exchange.is_prepared or before is not None:
            self._prepared[channel] = exchange
        return before

    def forget_prepared(self, exchange: "Exchange") -> None:
        """Nobody waits for this one any more."""
        channel = exchange.question.conversation.platform, exchange.channel_id
        if self._prepared.get(channel) is exchange:
            del self._prepared[channel]

    def remove(self, exchange: "Exchange") -> None:
        """Forget an exchange and its parts."""
        if self._by_question.get(_id(exchange, exchange.message_id)) is exchange:
            del self._by_question[_id(exchange, exchange.message_id)]
        for part in exchange.parts.values():
            self.remove_part(exchange, part)

    def add_part(self, exchange: "Exchange", part: Part) -> None:
        """Know a part of an exchange that is under way."""
        if self._by_question.get(_id(exchange, exchange.message_id)) is exchange:
            self._by_part[_id(exchange, part.message_id)] = exchange

    def remove_part(self, exchange: "Exchange", part: Part) -> None:
        """Forget a part."""
        self._by_part.pop(_id(exchange, part.message_id), None)


def _id(exchange: "Exchange", message_id: int) -> tuple[str, int]:
    return exchange.question.conversation.platform, message_id
