"""The benchmark's arrivals over time: conversations come and go by chance, at a share of what the engine can do.

Capacity is measured on the same kind of turns, with every conversation asking again at once. Then turns arrive at 70 %
of it, whether the engine keeps up or not: a Poisson process, which for a given number of arrivals is that many moments
drawn evenly over the time. A turn falls to the conversation that has been silent longest; where none is silent, it
comes late and is counted.
"""

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median, quantiles

from benchmarks.inference_answers import Answer, answer
from benchmarks.inference_setting import Report, Setting
from bot.inference.engine import SamplingParams
from bot.inference.local import LocalEngine
from bot.inference.scheduling.step import PrefillChunk, PrefillStep

_LOAD = 0.7
_NUM_CONVERSATIONS, _NUM_TURNS = 64, 6
_FIRST_PROMPT_TOKENS = (300, 900)
_LATER_PROMPT_TOKENS = (20, 100)
_NEW_TOKENS = (64, 192)


@dataclass(slots=True)
class Conversation:
    """The turns that one conversation will have, and what came of those that it had."""

    owner: str
    questions: list[tuple[int, ...]]
    num_new: list[int]
    prompt: tuple[int, ...] = ()
    answers: list[Answer] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """It has had all its turns."""
        return len(self.answers) == len(self.questions)

    async def take_turn(self, engine: LocalEngine) -> None:
        """Ask the next question on top of all that was said."""
        number = len(self.answers)
        self.prompt += self.questions[number]
        self.answers.append(await answer(engine, self.prompt, self.num_new[number], self.owner))
        self.prompt += tuple(self.answers[-1].token_ids)


@dataclass(slots=True)
class _Lateness:
    """How many turns found no silent conversation, and for how long the worst of them waited."""

    number: int = 0
    most_seconds: float = 0.0


async def arrivals(setting: Setting, report: Report, engine: LocalEngine, longest_wait: float) -> None:
    """Turns without a pause, then turns by chance at 70 % of that."""
    capacity = await _measure_capacity(report, engine, _conversations(setting, "full", seed=4))
    conversations = _conversations(setting, "by chance", seed=5)
    num_tokens = sum(sum(one.num_new) for one in conversations)
    window = num_tokens / (_LOAD * capacity)
    num_turns = sum(len(one.questions) for one in conversations)
    chooser = random.Random(6)
    moments = sorted(chooser.uniform(0, window) for _ in range(num_turns))
    start = time.perf_counter()
    late = await _ask_at(moments, engine, conversations)
    _report(report, conversations, longest_wait)
    _report_load(report, conversations, (start, start + window), capacity, late)


def _conversations(setting: Setting, name: str, seed: int) -> list[Conversation]:
    """Conversations whose lengths follow from the seed; what they say was never said before."""
    chooser = random.Random(seed)
    number, num_turns = (8, 3) if setting.is_tiny else (_NUM_CONVERSATIONS, _NUM_TURNS)

    def draw(bounds: tuple[int, int]) -> int:
        return setting.scaled(chooser.randint(*bounds))

    def questions() -> Iterator[tuple[int, ...]]:
        yield setting.prompt(draw(_FIRST_PROMPT_TOKENS))
        for _ in range(num_turns - 1):
            yield setting.prompt(draw(_LATER_PROMPT_TOKENS))

    return [
        Conversation(f"{name} {n}", list(questions()), [draw(_NEW_TOKENS) for _ in range(num_turns)])
        for n in range(number)
    ]


async def _measure_capacity(report: Report, engine: LocalEngine, conversations: list[Conversation]) -> float:
    """Tokens a second while every conversation has a question open, from the start to the end of the first of them."""

    async def converse(conversation: Conversation) -> float:
        while not conversation.is_over:
            await conversation.take_turn(engine)
        return time.perf_counter()

    start = time.perf_counter()
    end = min(await asyncio.gather(*map(converse, conversations)))
    capacity = _num_tokens(conversations, start, end) / (end - start)
    name = f"{len(conversations)} conversations of {len(conversations[0].questions)} turns without a pause: capacity"
    prompts = sum(len(question) for one in conversations for question in one.questions)
    note = f"over {end - start:.1f} s; {prompts:,} new tokens of prompts in all turns"
    return report.add(name, capacity, "tok/s", note=note)


