"""The exchanges under way: the only place where they are looked up."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, Protocol, TypeVar

from bot.conversation.messages import Question
from bot.store.rows.questions import Part


class Registered(Protocol):
    """What the registry needs to know of an exchange."""

    question: Question

    @property
    def parts(self) -> Mapping[tuple[str, int], Part]:
        """The messages that show it."""
        ...

    @property
    def message_id(self) -> int:
        """The question's message."""
        ...

    @property
    def channel_id(self) -> int:
        """Where it was asked."""
        ...

    @property
    def has_turn(self) -> bool:
        """Whether it is being answered."""
        ...


Each = TypeVar("Each", bound=Registered)

MAX_UNSETTLED = 1000
"""Questions under way, those included that are being refused; no more is read from Discord until there are fewer."""


class ExchangeRegistry(Generic[Each]):
    """The exchanges under way, by the message that asks and by the messages that show the answer."""

    def __init__(self) -> None:
        self.is_empty = asyncio.Event()
        """Set while none is under way."""
        self.is_empty.set()
        self.has_room = asyncio.Event()
        """Set while there are fewer than `MAX_UNSETTLED`."""
        self.has_room.set()
        self.on_added: Callable[[], None] = lambda: None
        """Called for each that is added."""
        self._by_question: dict[tuple[str, int], Each] = {}
        self._by_part: dict[tuple[str, int], Each] = {}

    def __len__(self) -> int:
        return len(self._by_question)

    def __iter__(self) -> Iterator[Each]:
        """In the order in which they were opened."""
        return iter([*self._by_question.values()])

    def in_channel(self, platform: str, channel_id: int) -> list[Each]:
        """Those of one channel: the one that has its turn first, then those that wait, in their order."""
        here = [
            each for each in self if (each.question.conversation.platform, each.channel_id) == (platform, channel_id)
        ]
        return sorted(here, key=lambda exchange: not exchange.has_turn)

    def asked_by(self, platform: str, message_id: int) -> Each | None:
        """The exchange of a question."""
        return self._by_question.get((platform, message_id))

    def shown_by(self, platform: str, message_id: int) -> Each | None:
        """The exchange of which a message shows a part."""
        return self._by_part.get((platform, message_id))

    def add(self, exchange: Each) -> bool:
        """Know an exchange; False where another one has the same question and keeps its place."""
        is_added = self._by_question.setdefault(_id(exchange, exchange.message_id), exchange) is exchange
        self.is_empty.clear()
        if len(self) >= MAX_UNSETTLED:
            self.has_room.clear()
        self.on_added()
        return is_added

    def remove(self, exchange: Each) -> None:
        """Forget an exchange and its parts."""
        if self._by_question.get(_id(exchange, exchange.message_id)) is exchange:
            del self._by_question[_id(exchange, exchange.message_id)]
        for part in exchange.parts.values():
            self.remove_part(exchange, part)
        if len(self) < MAX_UNSETTLED:
            self.has_room.set()
        if not self._by_question:
            self.is_empty.set()

    def add_part(self, exchange: Each, part: Part) -> None:
        """Know a part of an exchange that is under way."""
        if self._by_question.get(_id(exchange, exchange.message_id)) is exchange:
            self._by_part[_id(exchange, part.message_id)] = exchange

    def remove_part(self, exchange: Each, part: Part) -> None:
        self._by_part.pop(_id(exchange, part.message_id), None)


def _id(exchange: Registered, message_id: int) -> tuple[str, int]:
    return exchange.question.conversation.platform, message_id
