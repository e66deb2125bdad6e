"""The queue of questions: one answer at a time per conversation, in the order asked, and nobody takes a channel over.

Questions of one conversation are answered first come, first served. A person who already has two slots in a channel's
queue (running or waiting) doesn't get a third: their further questions are deferred, and each joins the queue's end
when one of the two is done. So somebody who floods a channel delays the others by two answers at most. All channels'
queues together are bounded, and no guild gets more than three quarters of that. Questions that were accepted before a
restart are never refused and count like all others, but what they take beyond their guild's share takes nothing from
anybody else.

How long answers took of late says about when a question that waits will have its first words.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from bot.errors import EngineOverloaded
from bot.words import phrase

SLOTS_PER_PERSON = 2


_SHARE_OF_NEWEST = 0.3


@dataclass(frozen=True, slots=True)
class Wait:
    """How it stands with a question whose answer hasn't begun."""

    num_ahead: int
    """How many answers come first."""
    num_behind: int
    """How many questions of its conversation come later."""
    seconds: float | None
    """About how long it takes until its first words; None where nothing was measured yet."""
    waited_seconds: float
    is_waking: bool = False
    """Nothing comes first, but the engine slept and has to wake."""


@dataclass(slots=True, eq=False)
class Slot:
    """A question's place in its channel's queue. `ready` is set when the question may be answered."""

    conversation: Hashable
    person: Hashable
    guild: Hashable = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    joined_at: float = 0.0
    turn_at: float | None = None
    begun_at: float | None = None
    """When the answer's first words came."""


@dataclass(slots=True)
class _MovingMean:
    value: float | None = None

    def note(self, seconds: float) -> None:
        before = seconds if self.value is None else self.value
        self.value = before + _SHARE_OF_NEWEST * (seconds - before)


@dataclass(slots=True)
class _ChannelQueue:
    running: Slot | None = None
    waiting: deque[Slot] = field(default_factory=deque)
    deferred: deque[Slot] = field(default_factory=deque)
    num_slots: Counter[Hashable] = field(default_factory=Counter)
    """By person, the deferred ones not counted."""


