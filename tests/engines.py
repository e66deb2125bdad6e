"""Hand-written engines for tests: they stand in for the model behind the real `Engine` border."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field

from bot.errors import EngineFailed, PromptTooLong
from bot.inference.engine import Counters, Delta, FinishReason, Request


def digest(token_ids: Sequence[int]) -> str:
    """A short name for a prompt: two prompts share it only if they are the same ids in the same order."""
    return hashlib.sha256(",".join(map(str, token_ids)).encode()).hexdigest()[:16]


def echo(request: Request) -> str:
    """The echo engine's answer: it names the prompt, so that any mix-up of prompts shows in the text."""
    return f"echo {digest(request.prompt_token_ids)} of {len(request.prompt_token_ids)} tokens"


@dataclass(eq=False)
class EchoEngine:
    """Answers `answer(request)` word by word; keeps every request, and how many were left early.

    `gate` holds every answer back after `words_before_gate` words until it is set, which it is from the start unless
    `is_held`. An exception that `answer` returns is raised in place of an answer.
    """

    answer: Callable[[Request], str | Exception] = echo
    max_sequence_tokens: int = 4096
    model_hash: str = "echo"
    words_before_gate: int = 0
    seconds_per_word: float = 0.0
    is_held: bool = False
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[Request] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    num_running: int = 0
    num_aborted: int = 0
    on_running: Callable[[Sequence[str]], None] = lambda _names: None
    names: list[str] = field(default_factory=list)
    failure: EngineFailed | None = None
    step_seconds: float = 0.0
    is_asleep: bool = False
    problem: str | None = None
    has_failed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        if not self.is_held:
            self.gate.set()

    async def generate(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Stream the answer; see the class."""
        if len(request.prompt_token_ids) >= self.max_sequence_tokens:
            raise PromptTooLong(len(request.prompt_token_ids), self.max_sequence_tokens)
        self.requests.append(request)
        self._note(self.names.append, request)
        try:
            async for delta in self._answered(request):
                yield delta
        finally:
            self._note(self.names.remove, request)

    def _note(self, change: Callable[[str], None], request: Request) -> None:
        change(request.name)
        self.on_running(self.names)

    async def _answered(self, request: Request) -> AsyncGenerator[Delta, None]:
        answer = self.answer(request)
        if isinstance(answer, EngineFailed):
            self.failure = answer
            self.has_failed.set()
        if isinstance(answer, Exception):
            raise answer
        self.num_running += 1
        is_done = False
        try:
            async for delta in self._words(request, answer):
                is_done = delta.finish_reason is not None
                yield delta
        finally:
            self.num_running -= 1
            self.num_aborted += not is_done

    async def _words(self, request: Request, answer: str) -> AsyncGenerator[Delta, None]:
        words = answer.split(" ")
        for index, word in enumerate(words):
            if index >= self.words_before_gate:
                await self.gate.wait()
            await asyncio.sleep(self.seconds_per_word)
            yield Delta(word if index == 0 else " " + word, (index + 3,))
        counters = Counters(num_prompt_tokens=len(request.prompt_token_ids), num_new_tokens=len(words))
        yield Delta("", (), FinishReason.STOP, counters)

    async def wait_failed(self) -> None:
        """Return once an answer was that the engine is lost."""
        await self.has_failed.wait()

    async def forget(self, cache_owner: str) -> None:
        """Note that the owner's blocks are to be dropped."""
        self.forgotten.append(cache_owner)
