"""How benchmarks ask the engine, and what they note of an answer: when each of its tokens came."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from benchmarks.inference_setting import Setting
from bot.inference.engine import FairnessKey, Request, SamplingParams
from bot.inference.idle import IdleLimits
from bot.inference.local import LocalEngine, open_local_engine
from bot.inference.messages import LoadedModel
from bot.inference.model.runner import LlamaRunner
from tests.checkpoints import byte_tokenizer


@dataclass(slots=True)
class Answer:
    """When each token of an answer came, and which."""

    submitted: float
    times: list[float] = field(default_factory=list)
    token_ids: list[int] = field(default_factory=list)
    num_cached: int = 0

    @property
    def first(self) -> float:
        """Seconds to the first token."""
        return self.times[0] - self.submitted

    @property
    def gaps(self) -> list[float]:
        """Seconds between tokens."""
        return [later - earlier for earlier, later in zip(self.times, self.times[1:], strict=False)]


@asynccontextmanager
async def opened(
    setting: Setting, runner: LlamaRunner, idle_limits: IdleLimits | None = None
) -> AsyncIterator[LocalEngine]:
    """An engine over the runner; no token ends a completion."""
    loaded = LoadedModel(runner, byte_tokenizer(setting.shape.vocab_size), "random", frozenset(), memory=runner)
    async with open_local_engine(lambda _progress: loaded, idle_limits=idle_limits) as engine:
        yield engine


async def answer(engine: LocalEngine, prompt: tuple[int, ...], num_new: int, owner: str) -> Answer:
    """Ask, and note when what comes."""
    request = Request(prompt, SamplingParams(max_new_tokens=num_new), owner, fairness=FairnessKey("g", owner, owner))
    found = Answer(time.perf_counter())
    async for delta in engine.generate(request):
        now = time.perf_counter()
        found.times += [now] * len(delta.token_ids)
        found.token_ids += delta.token_ids
        if delta.counters:
            found.num_cached = delta.counters.num_cached_tokens
    return found
