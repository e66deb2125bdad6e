"""The shards that this process holds: each gets a connection of its own, for as long as it is held.

Which are held is asked for every second. One that is gained is connected, one that is given up for another process
lets its running answers finish, and one that is lost ends at once: somebody else may have it already. What a shard
leaves unfinished is resumed by whoever has it next, as after a restart.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from bot.chat.chat import Chat
from bot.conversation.shard import Shard
from bot.delivery.limits import Pacer
from bot.discord.identify_turns import IdentifyTurns, LocalTurns
from bot.discord.run import Connection, DiscordOptions, Ending, pointed_at, stay_on_discord
from bot.discord.session_starts import SESSIONS_PER_DAY, IdentifyBudget, SessionStarts
from bot.errors import StoreError
from bot.observer import Observer, Observers, ShardsRecord
from bot.tasks import in_background

log = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
_LEAVING_SECONDS = 5.0


class Holding(Protocol):
    """The shards that this process holds."""

    @property
    def held(self) -> frozenset[int]: ...

    @property
    def num_surplus(self) -> int:
        """So many of them are to be given up, since other processes have fewer."""
        ...


class ShardLeases(IdentifyTurns, Protocol):
    """Who holds which shard, and which one may log in."""

    count: int
    """How many there are in all."""

    def are_valid(self) -> bool:
        """Whether nobody else can hold by now what was held when that was last asked."""
        ...

    async def renew(self, may_claim: int) -> Holding:
        """Hold for a while longer what is held, and up to `may_claim` shards more that nobody holds.

        Raises:
            StoreError: it can't be found out just now.
        """
        ...

    async def release(self, shard_id: int) -> None:
        """Let others have a shard.

        Raises:
            StoreError: it runs out by itself.
        """
        ...

    async def leave(self) -> None:
        """Hold nothing any more; raises as `release`."""
        ...


class _All(NamedTuple):
    held: frozenset[int]
    num_surplus: int = 0


class AllShards(LocalTurns):
    """All shards, for a process that has them to itself."""

    def __init__(self, count: int, max_concurrency: int = 1) -> None:
        super().__init__(max_concurrency)
        self.count = count

    def are_valid(self) -> bool:
        return True

    async def renew(self, may_claim: int) -> Holding:  # noqa: ARG002 - there is nobody to leave some to
        return _All(frozenset(range(self.count)))

    async def release(self, shard_id: int) -> None:
        pass

    async def leave(self) -> None:
        pass


@dataclass(slots=True)
class _Running:
    """A shard's connection."""

    ending: Ending
    was_ready: bool = False
    is_lost: bool = False
    task: "asyncio.Task[None]" = field(init=False)


async def run_sharded(
    chat: Chat,
    options: DiscordOptions,
    leases: ShardLeases,
    stop: asyncio.Event,
    *,
    on_ready: Callable[[], None] = lambda: None,
    on_movement: Callable[[], None] = lambda: None,
    observer: Observer | None = None,
    max_opening: int = 1,
    sessions_per_day: int = SESSIONS_PER_DAY,
    beat_seconds: float = BEAT_SECONDS,
) -> None:
    """As `run_discord`, for the shards of which `leases` says that this process holds them.

    So many as `max_opening` are taken at a time, until they are connected: others may take the rest meanwhile. So many
    as `sessions_per_day` may be begun in a day, as Discord says.
    """
    budget = IdentifyBudget(options.state_folder, sessions_per_day=sessions_per_day)
    shards = HeldShards(chat, options, leases, budget, on_ready, on_movement, observer or Observers(), max_opening)
    with pointed_at(options):
        await shards.run(stop, beat_seconds)


