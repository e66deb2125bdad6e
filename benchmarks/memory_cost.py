"""`python -m benchmarks.memory --cost`: what it costs to keep and to look up turns, up to a million in the table.

The table is filled with conversations of 500 turns each. At every size turns are stored the bot's own way, and a
question is looked up in one of those conversations: right after a start, when what its turns are found by is still to
be made (cold), and again (warm). Then the same in one conversation that grows alone. Processor time of this process,
and what its resident memory grew by.
"""

import asyncio
import random
import resource
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from statistics import median
from typing import Any

from bot.app import DEMO_MODEL
from bot.chat.recollection import Recollection
from bot.conversation.chat_format import TurnEncoder
from bot.conversation.messages import ConversationKey, Question
from bot.conversation.speakers import Speakers
from bot.conversation.tokenizer import load_tokenizer
from bot.store.files.database import open_database
from bot.store.rows.history import History
from bot.store.rows.turns import Answer

TURNS_EACH = 500
KEPT_TURNS = 30
"""Turns of each conversation that are still in its window."""
_NUM_WORDS, _WORDS_EACH = 20_000, 18
_BEGAN_AT = datetime(2026, 1, 1, tzinfo=UTC)
_INSERTED, _WARM, _COLD = 60, 20, 6
_ALONE = 10_000_000


class _Writer:
    """Fills the table as the bot would, many turns at once."""

    def __init__(self, file: Path) -> None:
        self._rng = random.Random(1)
        letters = "bcdfghklmnprstvz"
        self._words = [
            "".join(self._rng.choices(letters + "aeiou", k=self._rng.randint(3, 9))) for _ in range(_NUM_WORDS)
        ]
        self._shares = [1 / (rank + 10) for rank in range(_NUM_WORDS)]
        self._file = file
        self.num_turns = 0

    def text(self) -> str:
        return " ".join(self._rng.choices(self._words, self._shares, k=_WORDS_EACH))

    def fill(self, channel_id: int, num_turns: int) -> None:
        """Give a channel's conversation so many more turns, of which the last are in its window."""
        connection = sqlite3.connect(self._file)
        row = connection.execute("SELECT id FROM conversations WHERE channel_id = ?", (channel_id,)).fetchone()
        if row is None:
            values = ("bench", channel_id, 1)
            sql = "INSERT INTO conversations (platform, channel_id, guild_id) VALUES (?, ?, ?) RETURNING id"
            row = connection.execute(sql, values).fetchone()
        texts = [self.text() for _ in range(min(num_turns, 2000))]
        last = connection.execute("SELECT max(id) FROM messages").fetchone()[0] or 0
        first, told = last + 1, self.num_turns
        self.num_turns += num_turns
        connection.executemany(
            "INSERT INTO messages (id, conversation_id, role, turn_id, content, created_at, author_id, author_name, "
            f"is_direct, message_id, sampling, model_hash, finish_reason) VALUES ({', '.join('?' * 13)})",
            self._rows(row[0], first, told, num_turns, texts),
        )
        kept = last + 2 * (num_turns - KEPT_TURNS)
        connection.execute("UPDATE conversations SET first_kept_turn_id = ? WHERE id = ?", (kept, row[0]))
        connection.commit()
        connection.close()

    def _rows(
        self, conversation_id: int, first: int, told: int, num_turns: int, texts: Sequence[str]
    ) -> Iterator[tuple[Any, ...]]:
        for number in range(num_turns):
            at = (_BEGAN_AT + timedelta(seconds=told + number)).strftime("%Y-%m-%d %H:%M:%S.%f")
            turn_id, text = first + 2 * number, texts[number % len(texts)]
            author = (number % 5, f"Person {number % 5}", 0, turn_id)
            yield (turn_id, conversation_id, "user", None, text, at, *author, None, None, None)
            answer = texts[(7 * number + 3) % len(texts)]
            made = ("{}", "drawn", "stop")
            yield (turn_id + 1, conversation_id, "assistant", turn_id, answer, at, *[None] * 4, *made)


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


class _Measured:
    def __init__(self, history: History, encoder: TurnEncoder, writer: _Writer) -> None:
        self._history, self._encoder, self._writer = history, encoder, writer
        self._last_message = 10**15

    def _question(self, channel_id: int) -> Question:
        self._last_message += 1
        key = ConversationKey("bench", channel_id, guild_id=1)
        return Question(key, self._last_message, 1, "Person 1", self._writer.text(), _BEGAN_AT)

    async def insert(self, channel_id: int) -> float:
        """Milliseconds for a turn to be stored, in the median."""
        times = []
        for _ in range(_INSERTED):
            question = self._question(channel_id)
            answer = Answer(self._writer.text(), {}, None, "drawn", "stop")
            began = time.process_time()
            await self._history.save_turn(question, answer, epoch=0)
            times.append(time.process_time() - began)
        return 1000 * median(times)

    async def look_up(self, recollection: Recollection, channel_id: int) -> float:
        """Milliseconds for a question's notes."""
        question = self._question(channel_id)
        conversation = await self._history.load(question.conversation)
        began = time.process_time()
        await recollection.section(conversation, question, Speakers(conversation.speakers), 3000)
        return 1000 * (time.process_time() - began)

    async def row(self, num_turns: int, channels: Sequence[int]) -> dict[str, Any]:
        """What it costs at some size of the table; looked up in these channels' conversations."""
        cold, warm = [], []
        before, recollection = _resident_mib(), Recollection(self._history.transcripts, self._encoder)
        for channel_id in channels[:_COLD]:
            cold.append(await self.look_up(recollection, channel_id))
        grown = _resident_mib() - before
        for _ in range(_WARM):
            warm.append(await self.look_up(recollection, channels[0]))
        row = {"turns": num_turns, "insert_ms": await self.insert(channels[-1])}
        row |= {"cold_ms": median(cold), "warm_ms": median(warm), "mib": grown}
        return {name: round(value, 2) for name, value in row.items()}

    async def memory(self, channels: Sequence[int]) -> dict[str, Any]:
        """What is kept in memory after questions in more conversations than are kept."""
        before, recollection = _resident_mib(), Recollection(self._history.transcripts, self._encoder)
        began = time.process_time()
        for channel_id in channels:
            await self.look_up(recollection, channel_id)
        seconds = time.process_time() - began
        return {
            "asked_in": len(channels), "turns_looked_through": len(channels) * (TURNS_EACH - KEPT_TURNS),
            "kept_turns": recollection.num_kept_turns, "mib": round(_resident_mib() - before, 1),
            "seconds": round(seconds, 2),
        }  # fmt: skip


