"""`python -m tests.showcase`: plays the conversations, and draws docs/pictures.

The answers are those on record; with `--ask-model`, or where there are none, they are the demonstration model's anew.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.showcase.conversations import Played, play
from tests.showcase.model import NotOnRecordError, RecordedModel, load_record, open_demo_model, save_record
from tests.showcase.picture import draw

PICTURES = Path(__file__).parent.parent.parent / "docs" / "pictures"


async def _play_from_record() -> list[Played]:
    with tempfile.TemporaryDirectory() as folder:
        return await play(RecordedModel(record=load_record()), Path(folder))


async def _play_with_model() -> list[Played]:
    with tempfile.TemporaryDirectory() as folder:
        async with open_demo_model() as demo:
            model = RecordedModel(model=demo)
            played = await play(model, Path(folder))
    save_record(model.said)
    return played


def main() -> None:
    """Draw each, and keep what the model said."""
    try:
        played = asyncio.run(_play_with_model() if "--ask-model" in sys.argv else _play_from_record())
    except NotOnRecordError:
        print("the model is asked what it wasn't asked before")
        played = asyncio.run(_play_with_model())
    PICTURES.mkdir(exist_ok=True)
    for one in played:
        (PICTURES / f"{one.conversation.name}.svg").write_text(draw(one), encoding="utf-8")


if __name__ == "__main__":
    main()
