"""People on the loopback Discord who ask at a rate, and when each of them was answered."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.load_daemon import Daemon
from tests.loopback import LoopbackDiscord
from tests.loopback.answers import INVISIBLE_MARK
from tests.loopback.entities import Channel

LONGEST_SECONDS = 300.0
NUM_PEOPLE = 50
_MOST_OPEN = 8


@dataclass(slots=True)
class Turn:
    """A question, and when its answer began and was whole."""

    asked_at: float
    first_at: float | None = None
    done_at: float | None = None

    @property
    def first(self) -> float:
        """Seconds from the mention's frame to the request that creates the answer."""
        assert self.first_at is not None
        return self.first_at - self.asked_at


class Crowd:
    """Asks in channel after channel; the journal of the loopback says what became of it."""

    def __init__(self, server: LoopbackDiscord, daemon: Daemon, channels: Sequence[Channel]) -> None:
        self.server = server
        self.daemon = daemon
        self._places = itertools.cycle(channels)
        self._people = itertools.cycle([server.person(f"Person {number}") for number in range(NUM_PEOPLE)])
        self._turns: dict[int, Turn] = {}
        self._questions: dict[int, int] = {}
        self._num_read = len(server.journal.acts)
        self._num_done = 0

    async def ask(self, num_turns: int, turns_per_second: float, channels: Sequence[Channel] = ()) -> list[Turn]:
        """Ask so many questions at a rate, and wait for the last word of all answers."""
        places = itertools.cycle(channels) if channels else self._places
        asked, began_at = [], time.monotonic()
        for number in range(num_turns):
            await asyncio.sleep(max(0.0, began_at + number / turns_per_second - time.monotonic()))
            await self._until_open(_MOST_OPEN - 1)
            message = await next(self._people).says(
                next(places), "What is the capital of France, and why?", mention=True
            )
            self._turns[message.id] = turn = Turn(time.monotonic())
            asked.append(turn)
            self._read_journal()
        await self._until_open(0)
        return asked

    async def _until_open(self, most: int) -> None:
        """Wait until so few questions are open: where the machine is too slow for the rate, none is to be refused."""
        give_up_at = time.monotonic() + LONGEST_SECONDS
        while (num_open := len(self._turns) - self._num_done) > most:
            if not self.daemon.is_running() or time.monotonic() > give_up_at:
                raise RuntimeError(f"{num_open} questions aren't answered")
            await asyncio.sleep(0.005)
            self._read_journal()

    async def chat(self, num_messages: int) -> None:
        """Say so much that is not for the bot."""
        for number in range(num_messages):
            await next(self._people).says(next(self._places), f"It has nothing to do with you, number {number}.")

    def _read_journal(self) -> None:
        acts = self.server.journal.acts
        for act in itertools.islice(acts, self._num_read, None):
            message = act.message
            if act.actor is not self.server.bot.user or message is None or act.kind not in ("create", "edit"):
                continue
            question = self._questions.setdefault(message.id, message.replies_to or 0)
            turn = self._turns.get(question)
            if turn is None or turn.done_at is not None:
                continue
            turn.first_at = act.at if turn.first_at is None else turn.first_at
            if not act.content.endswith(INVISIBLE_MARK):
                turn.done_at = act.at
                self._num_done += 1
        self._num_read = len(acts)