async def run(sizes: Sequence[int]) -> dict[str, Any]:
    """The rows of the table: of many conversations, and of one that grows alone."""
    result: dict[str, Any] = {"many": [], "alone": []}
    encoder = TurnEncoder(load_tokenizer(DEMO_MODEL))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "memory.db"
        async with open_database(f"sqlite:///{file}") as database:
            history, writer = History(database), _Writer(file)
            measured = _Measured(history, encoder, writer)
            for size in sizes:
                while writer.num_turns < size:
                    writer.fill(1 + writer.num_turns // TURNS_EACH, min(TURNS_EACH, size - writer.num_turns))
                last = writer.num_turns // TURNS_EACH
                channels = [*range(1, last + 1)][: _COLD + 1]
                result["many"].append(await measured.row(size, channels))
                print("many", result["many"][-1], flush=True)
            num_channels = min(last, 100)
            result["memory"] = await measured.memory(range(1, num_channels + 1))
            print("memory", result["memory"], flush=True)
            told = 0
            for size in [size for size in sizes if size <= 100_000]:
                writer.fill(_ALONE, size - told)
                told = size
                result["alone"].append(await measured.row(size, [_ALONE]))
                print("alone", result["alone"][-1], flush=True)
    return result


_COLOURS = ("#1b5e9e", "#a3480f", "#2f7d4f")
_SERIES = (("insert_ms", "store a turn"), ("cold_ms", "look up, after a start"), ("warm_ms", "look up, again"))


def picture(result: dict[str, Any]) -> str:
    """Milliseconds over the turns in the table, both in powers of ten: lines for many conversations, dashes for one."""
    width, height, left, top, bottom, right = 760, 430, 70, 50, 60, 190
    lowest, highest, most = -1, 3, 6

    def at(turns: float, milliseconds: float) -> tuple[float, float]:
        from math import log10

        x = left + (log10(turns) - 3) / (most - 3) * (width - left - right)
        y = height - bottom - (log10(max(milliseconds, 0.1)) - lowest) / (highest - lowest) * (height - top - bottom)
        return round(x, 1), round(y, 1)

    def text(x: float, y: float, words: str, anchor: str = "middle", fill: str = "#222222") -> str:
        return f'<text x="{x}" y="{y}" font-size="12" text-anchor="{anchor}" fill="{fill}">{escape(words)}</text>'

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="Helvetica, sans-serif">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        text(left, 24, "What a turn costs to store and a question to look up (processor time)", "start"),
    ]
    for power in range(lowest, highest + 1):
        x, y = at(1000, 10.0**power)
        parts.append(f'<path d="M{left} {y}H{width - right}" stroke="#dddddd"/>')
        parts.append(text(left - 8, y + 4, f"{10.0**power:g} ms", "end"))
    for power in range(3, most + 1):
        x, y = at(10.0**power, 0.1)
        parts.append(f'<path d="M{x} {top}V{y}" stroke="#dddddd"/>')
        parts.append(text(x, y + 20, f"{10**power:,}"))
    parts.append(text((left + width - right) / 2, height - 14, "turns in the table"))
    labels: list[tuple[float, float, str, str]] = []
    for place, dashes in (("many", ""), ("alone", ' stroke-dasharray="5 4"')):
        for colour, (name, label) in zip(_COLOURS, _SERIES, strict=True):
            points = [at(row["turns"], row[name]) for row in result[place]]
            line = " ".join(f"{x},{y}" for x, y in points)
            parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
            if place == "many":
                labels.append((points[-1][1] + 4, points[-1][0] + 8, label, colour))
    lowest_yet = 0.0
    for y, x, label, colour in sorted(labels):
        lowest_yet = max(y, lowest_yet + 15)  # lines that end together have labels below each other
        parts.append(text(x, lowest_yet, label, "start", colour))
    parts.append(text(width - right + 8, top + 10, "dashes: one conversation,", "start"))
    parts.append(text(width - right + 8, top + 26, "which grows alone", "start"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def main(sizes: Sequence[int], picture_file: Path | None) -> dict[str, Any]:
    result = asyncio.run(run(sizes))
    if picture_file is not None:
        picture_file.write_text(picture(result), "utf-8")
    return result
