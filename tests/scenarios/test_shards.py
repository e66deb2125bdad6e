"""Several processes on one token and one PostgreSQL: one is killed, and the others have its shards and questions.

Each is `trinity run` as an operator starts it, with a server for the model; Discord is the loopback one, with its rule
that each group of shards logs in once in five seconds.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.conversation.vocabularies import load_any_vocabulary
from tests.end_to_end.daemon import environment_for
from tests.fork_server import ForkedProcess, start
from tests.inference.completions import CompletionsServer, serve
from tests.loopback import Channel, Expectation, LoopbackDiscord, judge, without_waits
from tests.loopback.sharding import guild_of_shard
from tests.scenarios.verdicts import report
from tests.store.postgresql_server import new_database, on_postgresql, some_server

pytestmark = on_postgresql()

SEED = 20261129
ANSWER = " ".join(f"word{number}" for number in range(40))
OPEN = ("received", "waiting", "answering")
START_SECONDS = 180.0
TAKE_OVER_SECONDS = 30.0


class Size(NamedTuple):
    num_processes: int
    num_shards: int
    max_concurrency: int
    num_kills: int
    num_channels: int
    mean_seconds: float
    """Between two questions."""


SMALL = Size(2, 4, 4, 1, 8, 0.15)
LARGE = Size(4, 16, 2, 20, 48, 0.8)


@dataclass
class Cluster:
    """The processes, each with a folder of its own."""

    server: LoopbackDiscord
    size: Size
    folder: Path
    settings: dict[str, str]
    database: AsyncEngine
    running: dict[int, ForkedProcess] = field(default_factory=dict)

    async def start(self, number: int) -> None:
        folder = self.folder / f"process-{number}"
        folder.mkdir(exist_ok=True)
        environment = environment_for(self.server, folder) | self.settings
        self.running[number] = await start(
            *("-m", "bot", "run"), env=environment, cwd=folder, output=folder / "daemon.log"
        )

    async def kill(self, number: int) -> None:
        process = self.running.pop(number)
        process.send_signal(signal.SIGKILL)
        await process.wait()

    async def stop(self) -> list[int]:
        processes = list(self.running.values())
        for process in processes:
            process.send_signal(signal.SIGTERM)
        return [await process.wait() for process in processes]

    async def all_connected(self, seconds: float) -> float:
        """Wait until each shard has one connection; returns how long that took."""
        began_at, wanted = time.monotonic(), Counter(range(self.size.num_shards))
        while Counter(each.shard[0] for each in self.server.gateway.connected()) != wanted:
            assert time.monotonic() < began_at + seconds, self.logs()
            assert all(process.returncode is None for process in self.running.values()), self.logs()
            await asyncio.sleep(0.02)
        return time.monotonic() - began_at

    async def balanced(self, seconds: float) -> None:
        """Wait until each process has its part: with more to be logged in, Discord's pauses take longer."""
        give_up_at, part = time.monotonic() + seconds, self.size.num_shards // self.size.num_processes
        while sorted((await self.holders()).values()) != [part] * self.size.num_processes:
            assert time.monotonic() < give_up_at, self.logs()
            await asyncio.sleep(0.2)
        await self.all_connected(seconds)

    async def holders(self) -> Counter[str]:
        async with self.database.connect() as connection:
            return Counter((await connection.execute(text("SELECT process FROM shards"))).scalars())

    async def settled(self, num_questions: int, seconds: float) -> None:
        """Wait until so many questions are done with and none is open."""
        give_up_at = time.monotonic() + seconds
        while True:
            async with self.database.connect() as connection:
                rows = await connection.execute(text("SELECT state, count(*) FROM inbox GROUP BY 1"))
                states = {row[0]: row[1] for row in rows}
            if sum(states.values()) >= num_questions and not any(states.get(state) for state in OPEN):
                return
            assert time.monotonic() < give_up_at, f"{states} of {num_questions}\n{self.logs()}"
            await asyncio.sleep(0.1)

    def logs(self) -> str:
        files = sorted(self.folder.glob("process-*/daemon.log"))
        return "\n".join(f"# {file.parent.name}\n{file.read_text()[-3000:]}" for file in files)


@pytest.fixture(scope="module")
def postgresql_server() -> Iterator[str]:
    with some_server() as url:
        yield url