async def _ask_at(moments: list[float], engine: LocalEngine, conversations: list[Conversation]) -> _Lateness:
    """Let a turn begin at each moment, or as soon after it as a conversation is silent."""
    silent: asyncio.Queue[Conversation] = asyncio.Queue()
    for conversation in conversations:
        silent.put_nowait(conversation)
    late, start = _Lateness(), time.perf_counter()

    async def take_turn(conversation: Conversation) -> None:
        await conversation.take_turn(engine)
        if not conversation.is_over:
            silent.put_nowait(conversation)

    async with asyncio.TaskGroup() as turns:
        for moment in moments:
            await asyncio.sleep(start + moment - time.perf_counter())
            late.number += silent.empty()
            turns.create_task(take_turn(await silent.get()))
            late.most_seconds = max(late.most_seconds, time.perf_counter() - start - moment)
    return late


def chunk_seconds(setting: Setting) -> float:
    """A 512-token chunk after 1,000 tokens, the longest that a running answer should have to wait for."""
    runner, length, start = setting.runner, setting.scaled(512), setting.scaled(1000) // 32 * 32
    table = tuple(range(1, -(-(start + length) // 32) + 1))
    times = []
    for _ in range(5):
        chunk = PrefillChunk(0, setting.prompt(length), start, table, SamplingParams(), is_last=True)
        begin = time.perf_counter()
        runner.launch(PrefillStep((chunk,))).collect()
        times.append(time.perf_counter() - begin)
    return median(times)


def _report(report: Report, conversations: list[Conversation], longest_wait: float) -> None:
    found = [one for conversation in conversations for one in conversation.answers]
    gaps = [gap for one in found for gap in one.gaps]
    step, p99 = median(gaps), _p99(gaps)
    bound = longest_wait + 2 * step
    name = f"arrivals, {len(conversations)} conversations, {len(found)} turns: p99 gap of tokens"
    note = f"p50 {step * 1e3:.1f} ms, worst {max(gaps) * 1e3:.1f}; a chunk {longest_wait * 1e3:.1f}"
    report.add(name, p99 * 1e3, "ms", floor=bound * 1e3, ratio=p99 / bound, wanted="<= 1", note=note)
    firsts = [one.first for one in found]
    note = f"p99 {_p99(firsts) * 1e3:.1f} ms, worst {max(firsts) * 1e3:.1f}"
    report.add("arrivals: median time to first token", median(firsts) * 1e3, "ms", note=note)
    report.add("arrivals: p99 of the time to first token", _p99(firsts) * 1e3, "ms")


def _report_load(
    report: Report, conversations: list[Conversation], window: tuple[float, float], capacity: float, late: _Lateness
) -> None:
    """What was delivered while turns arrived, but for the first tenth of that time, when nobody had begun before."""
    start, end = window
    settled = start + (end - start) / 10
    rate = _num_tokens(conversations, settled, end) / (end - settled)
    found = [one for conversation in conversations for one in conversation.answers]
    at_once = sum(one.times[-1] - one.submitted for one in found) / (max(one.times[-1] for one in found) - start)
    note = f"of the capacity, {_LOAD} offered over {end - start:.1f} s; {at_once:.1f} answers at once on average; "
    note += f"{late.number} turns late, by {late.most_seconds * 1e3:.0f} ms at most"
    report.add("arrivals: load delivered", rate, "tok/s", floor=capacity, ratio=rate / capacity, note=note)


def _num_tokens(conversations: list[Conversation], start: float, end: float) -> int:
    times = (moment for conversation in conversations for one in conversation.answers for moment in one.times)
    return sum(start <= moment <= end for moment in times)


def _p99(values: list[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[98]
