"""How long the event loop is held up while the demo model answers: `python -m benchmarks.loop_lag [--conversations 8]`.

The whole of Trinity but Discord: inbox, prompt, engine thread and store, on this machine's CPU. A probe sleeps for
10 ms again and again and notes how much later than that it wakes. A busy machine shows in the first line: the same
probe with nobody asking.
"""

import argparse
import asyncio
import itertools
import platform
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from bot.app import open_chat
from bot.chat.chat import Chat, InboxState
from bot.conversation.messages import ConversationKey, Question
from bot.settings.settings import Settings

PROBE_SECONDS = 0.01


@asynccontextmanager
async def probe() -> AsyncIterator[list[float]]:
    """Collect how many milliseconds too late the loop wakes, as long as the block lasts."""
    lags: list[float] = []

    async def sleep_again_and_again() -> None:
        while True:
            asleep_at = time.perf_counter()
            await asyncio.sleep(PROBE_SECONDS)
            lags.append((time.perf_counter() - asleep_at - PROBE_SECONDS) * 1000)

    task = asyncio.create_task(sleep_again_and_again())
    try:
        yield lags
    finally:
        task.cancel()


async def ask(chat: Chat, channel: int, count_to: int) -> int:
    key = ConversationKey("benchmark", channel)
    question = Question(
        key, channel, channel, "Alice", f"Please count to {count_to}.", datetime.now(UTC), is_direct=True
    )
    num_events = 0
    async with chat.open(question) as exchange:
        async for _ in exchange.events():
            num_events += 1
        await exchange.finish(InboxState.ANSWERED)
    return num_events


def show(name: str, lags: list[float]) -> None:
    ordered = sorted(lags)
    p99 = ordered[int(len(ordered) * 0.99)]
    quantiles = f"p50 {statistics.median(lags):6.2f} ms   p99 {p99:6.2f} ms   max {ordered[-1]:6.2f} ms"
    print(f"{name:<28} {len(lags):>5} probes   {quantiles}")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=8)
    parser.add_argument("--count-to", type=int, default=300)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        async with open_chat(Settings(data_dir=Path(folder)), platform="benchmark") as chat:
            print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
            async with probe() as idle:
                await asyncio.sleep(3)
            show("idle", idle)
            numbers = itertools.count(1)  # each conversation is asked once
            for num_conversations in (1, arguments.conversations):
                async with probe() as lags, asyncio.TaskGroup() as tasks:
                    for number in itertools.islice(numbers, num_conversations):
                        tasks.create_task(ask(chat, number, arguments.count_to))
                show(f"{num_conversations} answering", lags)


if __name__ == "__main__":
    asyncio.run(main())