@asynccontextmanager
async def open_cluster(size: Size, folder: Path, postgresql_server: str) -> AsyncIterator[Cluster]:
    rules = replace(without_waits(), identify_interval_seconds=5.0, max_concurrency=size.max_concurrency)
    tokenizer = load_any_vocabulary("small", folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(LoopbackDiscord(rules))
        engine = CompletionsServer(tokenizer, answer=ANSWER, seconds_per_word=0.03)
        await stack.enter_async_context(serve(engine))
        address = await stack.enter_async_context(new_database(postgresql_server, "cluster"))
        url = address.set(drivername="postgresql+asyncpg")
        database = create_async_engine(url)
        stack.push_async_callback(database.dispose)
        settings = {
            "TRINITY_DATABASE_URL": url.render_as_string(hide_password=False),
            "TRINITY_ENGINE_URL": engine.url,
            "TRINITY_TOKENIZER": str(folder / "tokenizer.json"),
            "TRINITY_CHAT_FORMAT": "llama-2",
            "TRINITY_SHARD_COUNT": str(size.num_shards),
            "TRINITY_MAX_NEW_TOKENS": "512",
        }
        cluster = Cluster(server, size, folder, settings, database)
        try:
            yield cluster
        finally:
            for number in list(cluster.running):
                await cluster.kill(number)


async def channels_of(server: LoopbackDiscord, size: Size) -> list[Channel]:
    guilds = [await guild_of_shard(server, number, size.num_shards) for number in range(size.num_shards)]
    per_guild = size.num_channels // size.num_shards
    return [server.channel(f"channel-{number}", guild) for guild in guilds for number in range(per_guild)]


@pytest.mark.parametrize(
    "size", [SMALL, pytest.param(LARGE, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])], ids=["small", "large"]
)
async def test_killed_processes_are_relieved_and_nothing_is_lost_or_doubled(
    tmp_path: Path, postgresql_server: str, size: Size
) -> None:
    chance, began_at = random.Random(SEED), time.monotonic()
    async with open_cluster(size, tmp_path, postgresql_server) as cluster:
        server, is_over, num_asked = cluster.server, asyncio.Event(), 0
        channels = await channels_of(server, size)
        for number in range(size.num_processes):
            await cluster.start(number)
        await cluster.all_connected(START_SECONDS)
        # Discord doesn't tell of direct messages that were missed, so those that are known are asked for.
        writing_directly = [server.person(f"Direct {number}") for number in range(3)]
        for person in writing_directly:
            await person.dms("the first question")
        await cluster.balanced(START_SECONDS)
        await cluster.settled(len(writing_directly), 60)

        async def talk() -> int:
            num_asked = len(writing_directly)
            while not is_over.is_set():
                if num_asked % 20 == 0:
                    await chance.choice(writing_directly).dms(f"question {num_asked}")
                else:
                    person = server.person(f"Person {num_asked}")
                    await person.says(chance.choice(channels), f"question {num_asked}", mention=True)
                num_asked += 1
                await asyncio.sleep(chance.random() * 2 * size.mean_seconds)
            return num_asked

        talking = asyncio.create_task(talk())
        taken_over_after: list[float] = []
        killed_shards = 0
        victim: int | None = None
        for _ in range(size.num_kills):
            if victim is not None:
                await cluster.start(victim)
                await cluster.balanced(START_SECONDS)
            await asyncio.sleep(0.5 + 2 * chance.random())
            victim = chance.choice(sorted(cluster.running))
            before = len(server.gateway.connected())
            await cluster.kill(victim)
            await server.wait_until(lambda before=before: len(server.gateway.connected()) < before)
            killed_shards += before - len(server.gateway.connected())
            taken_over_after.append(await cluster.all_connected(TAKE_OVER_SECONDS))
            print(f"kill {len(taken_over_after)}: {taken_over_after[-1]:.1f} s", flush=True)
        is_over.set()
        num_asked = await talking
        await cluster.settled(num_asked, 180)
        holders = await cluster.holders()
        assert set(await cluster.stop()) == {0}

    verdict = judge(server, Expectation())
    verdict.require(turns=num_asked)
    report(
        "killed processes", seed=SEED, processes=size.num_processes, shards=size.num_shards, kills=size.num_kills,
        shards_taken_over=killed_shards, slowest_seconds=round(max(taken_over_after), 1),
        median_seconds=round(sorted(taken_over_after)[len(taken_over_after) // 2], 1), turns=verdict.num_turns,
        replies=verdict.num_replies, notices=verdict.num_notices, lost=0, doubled=0, repeats=verdict.num_repeats,
        logins=server.gateway.counts["identifies"], holders=sorted(holders.values()),
        cpus=os.cpu_count(), seconds=round(time.monotonic() - began_at),
    )  # fmt: skip
