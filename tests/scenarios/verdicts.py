"""What has to be true after every scenario, and the line that it prints."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.loopback import Expectation, LoopbackDiscord, Verdict, judge, judge_database

RESTARTS = frozenset({"identify_too_soon"})
"""Scenarios restart faster than Discord allows to log in; the daemon can't know of its last life."""


def require_all(
    server: LoopbackDiscord, database: Path, *, turns: int, replies: int | None = None, **expected: object
) -> Verdict:
    """The oracle over channels and database: each question answered once, as stored; fails the test if not."""
    verdict = judge(server, Expectation(**{"allowed_violations": RESTARTS} | expected))  # type: ignore[arg-type]
    verdict.problems += differences(server, database)
    verdict.require(turns=turns, replies=replies)
    judge_database(database).require(received=0, waiting=0, answering=0)
    return verdict


def differences(server: LoopbackDiscord, database: Path) -> list[str]:
    """Where a channel shows something else than the history holds."""
    query = """
        SELECT inbox.message_id, answered.content FROM inbox
        JOIN messages AS answered ON answered.turn_id = inbox.turn_id AND answered.role = 'assistant'
        WHERE inbox.platform = 'discord' AND inbox.state = 'answered'
    """
    with closing(sqlite3.connect(database)) as connection:
        stored = connection.execute(query).fetchall()
    wrong = []
    for message_id, content in stored:
        answer = server.answer_to(server.world.messages[message_id])
        lines = answer.text.splitlines() if answer else []
        shown = "".join(line for line in lines if not line.startswith("-# "))  # a note is no part of the answer
        if "".join(shown.split()) != "".join(content.split()):
            wrong.append(f"{message_id} shows {shown[:80]!r}, stored is {content[:80]!r}")
    return wrong


def report(scenario: str, **figures: object) -> None:
    """Print a scenario's figures in one line."""
    print(f"\n{scenario}: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures.items()))
