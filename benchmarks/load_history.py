"""Gives a channel of the loopback a past in the daemon's database, many turns at once."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.loopback.entities import Channel

_BEGAN_AT = datetime(2025, 1, 1, tzinfo=UTC)
_FIRST_MESSAGE_ID = 10**17
_COLUMNS = (
    "id, conversation_id, role, turn_id, content, created_at, author_id, author_name, is_direct, message_id, sampling, "
    "model_hash, finish_reason, generation"
)
_WORDS = ("a", "channel", "is", "talked", "in", "for", "years", "and", "nobody", "knows", "how", "it", "all", "began")


def fill_channel(file: Path, channel: Channel, num_messages: int) -> None:
    """As if so many messages had been said to the bot and by it; the window begins where it would."""
    assert channel.guild is not None
    with closing(sqlite3.connect(file, timeout=60)) as database, database:
        conversation = database.execute(
            "INSERT INTO conversations (platform, channel_id, guild_id, last_message_id) VALUES ('discord', ?, ?, 1) "
            "RETURNING id",
            (channel.id, channel.guild.id),
        ).fetchone()[0]
        first = 1 + (database.execute("SELECT max(id) FROM messages").fetchone()[0] or 0)
        rows = _rows(conversation, channel.id, first, num_messages // 2)
        places = ", ".join("?" * len(_COLUMNS.split(",")))
        database.executemany(f"INSERT INTO messages ({_COLUMNS}) VALUES ({places})", rows)


def _rows(conversation: int, channel_id: int, first: int, num_turns: int) -> Iterator[tuple[Any, ...]]:
    for number in range(num_turns):
        at = (_BEGAN_AT + timedelta(seconds=number)).strftime("%Y-%m-%d %H:%M:%S.%f")
        turn_id, said = first + 2 * number, " ".join(_WORDS[number % 7 : 7 + number % 9])
        message_id = _FIRST_MESSAGE_ID + channel_id % 10**9 * 10**6 + number
        asked = (number % 5 + 1, f"Person {number % 5}", 0, message_id, None, None, None, None)
        yield (turn_id, conversation, "user", None, f"Number {number}: {said}?", at, *asked)
        made = (None, None, None, None, "{}", "drawn", "stop", 0)
        yield (turn_id + 1, conversation, "assistant", turn_id, f"{said}, {number} times.", at, *made)