class QuestionQueue:
    """The queues of all conversations, bounded in all and per person and conversation.

    Args:
        max_waiting: how many questions may wait in all.
        max_waiting_per_person: how many one person may have waiting in one conversation.
    """

    def __init__(
        self,
        *,
        max_waiting: int = 128,
        max_waiting_per_person: int = 8,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_paused = False
        """Whether new questions are refused because the operator wants a pause."""
        self._channels: dict[Hashable, _ChannelQueue] = {}
        self._max_waiting = max_waiting
        self._max_waiting_per_person = max_waiting_per_person
        self._clock = clock
        self._turn_seconds = _MovingMean()
        self._first_words_seconds = _MovingMean()

    @property
    def num_waiting(self) -> int:
        """Questions that wait to be answered, over all conversations."""
        return sum(len(channel.waiting) + len(channel.deferred) for channel in self._channels.values())

    @property
    def num_running(self) -> int:
        """Conversations in which an answer is being written."""
        return sum(channel.running is not None for channel in self._channels.values())

    @property
    def oldest_wait_seconds(self) -> float:
        """How long the question has waited that waits longest for its first words; 0 where none waits."""
        slots = (slot for each in self._channels.values() for slot in (each.running, *each.waiting, *each.deferred))
        joined = [slot.joined_at for slot in slots if slot is not None and slot.begun_at is None]
        return self._clock() - min(joined) if joined else 0.0

    def is_busy(self, conversation: Hashable) -> bool:
        """Whether anybody has a slot in a conversation's queue."""
        return conversation in self._channels

    def join(
        self, conversation: Hashable, person: Hashable, *, guild: Hashable = None, is_limited: bool = True
    ) -> Slot:
        """Take the next slot; the caller gives it back with `leave`, whatever happens.

        `guild` is None where there is none, in direct messages. `is_limited` False is for questions that were accepted
        earlier, before a restart.

        Raises:
            EngineOverloaded: there is a pause; or too many questions wait, in all, of this guild, or from this person
                here.
        """
        channel = self._channels.get(conversation) or _ChannelQueue()
        if is_limited:
            self._refuse_excess(channel, person, guild)
        slot = Slot(conversation, person, guild, joined_at=self._clock())
        self._channels[conversation] = channel
        if channel.num_slots[person] < SLOTS_PER_PERSON:
            self._enqueue(channel, slot)
        else:
            channel.deferred.append(slot)
        self._start_next(channel)
        return slot

    def leave(self, slot: Slot) -> None:
        """Give a slot back, before, during or after its answer, and start whoever is next. Twice does no harm."""
        channel = self._channels.get(slot.conversation)
        if channel is None:
            return
        if slot in channel.deferred:
            channel.deferred.remove(slot)
        elif slot is channel.running or slot in channel.waiting:
            self._dequeue(channel, slot)
            if slot.turn_at is not None and slot.begun_at is not None:
                self._turn_seconds.note(self._clock() - slot.turn_at)
        self._start_next(channel)
        if channel.running is None and not channel.deferred:
            del self._channels[slot.conversation]

    def note_begun(self, slot: Slot) -> None:
        """The answer's first words are there."""
        if slot.begun_at is None and slot.turn_at is not None:
            slot.begun_at = self._clock()
            self._first_words_seconds.note(slot.begun_at - slot.turn_at)

    def wait_of(self, slot: Slot) -> Wait | None:
        """Who is ahead of a question, and for how long about; None once its answer has begun or it has left."""
        channel = self._channels.get(slot.conversation)
        if slot.begun_at is not None or channel is None:
            return None
        now, waiting = self._clock(), [*channel.waiting, *channel.deferred]
        if slot.turn_at is not None:
            # It is the engine's queue that it waits in, behind what other channels asked before.
            running = [other.running for other in self._channels.values() if other.running is not None]
            turns = [other.turn_at for other in running if other.begun_at is None and other.turn_at is not None]
            num_ahead = sum(turn_at < slot.turn_at for turn_at in turns)
            seconds = self._first_words_seconds.value
            left = None if seconds is None else max(0.0, slot.turn_at + seconds - now)
            return Wait(num_ahead, len(waiting), left, now - slot.joined_at)
        if slot not in waiting:
            return None
        num_before, seconds = waiting.index(slot), self._turn_seconds.value
        if seconds is not None:
            since = now if channel.running is None or channel.running.turn_at is None else channel.running.turn_at
            first = self._first_words_seconds.value or 0.0
            seconds = max(0.0, since + seconds - now) + num_before * seconds + first
        num_ahead, num_behind = num_before + (channel.running is not None), len(waiting) - num_before - 1
        return Wait(num_ahead, num_behind, seconds, now - slot.joined_at)

    def _refuse_excess(self, channel: _ChannelQueue, person: Hashable, guild: Hashable) -> None:
        if self.is_paused:
            raise EngineOverloaded(phrase("intake_paused"))
        own = sum(other.person == person for other in (*channel.waiting, *channel.deferred))
        if own >= self._max_waiting_per_person:
            raise EngineOverloaded(phrase("own_questions_waiting", n=own))
        channels, share = self._channels.values(), self._max_waiting * 3 / 4
        by_guild = Counter(slot.guild for other in channels for slot in (*other.waiting, *other.deferred))
        if guild is not None and by_guild[guild] >= share:
            raise EngineOverloaded
        if sum(number if whose is None else min(number, share) for whose, number in by_guild.items()) >= (
            self._max_waiting
        ):
            raise EngineOverloaded

    def _enqueue(self, channel: _ChannelQueue, slot: Slot) -> None:
        channel.num_slots[slot.person] += 1
        channel.waiting.append(slot)

    def _dequeue(self, channel: _ChannelQueue, slot: Slot) -> None:
        if slot is channel.running:
            channel.running = None
        else:
            channel.waiting.remove(slot)
        channel.num_slots[slot.person] -= 1
        if not channel.num_slots[slot.person]:
            del channel.num_slots[slot.person]
        following = next((other for other in channel.deferred if other.person == slot.person), None)
        if following is not None:
            channel.deferred.remove(following)
            self._enqueue(channel, following)

    def _start_next(self, channel: _ChannelQueue) -> None:
        if channel.running is None and channel.waiting:
            channel.running = channel.waiting.popleft()
            channel.running.turn_at = self._clock()
            channel.running.ready.set()
