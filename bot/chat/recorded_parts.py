"""The messages that show one exchange, as the inbox has them: committed when they are created, and when they go."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from typing import Protocol, TypeVar

from bot.conversation.messages import Question
from bot.store.rows.inbox import Inbox
from bot.store.rows.questions import Part

T = TypeVar("T")

Place = tuple[str, int]
"""The purpose, and the index among the messages of that purpose."""


class Outlast(Protocol):
    """Does a step in the store, also where the database is away for a while."""

    def __call__(self, step: Callable[[], Awaitable[T]], /) -> Awaitable[T]: ...


class RecordedParts(Mapping[Place, Part]):
    """The messages that are known to show a question's answer, or a notice about it, by place.

    Args:
        on_known: called with each that is known from now on.
        on_surplus: called with each that the bot is about to delete.
    """

    def __init__(
        self,
        inbox: Inbox,
        question: Question,
        outlast: Outlast,
        on_known: Callable[[Part], None],
        on_surplus: Callable[[Part], None],
    ) -> None:
        self._inbox = inbox
        self._question = question
        self._outlast = outlast
        self._on_known = on_known
        self._on_surplus = on_surplus
        self._by_place: dict[Place, Part] = {}

    def __getitem__(self, place: Place) -> Part:
        return self._by_place[place]

    def __iter__(self) -> Iterator[Place]:
        return iter(self._by_place)

    def __len__(self) -> int:
        return len(self._by_place)

    async def load(self) -> tuple[Part, ...]:
        """Those that were created so far, from the inbox."""
        parts = await self._outlast(lambda: self._inbox.parts(self._question))
        for part in parts:
            self._note(part)
        return parts

    async def recorded_among(self, message_ids: Collection[int]) -> set[int]:
        """Those of these messages that belong to some question already, this or another."""
        platform = self._question.conversation.platform
        return await self._outlast(lambda: self._inbox.recorded_among(platform, message_ids))

    async def record(self, part: Part) -> None:
        """Commit the id of a message that was created."""
        self._note(part)
        await self._outlast(lambda: self._inbox.record_part(self._question, part))

    async def mark_surplus(self, place: Place) -> Part:
        """Commit that a part will be deleted by the bot, so that this isn't taken for a person's act; returns it."""
        await self._outlast(lambda: self._inbox.mark_surplus(self._question, *place))
        part = self._by_place.pop(place)
        self._on_surplus(part)
        return part

    async def remove(self, place: Place) -> None:
        """Commit that a part no longer exists."""
        await self._outlast(lambda: self._inbox.remove_part(self._question, *place))

    def _note(self, part: Part) -> None:
        self._by_place[part.purpose, part.index] = part
        self._on_known(part)
