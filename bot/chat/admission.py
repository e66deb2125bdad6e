"""A question's way to the engine: it takes a slot in the queue, is read and committed, and waits for its turn.

The slot is held until all is done with the question: it is what keeps the order of a conversation, and what entitles
the question to wait where the database is away.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from bot.chat.exchange_context import ExchangeContext
from bot.chat.interruption import Interruption
from bot.chat.queue import Slot, Wait
from bot.conversation.messages import Question
from bot.errors import WaitedTooLong
from bot.store.rows.history import Conversation
from bot.store.rows.questions import Attempt, InboxState, OpenQuestion

T = TypeVar("T")

Commit = tuple[Callable[[], Awaitable[bool]], Callable[[], Awaitable[bool]], Callable[[], None], int]
"""What `Outage.commit_once` is handed."""

_RECENT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Begun:
    """A try that was counted when the question was committed, and the conversation as it was then."""

    attempt: Attempt
    conversation: Conversation
    at: float

    def holds_for(self, question: Question) -> bool:
        """Whether it just happened, and the question wasn't edited since."""
        is_recent = asyncio.get_running_loop().time() - self.at < _RECENT_SECONDS
        return is_recent and self.attempt.question is question


class Admission:
    """One question's slot in the queue, from before its commit until all is done with it."""

    def __init__(
        self,
        question: Question,
        context: ExchangeContext,
        interruption: Interruption,
        on_held: Callable[[], None],
        resumed: OpenQuestion | None,
        slot: Slot | None,
    ) -> None:
        """`on_held` is called when it begins to wait for the database.

        A question that has its slot already, or is `resumed` from an earlier process, was committed before.
        """
        self.is_committed = resumed is not None or slot is not None
        """Whether the inbox has it as open, so that what becomes of it can be recorded."""
        self.received = asyncio.Event()
        """Set when it is committed, or will not be any more."""
        self.begun: Begun | None = None
        """The first try, where it was counted with the commit."""
        self._context = context
        self._interruption = interruption
        self._on_held = on_held
        self._resumed = resumed
        self._key = question.conversation
        self._message_id = question.message_id
        self._asker_id = question.author_id
        self._after: asyncio.Event | None = None
        if self.is_committed:
            self.received.set()
        self._slot = slot if resumed is None else self._join(is_limited=False)

    @property
    def has_turn(self) -> bool:
        """Whether it is its conversation's turn, so that it doesn't wait behind another one's."""
        return self._slot is not None and self._slot.ready.is_set()

    @property
    def wait(self) -> Wait | None:
        """How it stands with it for as long as its answer hasn't begun."""
        wait = None if self._slot is None else self._context.queue.wait_of(self._slot)
        is_waking = self.has_turn and self._context.engine.is_asleep
        return replace(wait, is_waking=True) if wait is not None and is_waking else wait

    def await_earlier(self, *, is_read: bool) -> None:
        """Have it committed after those that came before it in its channel, and are being read."""
        self._after = self._context.reading_order.join(self._channel, self.received, is_read=is_read)

    def join(self) -> None:
        """Take a slot in the queue.

        Raises:
            EngineOverloaded: too many questions wait.
        """
        self._slot = self._join()

    async def wait_for_earlier(self) -> None:
        """Wait for those that are to be committed first."""
        if self._after is not None:
            await self._after.wait()

    def commit(self, question: Question, *, begins: bool) -> Commit:
        """How the question is committed, with its first try where `begins` and nobody has to be waited for."""
        is_there = self._is_in(InboxState.RECEIVED, InboxState.ANSWERING)
        return self._receiving(question, begins=begins), is_there, self._on_held, self._key.channel_id

    async def refuse(self, question: Question) -> bool:
        """Commit it as refused; False if it was received before."""
        refuse = partial(self._context.refused.commit, question)
        is_there = self._is_in(InboxState.REFUSED)
        channel_id = self._key.channel_id
        return await self._context.outage.commit_once(refuse, is_there, self._on_held, channel_id, is_alone=False)

    def end_reception(self) -> None:
        """Let those that come later be committed; the slot is given back where the question wasn't."""
        self._note_received()
        if not self.is_committed:
            self.give_slot_back()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[float | None]:
        """The question's turn, and leave to use the engine.

        Gives the seconds that it may still wait in the engine's queue; None, as long as it takes, for what an earlier
        process accepted.
        """
        if self._slot is None:
            raise RuntimeError("only a question that was received is answered")
        if self._resumed is not None:
            await self._wait_for_turn(self._slot, None)
            num_deaths = self._resumed.deaths if self._resumed.answer is None else 0
            async with self._context.company.resumed(num_deaths):
                yield None
            return
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._context.waiting_seconds
        await self._wait_for_turn(self._slot, give_up_at)
        async with self._context.company.shared(max(0.0, give_up_at - loop.time())):
            yield max(0.0, give_up_at - loop.time())

    async def outlast(self, step: Callable[[], Awaitable[T]]) -> T:
        """Do a step in the store; a question that has its slot waits where the database is away."""
        # Without one it has nothing to wait for: what is said of it isn't recorded.
        return await (step() if self._slot is None else self._context.outage.outlast(step, self._on_held))

    def note_begun(self) -> None:
        """The answer's first words are there."""
        if self._slot is not None:
            self._context.queue.note_begun(self._slot)

    def give_slot_back(self) -> None:
        """Let the next question of the conversation go. Twice does no harm."""
        if self._slot is not None:
            self._context.queue.leave(self._slot)
            self._slot = None

    def close(self) -> None:
        """Give back whatever it holds. Twice does no harm."""
        self._note_received()
        self.give_slot_back()

    def _join(self, *, is_limited: bool = True) -> Slot:
        key = self._key
        return self._context.queue.join(key.identity, self._asker_id, guild=key.guild_id, is_limited=is_limited)

    def _receiving(self, question: Question, *, begins: bool) -> Callable[[], Awaitable[bool]]:
        """The commit of the question, and of its first try where that needn't wait for anybody."""
        context = self._context
        if not (begins and self.has_turn and context.company.is_open):
            return partial(context.inbox.receive, question, context.turn_limits)
        seed, load = context.writer.new_seed(generation=0), context.history.loading(question.conversation)

        async def receive_and_begin() -> bool:
            begun = await context.inbox.receive_and_begin(question, context.turn_limits, seed=seed, load=load)
            if begun is not None:
                self.begun = Begun(*begun, at=asyncio.get_running_loop().time())
            return begun is not None

        return receive_and_begin

    def _is_in(self, *states: InboxState) -> Callable[[], Awaitable[bool]]:
        async def is_in_state() -> bool:
            return await self._context.inbox.state(self._key.platform, self._message_id) in states

        return is_in_state

    async def _wait_for_turn(self, slot: Slot, give_up_at: float | None) -> None:
        """Wait until the question has its turn, or was stopped."""
        if self._interruption.reason is not None:
            return
        try:
            async with self._interruption.ends_wait_for_turn(give_up_at):
                await slot.ready.wait()
        except TimeoutError:
            if self._interruption.reason is None:
                raise WaitedTooLong from None

    def _note_received(self) -> None:
        self._context.reading_order.leave(self._channel, self.received)
        self._after = None
        self.received.set()

    @property
    def _channel(self) -> tuple[str, int]:
        return self._key.platform, self._key.channel_id
