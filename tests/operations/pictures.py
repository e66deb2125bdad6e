"""`python -m tests.operations.pictures` draws the operator's page for the README, in light, and in dark on a phone.

The hour that it shows is made up (`sample`); three answers are being written on a loopback Discord meanwhile.
"""

import asyncio
import tempfile
from pathlib import Path

from bot.conversation.chat_format import TurnEncoder
from tests.conversation.vocabularies import load_any_vocabulary
from tests.engines import EchoEngine
from tests.operations.browser import open_page
from tests.operations.operated import open_operated, until
from tests.operations.sample import show_sample

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"


async def draw() -> None:
    """Look at it twice."""
    engine = EchoEngine(is_held=True, words_before_gate=30, answer=lambda _: "word " * 60, seconds_per_word=0.02)
    with tempfile.TemporaryDirectory() as folder:
        encoder = TurnEncoder(load_any_vocabulary("small", Path(folder)))
        async with open_operated(Path(folder), encoder, engine) as operated:
            server = operated.house.server
            asked = [
                await server.person(name).says(server.channel(channel), "Tell me a story.", mention=True)
                for name, channel in (("Alice", "general"), ("Bob", "stories"), ("Carol", "random"))
            ]
            await until(lambda: engine.num_running == len(asked))
            await asyncio.sleep(1)
            show_sample(operated.watch)
            async with open_page(operated.url) as page:
                await page.until("document.querySelectorAll('#answers tr').length === 3")
                await page.look(1000, 1120)
                await asyncio.sleep(1)
                await save(await page.picture("webp"), "operator.webp")
                await page.look(390, 844, dark=True, is_phone=True)
                await asyncio.sleep(1)
                await save(await page.picture("webp"), "operator-phone.webp")
            engine.gate.set()
            for question in asked:
                await operated.house.reaches(question, "answered")


async def save(picture: bytes, name: str) -> None:
    await asyncio.to_thread((PICTURES / name).write_bytes, picture)


if __name__ == "__main__":
    asyncio.run(draw())
