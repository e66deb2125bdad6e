"""Whose turn it is: one answer at a time per conversation, in the order asked, and nobody can take a channel over.

Questions of one conversation are answered first come, first served. A person who already has two questions there
(running or waiting) doesn't get a third place in that line: their further questions stand aside, and each joins the
line's end when one of the two is done. So somebody who floods a channel delays the others by two answers at most.
All lines together are bounded, and no guild gets more than three quarters of the places. Questions that were accepted
before a restart are never refused and count like all others, but what they take beyond their guild's share takes no
place from anybody else.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bot.errors import EngineOverloaded

PLACES_PER_PERSON = 2


@dataclass(slots=True, eq=False)
class Ticket:
    """A question's place. `ready` is set when it is its turn."""

    conversation: Hashable
    person: Hashable
    guild: Hashable = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class _Line:
    running: Ticket | None = None
    waiting: deque[Ticket] = field(default_factory=deque)
    aside: deque[Ticket] = field(default_factory=deque)
    places: Counter[Hashable] = field(default_factory=Counter)


class Turns:
    """The lines before all conversations, bounded in all and per person and conversation.

    Args:
        max_waiting: how many questions may wait in all.
        max_waiting_per_person: how many one person may have waiting in one conversation.
    """

    def __init__(self, *, max_waiting: int = 128, max_waiting_per_person: int = 8) -> None:
        self._lines: dict[Hashable, _Line] = {}
        self._max_waiting = max_waiting
        self._max_waiting_per_person = max_waiting_per_person

    @property
    def num_waiting(self) -> int:
        """Questions that wait for their turn, over all conversations."""
        return sum(len(line.waiting) + len(line.aside) for line in self._lines.values())

    @property
    def num_running(self) -> int:
        """Conversations in which an answer is being written."""
        return sum(line.running is not None for line in self._lines.values())

    def join(
        self, conversation: Hashable, person: Hashable, *, guild: Hashable = None, is_limited: bool = True
    ) -> Ticket:
        """Take the next place; the caller gives it back with `leave`, whatever happens.

        `guild` is None where there is none, in direct messages. `is_limited` False is for questions that were accepted
        earlier, before a restart.

        Raises:
            EngineOverloaded: too many questions wait, in all, of this guild, or from this person here.
        """
        line = self._lines.get(conversation) or _Line()
        if is_limited:
            self._refuse_excess(line, person, guild)
        ticket = Ticket(conversation, person, guild)
        self._lines[conversation] = line
        if line.places[person] < PLACES_PER_PERSON:
            self._give_place(line, ticket)
        else:
            line.aside.append(ticket)
        self._call_next(line)
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give a place back, before, during or after its turn, and call whoever is next. Twice does no harm."""
        line = self._lines.get(ticket.conversation)
        if line is None:
            return
        if ticket in line.aside:
            line.aside.remove(ticket)
        elif ticket is line.running or ticket in line.waiting:
            self._take_place_back(line, ticket)
        self._call_next(line)
        if line.running is None and not line.aside:
            del self._lines[ticket.conversation]

    @asynccontextmanager
    async def turn(self, ticket: Ticket) -> AsyncIterator[None]:
        """Wait for the turn of `ticket`, hold it, and leave afterwards."""
        try:
            await ticket.ready.wait()
            yield
        finally:
            self.leave(ticket)

    def _refuse_excess(self, line: _Line, person: Hashable, guild: Hashable) -> None:
        own = sum(other.person == person for other in (*line.waiting, *line.aside))
        if own >= self._max_waiting_per_person:
            raise EngineOverloaded(f"You already have {own} questions waiting here. Please wait for an answer first.")
        lines, share = self._lines.values(), self._max_waiting * 3 / 4
        by_guild = Counter(ticket.guild for other in lines for ticket in (*other.waiting, *other.aside))
        if guild is not None and by_guild[guild] >= share:
            raise EngineOverloaded
        if sum(number if whose is None else min(number, share) for whose, number in by_guild.items()) >= (
            self._max_waiting
        ):
            raise EngineOverloaded

    def _give_place(self, line: _Line, ticket: Ticket) -> None:
        line.places[ticket.person] += 1
        line.waiting.append(ticket)

    def _take_place_back(self, line: _Line, ticket: Ticket) -> None:
        if ticket is line.running:
            line.running = None
        else:
            line.waiting.remove(ticket)
        line.places[ticket.person] -= 1
        if not line.places[ticket.person]:
            del line.places[ticket.person]
        following = next((other for other in line.aside if other.person == ticket.person), None)
        if following is not None:
            line.aside.remove(following)
            self._give_place(line, following)

    def _call_next(self, line: _Line) -> None:
        if line.running is None and line.waiting:
            line.running = line.waiting.popleft()
            line.running.ready.set()
