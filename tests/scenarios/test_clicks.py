"""kill -9 while somebody waits, or has clicked: one answer stands where it was promised, and in the history."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.words import phrase
from tests.discord.house import labels
from tests.loopback import LoopbackDiscord, Message
from tests.scenarios.processes import EchoDaemon, open_echo_daemon
from tests.scenarios.test_kills import Kill, ask
from tests.scenarios.verdicts import require_all

SLOW = {"num_words": (300,), "seconds_per_word": 0.1}
"""Half a minute for an answer, of which no test waits for the end."""


def remembered(daemon: EchoDaemon) -> list[str]:
    with closing(sqlite3.connect(daemon.database)) as connection:
        return [text for (text,) in connection.execute("SELECT content FROM messages WHERE role = 'assistant'")]


def without_note(text: str) -> str:
    """What was said, without the small line that says that somebody stopped it."""
    return text.replace(f"\n-# {phrase('stopped_as_asked')}", "").strip()


async def grows(server: LoopbackDiscord, message: Message) -> None:
    """Waits until a message says some words more."""
    num_words = len(message.content.split())
    await server.wait_until(lambda: len(message.content.split()) > num_words + 3)


async def killed_and_started(daemon: EchoDaemon) -> None:
    await daemon.kill()
    await daemon.start()
    await daemon.ready()


async def test_who_was_told_to_wait_is_answered_in_that_message_by_the_next_process(
    server: LoopbackDiscord, tmp_path: Path
) -> None:
    async with open_echo_daemon(server, tmp_path, **SLOW, clock_speed=20.0) as daemon:
        first = await ask(server, "hello")
        second = await server.person("Bob").says(first.channel, "and I?", mention=True)
        waiting_line = await first.channel.answer_to(second, until=lambda text: "before yours" in text)
        await daemon.kill()
        await daemon.start(seconds_per_word=0.001)
        await daemon.ready()
        await daemon.settled(2, 60)
        assert await daemon.stop() == 0

    answer = server.answer_to(second)
    assert [part.id for part in answer.parts] == [part.id for part in waiting_line.parts]
    assert "before yours" not in answer.text
    assert remembered(daemon)[1] == answer.text
    require_all(server, daemon.database, turns=2, replies=2)


async def test_stop_works_after_a_kill_and_what_it_left_is_gone_on_with_over_another(
    server: LoopbackDiscord, tmp_path: Path
) -> None:
    alice = server.person("Alice")
    async with open_echo_daemon(server, tmp_path, **SLOW) as daemon:
        question = await ask(server, "hello")
        (message,) = (await question.channel.answer_to(question, until=lambda text: " w1" in text)).parts
        await killed_and_started(daemon)
        await grows(server, message)
        await alice.clicks(message, "Stop")
        await daemon.settled(1, 60)
        stopped = without_note(message.content)
        kept, below = remembered(daemon), labels(message)

        await alice.clicks(message, "Continue")
        await server.wait_until(lambda: len(without_note(message.content)) > len(stopped) + 5)
        await daemon.kill()
        await daemon.start(seconds_per_word=0.001)
        await daemon.ready()
        await daemon.settled(1, 60)
        assert await daemon.stop() == 0

    assert not stopped.endswith(" w299")
    assert (kept, below) == ([stopped], ["Again", "Continue"])
    answer = server.answer_to(question)
    assert [part.id for part in answer.parts] == [message.id]
    assert answer.text.startswith(stopped)
    assert remembered(daemon) == [answer.text]
    require_all(server, daemon.database, turns=1, replies=1)


def moments() -> list[object]:
    """Before and after requests that show another answer; one of them in the short run."""
    every = [(nth, after) for nth in (1, 2, 4) for after in (False, True)]
    return [each if each == (2, True) else pytest.param(each, marks=pytest.mark.soak) for each in every]


@pytest.mark.parametrize("moment", moments(), ids=str)
async def test_a_kill_while_an_answer_is_written_again_leaves_one(
    server: LoopbackDiscord, tmp_path: Path, moment: tuple[int, bool]
) -> None:
    nth, after_effect = moment
    async with open_echo_daemon(server, tmp_path, num_words=(30, 31, 32), seconds_per_word=0.02) as daemon:
        question = await ask(server, "hello")
        await daemon.settled(1, 30)
        (message,) = server.answer_to(question).parts
        server.faults.add(
            Kill(daemon, after_effect=after_effect), method="PATCH", route="/channels/*/messages/*", nth=nth
        )
        await server.person("Alice").clicks(message, "Again")
        await daemon.ended()
        await daemon.start()
        await daemon.ready()
        await daemon.settled(1, 60)
        assert await daemon.stop() == 0

    assert [part.id for part in server.answer_to(question).parts] == [message.id]
    assert remembered(daemon) == [message.content]
    assert labels(message) == ["Again"]
    require_all(server, daemon.database, turns=1, replies=1)
