"""What joining the parts refuses; that they work together is shown in tests/end_to_end."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.app import open_chat
from bot.chat.answer import FELL_SILENT
from bot.chat.events import Notice
from bot.chat.time_limits import ALONE, TimeLimits
from bot.conversation.messages import ConversationKey, Question
from bot.conversation.persona import Persona
from bot.errors import ConfigError, RequestFailed
from bot.settings.settings import Settings
from tests import checkpoints


@pytest.mark.parametrize(
    ("choice", "setting"),
    [
        ({"context_window": 5000}, "TRINITY_CONTEXT_WINDOW"),
        ({"context_window": 1024, "max_new_tokens": 512, "device": "cuda:99"}, "TRINITY_DEVICE"),
        ({"model": "/nowhere/at/all"}, "TRINITY_MODEL"),
        ({"max_new_tokens": 4000}, "TRINITY_MAX_NEW_TOKENS"),
        ({"default_persona": Persona("long", "a b c " * 500, is_operators=True)}, "TRINITY_DEFAULT_PERSONA"),
    ],
)
async def test_what_the_model_cannot_do_is_refused_at_start(tmp_path: Path, choice: dict, setting: str) -> None:
    settings = Settings(data_dir=tmp_path, **choice)

    with pytest.raises(ConfigError) as refused:
        async with open_chat(settings, platform="test"):
            pass

    assert refused.value.setting == setting
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("time_limits", "is_cut"), [(ALONE, False), (TimeLimits(silence_seconds=0), True)])
async def test_an_answer_may_pause_as_long_as_the_front_end_allows(
    tmp_path: Path, time_limits: TimeLimits, *, is_cut: bool
) -> None:
    model = checkpoints.random_model(checkpoints.tiny_config(max_position_embeddings=1024))
    folder = checkpoints.save_checkpoint(tmp_path / "tiny", model)
    settings = Settings(data_dir=tmp_path, model=str(folder), device="cpu", max_new_tokens=64)
    question = Question(ConversationKey("test", 1), 1, 1, "Ada", "Tell me.", datetime.now(UTC), is_direct=True)

    async with open_chat(settings, platform="test", time_limits=time_limits) as chat:
        try:
            async with chat.open(question) as exchange:
                was_cut = Notice(FELL_SILENT) in [event async for event in exchange.events()]
        except RequestFailed:  # cut before there was anything to show
            was_cut = True

    assert was_cut == is_cut
