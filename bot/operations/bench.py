"""`trinity bench`: what this machine's people would notice, measured in about a minute.

A conversation here is 500 tokens of a story to go on with. What is said to whom doesn't matter, so each is another one:
what the cache holds of one is no help to the next, except where that is what is measured.
"""

import asyncio
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from bot.conversation.chat_format import TurnEncoder
from bot.inference.engine import Engine, FairnessKey, Request, SamplingParams

_PROMPT_TOKENS = 500
_NEW_TOKENS = 192
_TOGETHER = 8
_ALONE_SECONDS = 10.0
_TOGETHER_SECONDS = 20.0
_NUM_FIRST_WORDS = 5
_SHORT_CONVERSATION_TOKENS = 1000
_FILLER = "The keeper of the lighthouse writes down what the sea looked like, and which ships went by. "


@dataclass(frozen=True, slots=True)
class Row:
    """One figure."""

    name: str
    value: float
    unit: str
    note: str = ""

    @property
    def shown(self) -> str:
        """The figure with as many digits as say something."""
        return f"{self.value:,.0f}" if self.value >= 100 else f"{self.value:.3g}"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What became of one request. Lengths of time are in seconds."""

    first_words: float
    num_new_tokens: int
    decoding: float
    token_ids: tuple[int, ...]


class Bench:
    """Measures one engine, with nobody else at it.

    Args:
        engine: it.
        encoder: makes prompts of words.
        num_cache_tokens: how many tokens the KV cache holds in all.
        tell: called with what is measured next.
    """

    def __init__(
        self, engine: Engine, encoder: TurnEncoder, num_cache_tokens: int, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self._engine = engine
        self._encoder = encoder
        self._num_cache_tokens = num_cache_tokens
        self._tell = tell
        self._numbers = itertools.count(1)
        # A model with a small window is asked for less.
        self._num_prompt_tokens = min(_PROMPT_TOKENS, engine.max_sequence_tokens // 3)
        self._num_new_tokens = min(_NEW_TOKENS, engine.max_sequence_tokens // 3)

    async def measure(self, *, scale: float = 1.0) -> list[Row]:
        """All rows; with a smaller `scale`, in so much less time."""
        self._tell("warming up")
        await self._ask(self._prompt(), "")
        self._tell("first words, one after the other")
        cold, warm = await self._first_words(max(1, round(_NUM_FIRST_WORDS * scale)))
        self._tell("one conversation")
        alone = await self._for(_ALONE_SECONDS * scale, 1)
        self._tell(f"{_TOGETHER} conversations at once")
        began_at = time.monotonic()
        together = await self._for(_TOGETHER_SECONDS * scale, _TOGETHER)
        total = sum(asked.num_new_tokens for asked in together) / (time.monotonic() - began_at)
        waits = [asked.first_words for asked in together]
        prompt = f"{self._num_prompt_tokens} tokens"
        window = self._engine.max_sequence_tokens
        return [
            Row("first words of a new conversation", statistics.median(cold), "s", prompt),
            Row("first words of its next turn", statistics.median(warm), "s", "the rest is in the cache"),
            Row("speed of an answer, alone", _speed(alone), "tokens/s", "people read 5 to 8"),
            Row(f"speed of an answer, {_TOGETHER} at once", _speed(together), "tokens/s", "for each of them"),
            Row(f"all {_TOGETHER} together", total, "tokens/s"),
            Row(f"first words, {_TOGETHER} at once", statistics.median(waits), "s", f"the longest {max(waits):.2g} s"),
            Row("conversations of 1,000 tokens in memory", self._num_cache_tokens // _SHORT_CONVERSATION_TOKENS, ""),
            Row("conversations that fill the window", self._num_cache_tokens // window, "", f"{window:,} tokens each"),
        ]

    async def _first_words(self, number: int) -> tuple[list[float], list[float]]:
        """Of new conversations, and of a second turn in each."""
        cold, warm = [], []
        for _ in range(number):
            prompt, owner = self._prompt(), f"bench {next(self._numbers)}"
            first = await self._ask(prompt, owner, num_new_tokens=8)
            follow = (*prompt, *first.token_ids, *self._encoder.turn("And then?", is_first=False))
            warm.append((await self._ask(follow, owner, num_new_tokens=8)).first_words)
            cold.append(first.first_words)
            await self._engine.forget(owner)
        return cold, warm

    async def _for(self, seconds: float, number: int) -> list[_Asked]:
        """Keep so many conversations going for a while; what was asked last is waited for."""
        until, found = time.monotonic() + seconds, list[_Asked]()

        async def keep_asking() -> None:
            while not found or time.monotonic() < until:
                found.append(await self._ask(self._prompt(), ""))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(number):
                tasks.create_task(keep_asking())
        return found

    async def _ask(self, prompt: tuple[int, ...], owner: str, num_new_tokens: int | None = None) -> _Asked:
        request = Request(
            prompt,
            SamplingParams(max_new_tokens=num_new_tokens or self._num_new_tokens),
            cache_owner=owner,
            fairness=FairnessKey(channel=str(next(self._numbers))),
        )
        began_at, first_words, token_ids, counters = time.monotonic(), None, list[int](), None
        async with aclosing(self._engine.generate(request)) as deltas:
            async for delta in deltas:
                token_ids += delta.token_ids
                counters = delta.counters or counters
                if first_words is None and delta.text.strip():
                    first_words = time.monotonic() - began_at
        ended = time.monotonic() - began_at
        decoding = 0.0 if counters is None else counters.total_seconds - counters.first_token_seconds
        return _Asked(ended if first_words is None else first_words, len(token_ids), decoding, tuple(token_ids))

    def _prompt(self) -> tuple[int, ...]:
        question = f"Story {next(self._numbers)}. Go on with it for as long as you can. "
        num_sentences = max(1, self._num_prompt_tokens // max(1, len(self._encoder.encode(_FILLER))))
        return tuple(self._encoder.turn(question + _FILLER * num_sentences))


def _speed(asked: Sequence[_Asked]) -> float:
    """Tokens a second that an answer's reader gets, over all answers."""
    decoding = sum(each.decoding for each in asked)
    return sum(max(0, each.num_new_tokens - 1) for each in asked) / decoding if decoding > 0 else 0.0