class HeldShards:
    """Connects what is held."""

    def __init__(
        self,
        chat: Chat,
        options: DiscordOptions,
        leases: ShardLeases,
        budget: IdentifyBudget,
        on_ready: Callable[[], None],
        on_movement: Callable[[], None],
        observer: Observer,
        max_opening: int,
    ) -> None:
        self._chat = chat
        self._options = options
        self._leases = leases
        self._on_ready = on_ready
        self._on_movement = on_movement
        self._observer = observer
        self._max_opening = max_opening
        self._running: dict[int, _Running] = {}
        self._pacer = Pacer()
        self._budget = budget
        self._news = asyncio.Event()
        self._problem: Exception | None = None
        self._is_ending = False
        self._has_stood_by = False

    async def run(self, stop: asyncio.Event, beat_seconds: float) -> None:
        """Hold and connect until `stop` is set or a shard fails for good; then let all of them finish.

        Raises:
            DiscordRefused, EngineFailed: as for one connection.
        """
        try:
            async with in_background(self._end_at(stop)), in_background(self._watch_validity()):
                await self._beat(may_claim=0)  # who starts at the same time is known at the next one
                while not self._is_ending:
                    await self._pause(beat_seconds)
                    await self._beat(self._max_opening)
                while self._running:
                    await self._pause(beat_seconds)
                    await self._beat(may_claim=0)
        finally:
            await self._end_all()
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(_LEAVING_SECONDS):
                await self._leases.leave()
        if self._problem is not None:
            raise self._problem

    async def _end_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._end()

    def _end(self) -> None:
        self._is_ending = True
        for running in self._running.values():
            running.ending.stop.set()
        self._news.set()

    async def _end_all(self) -> None:
        """Where this was cancelled, nothing may be left running."""
        left = [each.task for each in self._running.values()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()

    async def _beat(self, may_claim: int) -> None:
        await self._release_ended()
        num_opening = sum(not each.was_ready for each in self._running.values())
        try:
            holding = await self._leases.renew(max(0, may_claim - num_opening))
        except StoreError as error:
            log.warning("which shards I hold can't be found out: %s", error)
            self._lose_what_is_not_valid()
            return
        for shard_id in self._running.keys() - holding.held:
            self._lose(shard_id)
        await self._connect(sorted(holding.held - self._running.keys()))
        if not self._running:
            self._on_movement()  # nothing is heard of Discord where nothing is held
            if may_claim and not self._has_stood_by:
                self._has_stood_by = True
                self._on_ready()
        self._give_up(holding)
        self._show()

    async def _connect(self, shard_ids: list[int]) -> None:
        """Connect shards, unless the process ends; later, where the database can't be read just now."""
        if not shard_ids or self._is_ending:
            return
        try:
            await self._chat.reread()  # what other processes wrote about their guilds
        except StoreError as error:
            log.warning("shards %s are connected later: %s", shard_ids, error)
            return
        if self._is_ending or not self._leases.are_valid():
            return
        for shard_id in shard_ids:
            running = _Running(Ending(asyncio.Event(), self._options.drain_seconds))
            running.task = asyncio.create_task(self._run_one(shard_id, running))
            self._running[shard_id] = running
        log.info("mine of %d shards: %s", self._leases.count, sorted(self._running))

    async def _run_one(self, shard_id: int, running: _Running) -> None:
        def note_ready() -> None:
            running.was_ready = True
            self._news.set()
            if all(each.was_ready for each in self._running.values()):
                self._on_ready()

        connection = Connection(
            Shard(shard_id, self._leases.count),
            self._leases,
            self._pacer,
            lambda: self._leases.are_valid() and not running.is_lost,
        )
        try:
            await stay_on_discord(
                self._chat, self._options, SessionStarts(budget=self._budget), running.ending,
                on_ready=note_ready, on_movement=self._on_movement, observer=self._observer, connection=connection,
            )  # fmt: skip
        except Exception as error:
            self._problem = self._problem or error
            self._end()
        finally:
            self._news.set()

    def _give_up(self, holding: Holding) -> None:
        ending = sum(each.ending.stop.is_set() for each in self._running.values())
        going_on = sorted(shard_id for shard_id, each in self._running.items() if not each.ending.stop.is_set())
        for shard_id in going_on[: -1 - max(0, holding.num_surplus - ending) : -1]:
            log.info("shard %d is left to another process", shard_id)
            self._running[shard_id].ending.stop.set()

    def _lose(self, shard_id: int) -> None:
        running = self._running[shard_id]
        if running.is_lost:
            return
        log.warning("shard %d isn't mine any more", shard_id)
        running.is_lost = True
        running.ending.drain_seconds = 0.0
        if running.ending.stop.is_set():
            running.task.cancel()  # it lets its answers finish, for which there is no time now
        running.ending.stop.set()

    def _lose_what_is_not_valid(self) -> None:
        if not self._leases.are_valid():
            for shard_id in self._running:
                self._lose(shard_id)

    async def _watch_validity(self) -> None:
        """Also where a beat hangs, what is lost ends in time."""
        while True:
            self._lose_what_is_not_valid()
            await asyncio.sleep(BEAT_SECONDS / 2)

    async def _release_ended(self) -> None:
        for shard_id, running in list(self._running.items()):
            if not running.task.done():
                continue
            del self._running[shard_id]
            if not running.is_lost:
                await _without_a_word(self._leases.release(shard_id))

    def _show(self) -> None:
        self._pacer.share = max(1, len(self._running)) / self._leases.count
        self._observer.on_shards(ShardsRecord(frozenset(self._running), self._leases.count))


async def _without_a_word(step: Awaitable[None]) -> None:
    with suppress(StoreError):
        await step
