"""`trinity bench`: the rows add up, and the picture shows them."""

import struct
import time
import zlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.conversation.chat_format import TurnEncoder
from bot.inference.engine import Counters, Delta, FinishReason, Request
from bot.operations.bench import Bench, Row
from bot.operations.bench_picture import draw
from tests.conversation.vocabularies import load_any_vocabulary

BLUE = 3


@dataclass
class SteadyEngine:
    """Says ten words; by its own account at ten tokens a second, after a fifth of a second."""

    max_sequence_tokens: int = 2048
    model_hash: str = "steady"
    requests: list[Request] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    num_running: int = 0
    most_running: int = 0

    async def generate(self, request: Request) -> AsyncGenerator[Delta, None]:
        self.requests.append(request)
        self.num_running += 1
        self.most_running = max(self.most_running, self.num_running)
        try:
            for number in range(10):
                yield Delta("" if number == 0 else " word", (number + 3,))
            yield Delta("", (), FinishReason.STOP, Counters(first_token_seconds=0.2, total_seconds=1.1))
        finally:
            self.num_running -= 1

    async def forget(self, cache_owner: str) -> None:
        self.forgotten.append(cache_owner)


async def test_the_rows_are_what_people_notice(tmp_path: Path) -> None:
    engine, told = SteadyEngine(), []
    encoder = TurnEncoder(load_any_vocabulary("small", tmp_path))

    began_at = time.monotonic()
    rows = await Bench(engine, encoder, 20_480, told.append).measure(scale=0.001)
    took = time.monotonic() - began_at

    by_name = {row.name: row for row in rows}
    assert by_name["speed of an answer, alone"].value == pytest.approx(10.0)
    assert by_name["speed of an answer, 8 at once"].value == pytest.approx(10.0)
    assert 0 <= by_name["first words of its next turn"].value <= took
    assert by_name["conversations of 1,000 tokens in memory"].value == 20
    assert by_name["conversations that fill the window"].value == 10
    assert len(told) == 4
    prompts = [request.prompt_token_ids for request in engine.requests]
    assert len(set(prompts)) == len(prompts)
    assert all(400 < len(prompt) < 700 for prompt in prompts)
    assert len(engine.forgotten) == 1
    assert prompts[2][: len(prompts[1])] == prompts[1]


def test_the_picture_is_a_png_with_bars_of_one_scale_for_one_unit() -> None:
    rows = [
        Row("fast", 100.0, "tokens/s", "§ is no letter of ours"),
        Row("half", 50.0, "tokens/s"),
        Row("many", 1234, ""),
    ]

    dots = read_png(draw("a card " * 100, rows))

    bars = [lengths for row in dots if (lengths := row.count(BLUE))]
    assert len({len(row) for row in dots}) == 1
    assert sorted(set(bars)) == [75, 150]
    assert bars.count(150) == 2 * bars.count(75)


def read_png(picture: bytes) -> list[bytes]:
    """Each row's dots, as numbers in the palette."""
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(picture):
        (length,) = struct.unpack_from(">I", picture, at)
        kind, held = picture[at + 4 : at + 8], picture[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", picture, at + 8 + length)
        assert checksum == zlib.crc32(kind + held)
        chunks[kind], at = held, at + 12 + length
    width, height = struct.unpack_from(">II", chunks[b"IHDR"])
    dots = zlib.decompress(chunks[b"IDAT"])
    assert len(dots) == height * (width + 1)
    return [dots[start + 1 : start + 1 + width] for start in range(0, len(dots), width + 1)]
