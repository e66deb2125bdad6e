"""Trinity on a loopback Discord: the real client, chat and database, with an engine that a test controls."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from bot.chat.access import Access, AccessRules
from bot.chat.chat import Chat, SamplingChoice
from bot.chat.departures import Departures
from bot.chat.queue import QuestionQueue
from bot.chat.time_limits import TimeLimits
from bot.conversation.chat_format import TurnEncoder
from bot.conversation.messages import ConversationKey
from bot.conversation.turn_limits import NO_LIMITS, TurnLimits
from bot.conversation.window import TokenBudget
from bot.discord.messages import PLATFORM
from bot.discord.run import DiscordOptions, run_discord
from bot.discord.sharding import AllShards, run_sharded
from bot.observer import LogObserver, Observer, Observers, TransactionRecord
from bot.operations.health import Health
from bot.store.files.database import open_database, utc_now
from bot.store.files.timeouts import Timeouts
from bot.store.rows.chosen_settings import ChosenSettings
from bot.store.rows.guilds import Guilds
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.personas import Personas
from tests.engines import EchoEngine
from tests.loopback import LoopbackDiscord, Message
from tests.store.fresh import lay_database

T = TypeVar("T")
EDIT_INTERVAL_SECONDS = 0.05
COMMANDS = (
    "reset", "stop", "persona", "settings", "memory", "remember", "forget", "privacy", "ask", "Ask Trinity",
    "context", "export", "thread", "stats", "about", "help",
)  # fmt: skip
"""Every command that is registered, the entry of a message's menu among them."""


