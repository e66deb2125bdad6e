"""A process that stores turns and notes each step in a file once it is committed; `test_power.py` cuts its power.

`python -m tests.store.diarist FOLDER TURNS`.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from bot.store.files.database import open_database
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.questions import InboxState
from tests.store.said import ELSEWHERE, answer, ask

STEPS_PER_TURN = 4
RESETS_AFTER = 12
"""Turns between two resets elsewhere, after which SQLite's log is emptied."""
_LONG_AGO = 1000


async def keep_diary(folder: Path, num_turns: int) -> None:
    diary = os.open(folder / "diary", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    async with open_database(f"sqlite:///{folder / 'trinity.db'}") as database:
        inbox, history = Inbox(database), History(database)
        for number in range(num_turns):
            question = ask(number, f"question {number} " + "x" * (number * 37 % 1500))
            for step in (
                lambda question=question: inbox.receive(question),
                lambda question=question: inbox.begin_attempt(question, seed=7),
                lambda question=question: history.save_turn(question, answer("y" * 300), epoch=0),
                lambda question=question: inbox.set_state(question, InboxState.ANSWERED),
            ):
                began_at = time.monotonic()
                await step()
                os.write(diary, f"{number} {time.monotonic() - began_at:.6f}\n".encode())
            if number % RESETS_AFTER == RESETS_AFTER - 1:
                await inbox.receive(ask(_LONG_AGO + number, "elsewhere", key=ELSEWHERE))
                await history.reset(ELSEWHERE)
                await history.purge_hidden()


if __name__ == "__main__":
    asyncio.run(keep_diary(Path(sys.argv[1]), int(sys.argv[2])))
