"""One life of the daemon below Discord's library: the real database, chat and delivery, joined as app.py joins them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from bot.app import keep_house, noted_deaths
from bot.chat.chat import Chat, SamplingChoice
from bot.chat.queue import QuestionQueue
from bot.conversation.chat_format import TurnEncoder
from bot.conversation.window import TokenBudget
from bot.delivery.answers import Answers
from bot.delivery.sender import open_sender
from bot.store.files.database import open_database
from bot.store.rows.chosen_settings import ChosenSettings
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.personas import Personas
from bot.tasks import in_background, keep_running
from tests.simulation.discord import Channel, Discord, Message, Wire
from tests.simulation.disk import Disk
from tests.simulation.front_end import FrontEnd
from tests.simulation.script import ScriptedEngine
from tests.simulation.universe import universe

DRAIN_SECONDS = 20.0


@dataclass(eq=False)
class Daemon:
    """A life of the daemon; what people do by commands reaches it through `front_end` and `chat`."""

    discord: Discord
    disk: Disk
    engine: ScriptedEngine
    encoder: TurnEncoder
    seed: int
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    chat: Chat | None = None
    inbox: Inbox | None = None
    front_end: FrontEnd | None = None
    on_ready: Callable[[], None] = lambda: None
    heard: Callable[[str, Message], None] = lambda _kind, _message: None
    fetched: Callable[[Channel, list[Message]], None] = lambda _channel, _page: None

    async def run(self) -> None:
        """From its start to its end."""
        async with open_database(f"sqlite:///{self.disk.folder / 'trinity.db'}") as database:
            history, inbox, chosen = History(database), Inbox(database), ChosenSettings(database)
            await history.purge_hidden()
            await chosen.load()
            async with noted_deaths(inbox, history, self.disk.folder / "engine.running") as running:
                self.engine.on_running = running.write
                self.inbox = inbox
                self.chat = Chat(
                    history, inbox, Personas(database), chosen, self.engine, self.encoder,
                    TokenBudget(1600, 100_000, 300),
                    sampling=SamplingChoice(seed=self.seed),
                    queue=QuestionQueue(max_waiting=24, max_waiting_per_person=6),
                )  # fmt: skip
                housekeeping = partial(keep_house, self.chat, None)
                async with in_background(keep_running("housekeeping", housekeeping)):
                    await self._serve(self.chat)
                if self.engine.failure is None:
                    running.write(())

    async def _serve(self, chat: Chat) -> None:
        wire = Wire(self.discord)
        async with open_sender(wire) as sender, asyncio.TaskGroup() as tasks:
            answers = Answers(chat, sender, tasks, lambda: datetime.fromtimestamp(universe.true_time, UTC))
            front_end = FrontEnd(self.discord, wire, chat, sender, answers, tasks)
            answers.wait_until_known = front_end.gate.passage
            front_end.heard, front_end.fetched = self.heard, self.fetched
            self.front_end = front_end
            stopping = tasks.create_task(self.stop.wait())
            lost = tasks.create_task(chat.wait_engine_failed())
            front_end.connect()
            self.on_ready()
            await asyncio.wait({stopping, lost}, return_when=asyncio.FIRST_COMPLETED)
            front_end.is_draining = True
            await answers.drain(DRAIN_SECONDS if stopping.done() else 0.0)
            front_end.close()
            self.discord.disconnect(is_resumable=False)
            lost.cancel()
            stopping.cancel()
            self.front_end = self.chat = None
