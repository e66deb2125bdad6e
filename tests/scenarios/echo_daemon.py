"""Trinity as a process of its own with an echo engine in place of the model: starts in a second, dies on demand.

Joined like bot/daemon.py: one instance, the real database, chat and Discord client. `python -m
tests.scenarios.echo_daemon '{"token": ...}'` takes the fields of `Orders` as JSON.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import event

from bot.app import noted_deaths
from bot.chat.chat import Chat, SamplingChoice
from bot.chat.queue import QuestionQueue
from bot.conversation.chat_format import TurnEncoder
from bot.conversation.window import TokenBudget
from bot.discord.run import DiscordOptions, run_discord
from bot.errors import EngineFailed, RequestFailed
from bot.inference.engine import Request
from bot.logs import configure_logging
from bot.operations.garbage_collection import loaded_objects_frozen
from bot.store.files.database import Database, open_database
from bot.store.files.instance import hold_instance
from bot.store.rows.chosen_settings import ChosenSettings
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.personas import Personas
from bot.tasks import limit_threads
from tests.conversation.vocabularies import load_any_vocabulary
from tests.engines import EchoEngine, echo
from tests.scenarios.gauges import Gauges

POISON = "poison pill"
"""A question with this ends the process as soon as the engine is asked."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a scenario wants of the daemon; `num_words` are drawn by the prompt's length."""

    token: str
    api_url: str
    gateway_url: str
    folder: str
    num_words: tuple[int, ...] = (5, 40, 600)
    seconds_per_word: float = 0.003
    edit_interval_seconds: float = 0.1
    drain_seconds: float = 20.0
    max_waiting: int = 128
    clock_speed: float = 1.0
    """How fast time goes by for those who wait."""
    dies_before_commit: int = 0
    dies_after_commit: int = 0
    failure_rate: float = 0.0
    """How often the engine fails one request."""
    seed: int = 0


def main() -> None:
    orders = Orders(**json.loads(sys.argv[1]))
    configure_logging("DEBUG", "text", secrets=[orders.token])
    try:
        asyncio.run(serve(orders))
    except EngineFailed:
        sys.exit(EngineFailed.exit_status)


async def serve(orders: Orders) -> None:
    limit_threads()
    folder, stop = Path(orders.folder), asyncio.Event()
    url = f"sqlite+aiosqlite:///{folder / 'trinity.db'}"
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    options = DiscordOptions(
        token=orders.token,
        api_url=orders.api_url,
        gateway_url=orders.gateway_url,
        edit_interval_seconds=orders.edit_interval_seconds,
        drain_seconds=orders.drain_seconds,
        guild_ready_seconds=0.05,
        identify_pause_seconds=0.2,
    )
    with hold_instance(url, orders.token, folder):
        async with open_database(url) as database, AsyncExitStack() as noted:
            die_at_commits(database, orders)
            encoder = TurnEncoder(load_any_vocabulary("small", folder))
            inbox, engine = Inbox(database), build_engine(orders, encoder)
            running = await noted.enter_async_context(noted_deaths(inbox, History(database), folder / "engine.running"))
            engine.on_running = running.write
            chat = Chat(
                History(database), inbox, Personas(database), ChosenSettings(database), engine, encoder,
                TokenBudget(4096, 100_000, 1000), sampling=SamplingChoice(seed=7),
                queue=QuestionQueue(
                    max_waiting=orders.max_waiting, clock=lambda: orders.clock_speed * time.monotonic()
                ),
            )  # fmt: skip
            with loaded_objects_frozen():
                async with Gauges(folder / "gauges.json"):
                    await run_discord(chat, options, stop)
            running.write(())


def build_engine(orders: Orders, encoder: TurnEncoder) -> EchoEngine:
    chance = random.Random(orders.seed)

    def answer(request: Request) -> str | Exception:
        asked = encoder.tokenizer.decode(list(request.prompt_token_ids)).rpartition("[INST]")[2]
        if POISON in asked:
            os.kill(os.getpid(), signal.SIGKILL)
        if chance.random() < orders.failure_rate:
            return RequestFailed()
        num_words = orders.num_words[len(request.prompt_token_ids) % len(orders.num_words)]
        return f"{echo(request)} " + " ".join(f"w{number}" for number in range(num_words))

    # The double remembers what it was asked; here it must not, or the process would grow.
    forgetful = {"requests": deque(maxlen=1), "forgotten": deque(maxlen=1)}
    return EchoEngine(answer=answer, seconds_per_word=orders.seconds_per_word, **forgetful)


def die_at_commits(database: Database, orders: Orders) -> None:
    """kill -9 before, or after, the n-th commit of a writing transaction."""
    engine, counts = database.engine.sync_engine, {"begun": 0, "ended": 0}

    def count(name: str, deadly: int) -> Callable[..., None]:
        def note(*_: Any) -> None:
            counts[name] += 1
            if counts[name] == deadly:
                os.kill(os.getpid(), signal.SIGKILL)

        return note

    if orders.dies_before_commit:
        event.listen(engine, "commit", count("begun", orders.dies_before_commit))
    if orders.dies_after_commit:
        # A connection goes back to the pool once its transaction has ended.
        event.listen(engine.pool, "checkin", count("ended", orders.dies_after_commit))


if __name__ == "__main__":
    main()
