"""`python -m tests.showcase`: plays the conversations with the demonstration model, and draws docs/pictures."""

import asyncio
import tempfile
from pathlib import Path

from tests.showcase.conversations import Played, play
from tests.showcase.model import RecordedModel, open_demo_model, save_record
from tests.showcase.picture import draw

PICTURES = Path(__file__).parent.parent.parent / "docs" / "pictures"


async def _play_with_model() -> list[Played]:
    with tempfile.TemporaryDirectory() as folder:
        async with open_demo_model() as demo:
            model = RecordedModel(model=demo)
            played = await play(model, Path(folder))
    save_record(model.said)
    return played


def main() -> None:
    """Draw each, and keep what the model said."""
    PICTURES.mkdir(exist_ok=True)
    for old in PICTURES.glob("*.svg"):
        old.unlink()
    for played in asyncio.run(_play_with_model()):
        (PICTURES / f"{played.conversation.name}.svg").write_text(draw(played), encoding="utf-8")


if __name__ == "__main__":
    main()
