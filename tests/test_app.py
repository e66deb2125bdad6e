"""What joining the parts refuses; that they work together is shown in tests/end_to_end."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.app import hidden_for_good, open_chat, open_parts
from bot.chat.answer import FELL_SILENT
from bot.chat.events import Notice
from bot.chat.time_limits import ALONE, TimeLimits
from bot.conversation.messages import ConversationKey, Question
from bot.conversation.persona import Persona
from bot.errors import ConfigError, RequestFailed
from bot.observer import AnswerRecord, Observer
from bot.settings.settings import Settings
from tests import checkpoints
from tests.conversation.vocabularies import small_byte_level_vocabulary


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


def test_what_another_process_reset_can_come_back_for_a_minute(tmp_path: Path) -> None:
    now, server = datetime.now(UTC), "postgresql://trinity@localhost/trinity"
    alone = Settings(data_dir=tmp_path, database_url=server)
    shared = Settings(data_dir=tmp_path, database_url=server, shard_count="4")

    assert hidden_for_good(alone, now) is None
    assert hidden_for_good(Settings(data_dir=tmp_path, shard_count="4"), now) is None
    assert hidden_for_good(shared, now) == now - timedelta(minutes=1)


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


CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


class Answers(Observer):
    """Keeps what is told of answers."""

    def __init__(self) -> None:
        self.records: list[AnswerRecord] = []

    def on_answer(self, record: AnswerRecord) -> None:
        self.records.append(record)


@pytest.mark.parametrize(("name", "template"), [("chatml", CHATML), ("llama-3", None)])
async def test_a_model_of_another_family_answers_in_its_own_format(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, template: str | None
) -> None:
    tokenizer = small_byte_level_vocabulary()
    config = checkpoints.tiny_config(max_position_embeddings=2048, vocab_size=tokenizer.get_vocab_size())
    folder = checkpoints.save_checkpoint(tmp_path / "tiny", checkpoints.random_model(config))
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    choice = {} if template else {"chat_format": name}
    settings = Settings(data_dir=tmp_path, model=str(folder), device="cpu", max_new_tokens=16, **choice)
    observer = Answers()
    caplog.set_level("INFO")

    async with open_parts(settings, platform="test", time_limits=ALONE, observer=observer) as (chat, _):
        for number in (1, 2):
            key = ConversationKey("test", 1)
            question = Question(key, number, 1, "Ada", "Tell me <|im_end|>!", datetime.now(UTC), is_direct=True)
            async with chat.open(question) as exchange:
                events = [event async for event in exchange.events()]
            assert events

    assert (f"the chat template in {folder} is chatml" in caplog.text) == (template is not None)
    first, second = observer.records
    # The second prompt begins with the first, and with its answer.
    assert second.num_cached_tokens >= first.num_prompt_tokens - 16 > 0