class Commits(Observer):
    """Wakes who waits for what a transaction may have written."""

    def __init__(self) -> None:
        self.next: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done after the next one."""

    def on_transaction(self, record: TransactionRecord) -> None:
        """Wake whoever waits."""
        if record.is_write:
            self.next.set_result(None)
            self.next = asyncio.get_running_loop().create_future()


@dataclass
class House:
    """What a test may look at and set while Trinity runs."""

    server: LoopbackDiscord
    engine: EchoEngine
    chat: Chat
    history: History
    inbox: Inbox
    personas: Personas
    encoder: TurnEncoder
    database_path: Path
    commits: Commits
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    is_ready: asyncio.Event = field(default_factory=asyncio.Event)
    num_ready: int = 0
    health: Health = field(default_factory=Health)
    num_movements: int = 0
    is_end_expected: bool = False
    running: asyncio.Task[None] | None = None

    async def state(self, message: Message) -> str | None:
        state = await self.inbox.state("discord", message.id)
        return None if state is None else state.value

    async def reaches(self, message: Message, state: str, seconds: float = 60.0) -> None:
        """Waits until the inbox says this of a question."""

        async def says_so() -> bool:
            return await self.state(message) == state

        await self.comes_true(says_so, seconds)

    async def comes_true(self, condition: Callable[[], Awaitable[T]], seconds: float = 60.0) -> T:
        """Waits for something in the database; returns what was true."""
        async with asyncio.timeout(seconds):
            while True:
                commit = self.commits.next
                if result := await condition():
                    return result
                # A transaction whose caller has left commits without a word.
                await asyncio.wait([commit], timeout=0.2)

    @property
    def prompts(self) -> list[str]:
        """What the engine was asked, as text."""
        return [self.encoder.tokenizer.decode(list(request.prompt_token_ids)) for request in self.engine.requests]

    @property
    def key(self) -> ConversationKey:
        """The conversation in the channel "general"."""
        return ConversationKey("discord", self.server.channel("general").id, self.server.guild.id)

    async def end(self) -> BaseException | None:
        """Waits until the bot has ended by itself; returns what it ended with."""
        self.is_end_expected = True
        await asyncio.wait([self.running])
        return self.running.exception()

    def note_movement(self) -> None:
        self.num_movements += 1
        self.health.note_gateway()

    def note_ready(self) -> None:
        self.num_ready += 1
        self.is_ready.set()


@contextlib.asynccontextmanager
async def open_house(
    server: LoopbackDiscord,
    folder: Path,
    encoder: TurnEncoder,
    engine: EchoEngine | None = None,
    *,
    queue: QuestionQueue | None = None,
    edit_interval_seconds: float = EDIT_INTERVAL_SECONDS,
    drain_seconds: float = 5.0,
    waits_until_ready: bool = True,
    token: str | None = None,
    time_limits: TimeLimits | None = None,
    timeouts: Timeouts | None = None,
    reads_all_messages: bool = False,
    access: Access | None = None,
    turn_limits: TurnLimits = NO_LIMITS,
    presence_seconds: float = 15.0,
    has_buttons: bool = True,
    observers: Sequence[Observer] = (),
    shard_count: int | None = None,
    leases: AllShards | None = None,
) -> AsyncIterator[House]:
    """Runs Trinity against `server` with a database in `folder`, and stops it in order; `token` is another bot's."""
    engine = engine or EchoEngine()
    await lay_database(folder / "trinity.db")
    url, commits = f"sqlite+aiosqlite:///{folder / 'trinity.db'}", Commits()
    observer = Observers(LogObserver(), commits, *observers)
    async with open_database(url, timeouts=timeouts, observer=observer) as database:
        history, inbox, personas = History(database), Inbox(database), Personas(database)
        budget = TokenBudget(4096, 100_000, 1000)
        chosen = ChosenSettings(database)
        await chosen.load()
        chat = Chat(
            history, inbox, personas, chosen, engine, encoder, budget,
            sampling=SamplingChoice(seed=7), queue=queue, time_limits=time_limits,
            turn_limits=turn_limits,
            departures=Departures(Guilds(database), PLATFORM, 30, utc_now),
            observer=observer,
        )  # fmt: skip
        options = DiscordOptions(
            token=token or server.token,
            api_url=server.api_url,
            gateway_url=server.gateway_url,
            reads_all_messages=reads_all_messages,
            edit_interval_seconds=edit_interval_seconds,
            drain_seconds=drain_seconds,
            guild_ready_seconds=0.05,
            identify_pause_seconds=0.2,
            access=AccessRules(access),
            has_buttons=has_buttons,
            state_folder=folder,
            presence_seconds=presence_seconds,
        )
        house = House(server, engine, chat, history, inbox, personas, encoder, folder / "trinity.db", commits)
        run = run_discord
        if shard_count is not None:
            leases = leases or AllShards(shard_count, server.rules.max_concurrency)
            run = partial(run_sharded, leases=leases, beat_seconds=0.1)
        house.running = asyncio.create_task(
            run(
                chat, options, stop=house.stop, on_ready=house.note_ready, on_movement=house.note_movement,
                observer=observer,
            )
        )  # fmt: skip
        try:
            if waits_until_ready:
                await server.wait_until(lambda: house.is_ready.is_set() or (house.running and house.running.done()))
            yield house
        finally:
            house.stop.set()
            await asyncio.wait([house.running])
        if not house.is_end_expected:
            house.running.result()


async def ask(house: House, text: str = "hello", *, state: str = "answered", seconds: float = 60.0) -> Message:
    """Alice asks in the channel "general"; returns when the inbox says that of it."""
    server = house.server
    question = await server.person("Alice").says(server.channel("general"), text, mention=True)
    await house.reaches(question, state, seconds)
    return question


async def remembered(house: House) -> list[tuple[str, str]]:
    """The turns of the channel "general"."""
    return [(turn.question, turn.answer) for turn in (await house.history.load(house.key)).turns]


async def remembers(house: House, question: str) -> bool:
    """Whether that is what the first turn's question says."""
    return (await remembered(house))[0][0] == question


def labels(message: Message) -> list[str]:
    """What the buttons below a message say."""
    return [item["label"] for row in message.components for item in row["components"]]


async def lose_session(server: LoopbackDiscord, *meanwhile: Awaitable[object]) -> None:
    """Cut the bot off, let something happen, and have it log in anew without news of it."""
    server.gateway.is_refusing = True
    server.gateway.abort()
    await server.wait_until(lambda: not server.gateway.connected())
    for act in meanwhile:
        await act
    server.gateway.forget_sessions()
    server.gateway.is_refusing = False
    await server.wait_for_login()
