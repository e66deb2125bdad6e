"""`trinity bench`: the rows add up, and the picture shows them."""

import time
import xml.etree.ElementTree as ET
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.conversation.chat_format import TurnEncoder
from bot.inference.engine import Counters, Delta, FinishReason, Request
from bot.operations.bench import Bench, Row, draw
from tests.conversation.vocabularies import load_any_vocabulary


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


def test_the_picture_holds_every_row() -> None:
    rows = [Row("fast & good", 100.0, "tokens/s", "<each>"), Row("half of it", 50.0, "tokens/s"), Row("many", 1234, "")]

    picture = ET.fromstring(draw("a card", rows))

    texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    bars = [float(element.get("width")) for element in picture.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert {"a card", "fast & good", "<each>", "100 tokens/s", "50 tokens/s", "1,234"} <= set(texts)
    assert bars[0] == 2 * bars[1]
