"""What it costs to build prompts: with and without remembered turns, and how little the event loop notices.

    python -m benchmarks.prompt [FOLDER WITH tokenizer.json]

Compare figures of one run with each other, not with another machine's.
"""

import asyncio
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bot.conversation.chat_format import LLAMA_2, TurnEncoder, turn_text
from bot.conversation.messages import Turn
from bot.conversation.output import OutputFilter
from bot.conversation.persona import DEFAULT
from bot.conversation.tokenizer import encode, load_tokenizer
from bot.conversation.window import TokenBudget, fit_window, fit_window_off_loop

DEMO_FOLDER = Path(__file__).parents[1] / "bot" / "demo_model"
NUM_TURNS = 64
SECTIONS = [DEFAULT.section]
WORDS = [
    "the",
    "sky",
    "is",
    "blue",
    "because",
    "light",
    "of",
    "short",
    "waves",
    "scatters",
    "more",
    "than",
    "long",
    "ones",
]


def milliseconds(action: Callable[[], object], repeats: int = 15) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return median(times) * 1000


def history(source: random.Random) -> list[Turn]:
    def text(num_words: int) -> str:
        return " ".join(source.choices(WORDS, k=num_words))

    return [Turn(index, text(15), text(45), "Anna") for index in range(NUM_TURNS)]


def report(name: str, cost: float, base: float) -> None:
    print(f"{name:<58} {cost:9.2f} ms {cost / base:8.2f} x")


def compare_costs(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    turns = history(random.Random(1))
    wide = TokenBudget(1 << 20, 1 << 20, 1024)
    encoder = TurnEncoder(tokenizer)
    window = fit_window(encoder, wide, SECTIONS, turns, "and now?")
    limit = len(window.prompt_token_ids) - 1
    narrow = TokenBudget(limit + 1024, limit + 1024, 1024)
    print(f"{NUM_TURNS} turns, {len(window.prompt_token_ids)} tokens, {folder}")

    def whole() -> list[int]:
        pieces = [turn_text(turn.question, turn.answer) for turn in turns]
        return encode(tokenizer, "".join(pieces))

    base = milliseconds(lambda: fit_window(TurnEncoder(tokenizer), wide, SECTIONS, turns, "and now?"))
    report("nothing remembered", base, base)
    report("every turn remembered", milliseconds(lambda: fit_window(encoder, wide, SECTIONS, turns, "now?")), base)
    asked = iter(range(1 << 30))
    report(
        "every turn remembered, a new question",
        milliseconds(lambda: fit_window(encoder, wide, SECTIONS, turns, f"and now, for time {next(asked)}?")),
        base,
    )
    report(
        "a trim, every turn remembered",
        milliseconds(lambda: fit_window(encoder, narrow, SECTIONS, turns, f"and now, for time {next(asked)}?")),
        base,
    )
    report("the whole conversation as one string (wrong ids)", milliseconds(whole), base)


def compare_filters() -> None:
    hostile = {
        "prose": "The sky is *blue*, because [light](https://example.org) is scattered.\n" * 1450,
        "brackets": "[<" * 50_000,
        "backticks": "`" * 100_000,
        "marks": "e\u0301" * 50_000,
        "split tags": "[I\u200bN\u200bST]" * 12_500,
    }
    for name, text in hostile.items():
        whole = milliseconds(lambda text=text: filter_output(text, len(text)), 5)
        streamed = milliseconds(lambda text=text: filter_output(text, 4), 5)
        inert = milliseconds(lambda text=text: LLAMA_2.tags.neutralise(text), 5)
        print(
            f"100 KB of {name:<12} output filter {whole:7.1f} ms, by 4 characters {streamed:7.1f} ms, "
            f"input tags {inert:7.1f} ms"
        )


def filter_output(text: str, size: int) -> None:
    """Filters an answer that arrives `size` characters at a time."""
    output = OutputFilter(LLAMA_2.tags, ["Anna"])
    for start in range(0, len(text), size):
        output.feed(text[start : start + size])
    output.finish()


async def measure_lag(folder: Path) -> None:
    encoder = TurnEncoder(load_tokenizer(folder), max_cached_tokens=1)
    budget = TokenBudget(1 << 20, 1 << 20, 1024)
    lags: list[float] = []

    async def probe() -> None:
        while True:
            start = time.perf_counter()
            await asyncio.sleep(0.001)
            lags.append(time.perf_counter() - start - 0.001)

    probing = asyncio.create_task(probe())
    for _ in range(20):
        await fit_window_off_loop(encoder, budget, SECTIONS, [], "😀" * 4000)
    probing.cancel()
    lags.sort()
    print(
        f"lag of the event loop, 20 questions of 4,000 emoji: p99 {lags[int(len(lags) * 0.99)] * 1000:.1f} ms, ", end=""
    )
    print(f"most {lags[-1] * 1000:.1f} ms")


if __name__ == "__main__":
    vocabulary = Path(sys.argv[1]) if len(sys.argv) > 1 else DEMO_FOLDER
    compare_costs(vocabulary)
    compare_filters()
    asyncio.run(measure_lag(vocabulary))
