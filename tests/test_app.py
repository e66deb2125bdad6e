"""What joining the parts refuses; that they work together is shown in tests/end_to_end."""

from pathlib import Path

import pytest

from bot.app import open_chat
from bot.errors import ConfigError
from bot.settings import Settings


@pytest.mark.parametrize(
    ("choice", "setting"),
    [
        ({"context_window": 5000}, "TRINITY_CONTEXT_WINDOW"),
        ({"context_window": 1024, "max_new_tokens": 512, "device": "cuda:99"}, "TRINITY_DEVICE"),
        ({"model": "/nowhere/at/all"}, "TRINITY_MODEL"),
        ({"max_new_tokens": 4000}, "TRINITY_MAX_NEW_TOKENS"),
    ],
)
async def test_what_the_model_cannot_do_is_refused_at_start(tmp_path: Path, choice: dict, setting: str) -> None:
    settings = Settings(data_dir=tmp_path, **choice)

    with pytest.raises(ConfigError) as refused:
        async with open_chat(settings, platform="test"):
            pass

    assert refused.value.setting == setting
    assert "\n" not in str(refused.value)
