"""A scripted engine: what it says follows from the seed, and from which try of which question it is.

Every question and every answer has a word of its own (a *mark*), so that whoever reads a prompt knows what is in it.
"""

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field

from bot.errors import EngineFailed, EngineOverloaded, RequestFailed, WaitedTooLong
from bot.inference.engine import Counters, Delta, FinishReason, Request
from tests.simulation.faults import Faults
from tests.simulation.journal import Journal

MARK = re.compile(r"[qa]\d+x")
_SAMPLE = "the fox sang all night beside the river and counted one two three green colours with Anna"
_WORDS = tuple(_SAMPLE.split(" "))
_SLOTS = 6
"""So many answers run at once; others wait."""


def mark_of_answer(number: int) -> str:
    """The word that no other answer has."""
    return f"a{number}x"


@dataclass(slots=True, eq=False)
class Asked:
    """One request as it reached the engine."""

    name: str
    number: int
    marks: tuple[str, ...]
    at: float
    life: int
    text: str
    said: str = ""


@dataclass(eq=False)
class ScriptedEngine:
    """Stands in for the model behind the real `Engine` border, in one life of the daemon."""

    chance: random.Random
    faults: Faults
    journal: Journal
    decode: Callable[[Sequence[int]], str]
    asked: list[Asked]
    """All requests, of every life."""
    life: int
    die: Callable[[], None]
    is_wordy: bool = False
    """Whether many answers take several messages."""
    max_sequence_tokens: int = 100_000
    model_hash: str = "script"
    is_asleep: bool = False
    step_seconds: float = 0.05
    on_running: Callable[[Sequence[str]], None] = lambda _: None
    poisoned: str = ""
    failure: EngineFailed | None = None
    _has_failed: asyncio.Event = field(default_factory=asyncio.Event)
    _names: list[str] = field(default_factory=list)
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    async def generate(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Stream what the script says."""
        if self.failure is not None:
            raise self.failure
        prompt = self.decode(request.prompt_token_ids)
        number = len(self.asked)
        asked = Asked(
            request.name, number, tuple(MARK.findall(prompt)), asyncio.get_running_loop().time(), self.life,
            self._text(number),
        )  # fmt: skip
        self.asked.append(asked)
        self.journal.note("engine asked", request.name, asked.marks, asked.text[:20], len(asked.text))
        await self._slot(request.max_queued_seconds)
        self._names.append(request.name)
        self.on_running(self._names)
        try:
            if request.name.endswith(f":{self.poisoned}"):
                await asyncio.sleep(0.05)
                self.die()
            async for delta in self._said(asked, len(request.prompt_token_ids)):
                yield delta
        finally:
            self._names.remove(request.name)
            self.on_running(self._names)
            self._give_slot()

    async def _slot(self, limit_seconds: float | None) -> None:
        if len(self._names) < _SLOTS:
            return
        if len(self._waiting) >= 64:
            raise EngineOverloaded
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout(limit_seconds):
                await place
        except TimeoutError:
            raise WaitedTooLong from None
        finally:
            if place in self._waiting:
                self._waiting.remove(place)

    def _give_slot(self) -> None:
        for place in self._waiting:
            if not place.done():
                place.set_result(None)
                return

    def _text(self, number: int) -> str:
        chance, mark = self.chance, mark_of_answer(number)
        kind = chance.random()
        if self.is_wordy and kind < 0.5:
            return self._long(mark)
        if kind < 0.02:
            return ""
        if kind < 0.75:
            return f"{mark} " + " ".join(chance.choices(_WORDS, k=chance.randint(1, 40)))
        if kind < 0.85:
            lines = [" ".join(chance.choices(_WORDS, k=chance.randint(1, 9))) for _ in range(chance.randint(2, 8))]
            return f"{mark}\n" + "\n".join(f"- {line}" for line in lines)
        if kind < 0.97:
            code = "\n".join(f"print({chance.randrange(1000)})" for _ in range(chance.randint(1, 30)))
            return f"{mark} so:\n```python\n{code}\n```\ndone"
        return self._long(mark)

    def _long(self, mark: str) -> str:
        """What takes several messages."""
        chance = self.chance
        size = chance.choice((2200, 2200, 2500, 2500, 4200, 4200, 4200, 9000))
        sentences = (" ".join(chance.choices(_WORDS, k=8)) + f" {chance.randrange(10**6)}." for _ in range(size // 40))
        return f"{mark} " + " ".join(sentences)[:size]

    async def _said(self, asked: Asked, num_prompt_tokens: int) -> AsyncGenerator[Delta, None]:
        chance = self.chance
        fails = chance.random() < self.faults.failed_answers
        pieces = re.findall(r"\S+\s*", asked.text)
        size = max(1, len(pieces) // chance.choice((1, 3, 3, 10)))
        pace = chance.choice((0.02, 0.1, 0.3, 1.0)) if len(pieces) < 200 else 0.2
        silent_at = chance.randrange(len(pieces) + 1) if fails and chance.random() < 0.3 else -1
        if fails and silent_at < 0 and chance.random() < 0.5:
            await asyncio.sleep(pace)
            raise RequestFailed
        counters = Counters(num_prompt_tokens=num_prompt_tokens, num_new_tokens=len(pieces))
        for start in range(0, len(pieces), size):
            if 0 <= silent_at <= start:
                await asyncio.sleep(300.0)
            await asyncio.sleep(pace * chance.random() * 2)
            if self.failure is not None:
                raise self.failure
            piece = "".join(pieces[start : start + size])
            asked.said += piece
            yield Delta(piece, tuple(range(3, 3 + min(size, 50))), counters=counters if start == 0 else None)
        if fails and silent_at < 0:
            raise RequestFailed
        reason = FinishReason.LENGTH if chance.random() < 0.1 else FinishReason.STOP
        yield Delta("", (), reason, counters)

    def lose(self) -> None:
        """The engine is lost, and with it the process."""
        self.failure = EngineFailed("the script says so")
        self._has_failed.set()

    async def wait_failed(self) -> None:
        """Return once the engine is lost."""
        await self._has_failed.wait()

    async def forget(self, cache_owner: str) -> None:
        """Nothing is kept."""
        self.journal.note("engine forgets", cache_owner)
