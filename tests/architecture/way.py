"""One question's way through bot/, as it is seen while the bot answers it on the loopback Discord.

A hop is a function of bot/ that the event loop has entered for the question, and has not left when the question is
committed, when the engine is asked, when the answer's first piece arrives, when that is handed to the reply, or when
the first message leaves. Whoever made a task is on the way of what happens in the task. What is called and has returned
by then is no hop: checks, conversions, and what is read from the database.

A wrapper is no hop either: a function that is handed nothing of the question, only something to call (the repetition of
requests, the wait for a database that is away), and the inner function that it calls. The document names those too.

What happens behind a door is not the event loop's way, and is counted as the door alone: the store behind the function
that commits the question, and the engine's thread behind the one that asks it.
"""

import asyncio
import itertools
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import FrameType, NoneType
from typing import Any

from bot.conversation.chat_format import TurnEncoder
from bot.inference.local import open_local_engine
from bot.inference.messages import LoadedModel
from bot.inference.scheduling.step import Step
from bot.inference.worker import Watchdog
from tests.architecture.imports import ROOT
from tests.discord.house import ask, open_house
from tests.inference.fakes import EchoRunner
from tests.inference.vocabulary import build_tokenizer
from tests.loopback import LoopbackDiscord, without_waits

_NUM_STEPS_FIRST = 40
"""Enough for some words that are surely shown."""
_HOLD_SECONDS = 60.0
_BOT = str(ROOT / "bot") + "/"
_PLAIN = (str, int, float, Enum, NoneType)
_FIRST = "GatewaySocket.received_message"
"""discord.py calls it with what the websocket brought; what is outside it runs for all messages."""


@dataclass(frozen=True)
class Hop:
    """A function, by its file in bot/ and its name there."""

    file: str
    function: str
    is_wrapper: bool = field(default=False, compare=False)


Way = tuple[Hop, ...]

CARRIERS = {"Exchange", "Reply", "Parts"}
"""What is made for one question: a method of these has the question, whatever it is handed."""

MOMENTS = {
    Hop("store/rows/inbox.py", "Inbox.receive_and_begin"): "committed",
    Hop("inference/local.py", "LocalEngine.generate"): "asked",
    Hop("inference/local.py", "Stream.push"): "said",
    Hop("delivery/reply.py", "Reply.write"): "written",
}
"""At the first call of each, where the question or its answer stands is looked at; and when it is "sent"."""


@dataclass
class Trace:
    """What was seen of a question's way: the hops to each moment, in order."""

    ways: dict[str, Way] = field(default_factory=dict)
    is_sent: threading.Event = field(default_factory=threading.Event)
    _makers: dict[asyncio.Task[Any], Way] = field(default_factory=dict)

    @property
    def passed(self) -> list[Hop]:
        """All hops and wrappers, each once, by station and in the order of the moments."""
        return sorted(dict.fromkeys(hop for way in self.ways.values() for hop in way), key=self.station)

    @property
    def hops(self) -> list[Hop]:
        """Those that are no wrappers."""
        return [hop for hop in self.passed if not hop.is_wrapper]

    def station(self, hop: Hop) -> int:
        """Intake, answers, chat, engine, reply: which of the five a hop belongs to."""
        part = hop.file.partition("/")[0]
        if part in {"chat", "store"}:
            return 3
        if part == "inference":
            return 4
        if not any(hop in self.ways.get(moment, ()) for moment in ("committed", "asked")):
            return 5
        return 1 if part == "discord" else 2

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the event loop that runs this, until the block ends."""
        loop = asyncio.get_running_loop()
        loop.set_task_factory(self._make_task)
        sys.setprofile(self._look)
        try:
            yield
        finally:
            sys.setprofile(None)
            loop.set_task_factory(None)

    def _make_task(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coroutine, loop=loop, **options)
        self._makers[task] = self._way_to(sys._getframe(1))
        return task

    def _look(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        code = frame.f_code
        if code.co_filename.startswith(_BOT):
            moment = MOMENTS.get(_hop(frame))
        elif code.co_qualname == "ClientSession._request" and str(frame.f_locals["str_or_url"]).endswith("/messages"):
            moment = "sent"
        else:
            return
        if moment is not None and moment not in self.ways:
            self.ways[moment] = self._way_to(frame)
            if moment == "sent":
                self.is_sent.set()

    def _way_to(self, frame: FrameType | None) -> Way:
        hops: list[Hop] = []
        while frame is not None:
            if frame.f_code.co_filename.startswith(_BOT):
                hops.append(_hop(frame))
            frame = frame.f_back
        hops.reverse()
        way = (*self._makers.get(asyncio.current_task(), ()), *hops)
        return way[next((index for index, hop in enumerate(way) if hop.function == _FIRST), 0) :]


def _hop(frame: FrameType) -> Hop:
    file = str(Path(frame.f_code.co_filename).relative_to(_BOT))
    return Hop(file, frame.f_code.co_qualname, is_wrapper=_is_wrapper(frame))


def _is_wrapper(frame: FrameType) -> bool:
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    arguments = {name: frame.f_locals.get(name) for name in names}
    if type(arguments.pop("self", None)).__name__ in CARRIERS:
        return False
    if not arguments:
        return "<locals>" in code.co_qualname
    is_called = any(callable(value) for value in arguments.values())
    return is_called and all(callable(value) or isinstance(value, _PLAIN) for value in arguments.values())


async def trace_question(folder: Path) -> Trace:
    """Ask the bot something on the loopback Discord; the engine is the real one around a model without tensors.

    On a busy machine the answer could be over before any of it is shown, and is then shown another way: so the model
    goes on only once the first message is on its way.
    """
    trace, tokenizer, num_steps = Trace(), build_tokenizer(), itertools.count(1)
    watchdog = Watchdog(10 * _HOLD_SECONDS)

    def hold(_: Step) -> None:
        if next(num_steps) > _NUM_STEPS_FIRST:
            trace.is_sent.wait(_HOLD_SECONDS)

    runner = EchoRunner(
        num_blocks=4000, context_window=4096, max_prefill_tokens=2048, has_eos=False, before_launch=hold
    )
    async with (
        LoopbackDiscord(without_waits()) as server,
        open_local_engine(lambda _: LoadedModel(runner, tokenizer, "echo"), watchdog=watchdog) as engine,
        open_house(server, folder, TurnEncoder(tokenizer), engine) as house,
    ):
        with trace.watching():
            await ask(house)
    return trace
