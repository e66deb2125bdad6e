"""The machine's clock jumps under a running daemon: order, time limits and the age of questions don't notice."""

import random
import struct
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from bot.conversation.messages import ConversationKey, Question
from bot.store.files.database import open_database
from tests.end_to_end.daemon import open_daemon
from tests.loopback import LoopbackDiscord, Message
from tests.preload import build_preload
from tests.scenarios.processes import EchoDaemon, open_echo_daemon
from tests.scenarios.verdicts import report, require_all
from tests.store.said import hold_turn

SEED = 20261122
HOUR = 3600
JUMPS = (HOUR, -HOUR, 24 * HOUR, -24 * HOUR, 0)
SLOW = {"num_words": (20, 40), "seconds_per_word": 0.01}


class WallClock:
    """The time of day as the daemons of this file believe it to be; other processes go by the machine's."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock-offset"
        self.jump(0)
        library = build_preload(Path(__file__).with_name("shift_clock.c"), folder)
        self.environ = {"LD_PRELOAD": str(library), "CLOCK_OFFSET_FILE": str(self._file)}

    def jump(self, seconds: int) -> None:
        """Be so far ahead of the machine's clock from now on, at once in the running process too."""
        with self._file.open("r+b" if self._file.exists() else "wb") as stream:
            stream.write(struct.pack("q", seconds))


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> WallClock:
    """One for all, so that all daemons can be forked from one process that has it."""
    return WallClock(tmp_path_factory.mktemp("clock"))


@pytest.fixture
def clock(shifted: WallClock) -> WallClock:
    shifted.jump(0)
    return shifted


class Size(NamedTuple):
    num_rounds: int
    num_questions: int


@pytest.mark.parametrize("size", [Size(1, 2), pytest.param(Size(8, 6), marks=pytest.mark.soak)], ids=str)
async def test_a_clock_that_jumps_under_the_daemon_neither_expires_nor_reorders_nor_doubles(
    server: LoopbackDiscord, tmp_path: Path, clock: WallClock, size: Size
) -> None:
    chance, began_at = random.Random(SEED), time.monotonic()
    asked: list[Message] = []
    async with open_echo_daemon(server, tmp_path, environ=clock.environ, **SLOW) as daemon:
        for seconds in JUMPS * size.num_rounds:
            for _ in range(size.num_questions):
                asked.append(await ask(server, chance, len(asked)))
            await server.wait_until(lambda: server.answer_to(asked[-1]))
            clock.jump(seconds)
            for _ in range(size.num_questions):
                asked.append(await ask(server, chance, len(asked)))
        await daemon.settled(len(asked), 60)
        states = daemon.states()
        assert await daemon.stop() == 0

    lines = daemon.log.splitlines()
    verdict = require_all(server, daemon.database, turns=len(asked), replies=len(asked))
    days = {line[:10] for line in lines if line[4:5] == "-"}
    report(
        "clock jumps", seed=SEED, jumps=len(JUMPS) * size.num_rounds, turns=verdict.num_turns,
        replies=verdict.num_replies, expired=0, reordered=0, doubled=0, seconds=round(time.monotonic() - began_at),
    )  # fmt: skip
    assert states == {"answered": len(asked)}
    assert len(days) >= 3, "the daemon didn't notice that its clock was moved"


@pytest.mark.parametrize(
    "seconds",
    [pytest.param(HOUR, id="an hour ahead"), pytest.param(-HOUR, id="an hour behind", marks=pytest.mark.soak)],
)
async def test_by_a_wrong_clock_what_was_missed_is_still_answered(
    server: LoopbackDiscord, tmp_path: Path, clock: WallClock, seconds: int
) -> None:
    chance = random.Random(SEED)
    async with open_echo_daemon(server, tmp_path, environ=clock.environ, **SLOW) as daemon:
        await ask(server, chance, 0)
        await daemon.settled(1, 30)
        clock.jump(seconds)
        await lose_session(server, lambda: ask(server, chance, 1))
        await daemon.settled(2, 30)
        begun = await ask(server, chance, 2)
        await server.wait_until(lambda: server.answer_to(begun))
        await daemon.kill()
        await ask(server, chance, 3)
        await restart(daemon)
        await daemon.settled(4, 30)
        states = daemon.states()
        assert await daemon.stop() == 0

    assert states == {"answered": 4}
    require_all(server, daemon.database, turns=4, replies=4)


async def test_a_clock_a_year_ahead_at_a_start_costs_no_history(
    server: LoopbackDiscord, tmp_path: Path, clock: WallClock
) -> None:
    alice, general = server.person("Alice"), server.channel("general")
    settings = {"TRINITY_RETENTION_DAYS": "30", **clock.environ}
    statement = await alice.says(general, "My favourite colour is teal.", mention=True)
    key = ConversationKey("discord", general.id, general.guild.id)
    fields = {"author_id": alice.user.id, "author_name": "Alice", "created_at": datetime.now(UTC)}
    async with open_database(f"sqlite:///{tmp_path / 'trinity.db'}") as database:
        question = Question(key, statement.id, content="My favourite colour is teal.", **fields)
        await hold_turn(database, question, "Got it, Alice: your favourite colour is teal.")

    clock.jump(400 * 24 * HOUR)
    async with open_daemon(server, tmp_path, settings) as daemon:
        answer = await daemon.answer(await alice.says(general, "What is my favourite colour?", mention=True))
        assert await daemon.stop() == 0

    last_line = daemon.log.splitlines()[-1]
    assert int(last_line[:4]) > datetime.now(UTC).year, "the daemon didn't notice that its clock is wrong"
    assert "teal" in answer


async def lose_session(server: LoopbackDiscord, say) -> None:
    """Cut the bot off, say something, and let it in again without news of it."""
    server.gateway.is_refusing = True
    server.gateway.abort()
    await server.wait_until(lambda: not server.gateway.connected())
    await say()
    server.gateway.forget_sessions()
    server.gateway.is_refusing = False
    await server.wait_for_login()


async def restart(daemon: EchoDaemon) -> None:
    await daemon.start()
    await daemon.ready()


async def ask(server: LoopbackDiscord, chance: random.Random, number: int) -> Message:
    channel = server.channel(f"channel-{chance.randrange(3)}")
    return await server.person(f"Person {number}").says(channel, f"question {number}", mention=True)
