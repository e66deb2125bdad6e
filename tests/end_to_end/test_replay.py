"""Answers of the demonstration model are made again by `trinity replay`, from the database alone."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from bot.app import DEMO_MODEL, open_chat
from bot.chat.chat import InboxState, Scope
from bot.command_line.replay import replay
from bot.conversation.messages import ConversationKey, Question
from bot.errors import CannotReplay, DatabaseUnusable
from bot.settings.settings import Settings
from bot.store.files.database import open_database
from bot.store.rows.made_answers import MadeAnswer, MadeAnswers
from bot.store.rows.turns import packed
from bot.store.tables import messages
from tests.logging_state import logging_as_before

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "model.safetensors").is_file(), reason="the demo model's weights are not there"
)
HERE = ConversationKey("discord", 10, guild_id=1)
ASKED = ["My name is Ada and I like tea.", "What is my name?", "Tell me a story."]
DRAWN = len(ASKED)
"""The one that was drawn with a temperature."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A conversation with the demonstration model."""
    folder = tmp_path_factory.mktemp("data")
    chosen = Settings(data_dir=folder, device="cpu", context_window=1024, max_new_tokens=48, seed=5)
    asyncio.run(talk(chosen))
    return chosen


async def talk(settings: Settings) -> None:
    async with open_chat(settings, platform="discord") as chat:
        for number, words in enumerate(ASKED, 1):
            if number == DRAWN:
                await chat.settings.set(HERE, Scope.CHANNEL, "temperature", "1", by=1)
            question = Question(HERE, number, 5, "Ada", words, datetime.now(UTC))
            async with chat.open(question) as exchange:
                async for _ in exchange.events():
                    pass
                await exchange.finish(InboxState.ANSWERED)


def made_again(settings: Settings, number: int, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    with logging_as_before():
        status = replay(settings, f"https://canary.discord.com/channels/1/10/{number}", as_json=True)
    return status, json.loads(capsys.readouterr().out)


async def stored(settings: Settings, number: int) -> MadeAnswer:
    async with open_database(settings.effective_database_url) as database:
        made = await MadeAnswers(database).find("discord", number)
    assert isinstance(made, MadeAnswer)
    return made


async def tamper(settings: Settings, made: MadeAnswer, index: int, token_id: int) -> None:
    """Let an answer have had another token, and all that follows."""
    token_ids = (*made.token_ids[:index], token_id, *made.token_ids[index + 1 :])
    is_it = messages.c.turn_id == made.turn_id
    async with open_database(settings.effective_database_url) as database:
        await database.write(
            lambda connection: connection.execute(update(messages).where(is_it).values(token_ids=packed(token_ids)))
        )


@pytest.mark.parametrize("number", [1, 2, DRAWN])
def test_an_answer_comes_out_the_same(settings: Settings, number: int, capsys: pytest.CaptureFixture[str]) -> None:
    status, told = made_again(settings, number, capsys)

    assert (status, told["result"]) == (0, "match")
    assert told["num_tokens"] > 5
    assert told["num_turns"] == number - 1
    assert (told["sampling"]["temperature"] == 1) == (number == DRAWN)
    assert told["made_by"] == told["replayed_by"]


@pytest.mark.parametrize("number", [2, DRAWN])
def test_the_first_other_token_is_named_with_its_gap(
    settings: Settings, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    made = asyncio.run(stored(settings, number))
    asyncio.run(tamper(settings, made, 3, 1000))

    status, told = made_again(settings, number, capsys)
    with logging_as_before():
        replay(settings, f"https://discord.com/channels/1/10/{number}", as_json=False)

    difference, words = told["difference"], capsys.readouterr().out
    assert (status, told["result"]) == (1, "differs")
    assert (difference["index"], difference["was"]["id"], difference["now"]["id"]) == (3, 1000, made.token_ids[3])
    assert difference["logit_gap"] == pytest.approx(difference["now"]["logit"] - difference["was"]["logit"])
    if number != DRAWN:
        assert difference["logit_gap"] > 0
        assert difference["score_gap"] > 0
    assert f"differs: token 4 of {len(made.token_ids)} was " in words
    assert f"a gap of {difference['logit_gap']:.4f}." in words


def test_another_model_and_what_is_no_link_are_said(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    other = settings.model_copy(update={"weights": "int8"})

    status, told = made_again(other, 1, capsys)
    unknown = made_again(settings, 77, capsys)
    with logging_as_before(), pytest.raises(CannotReplay, match="trinity chat"):
        replay(settings, "https://example.com/channels/1/10/1", as_json=False)

    assert (status, told["result"], told["reason"]) == (2, "stopped", "model")
    assert (unknown[0], unknown[1]["reason"]) == (2, "unknown")


def test_nothing_is_made_where_no_database_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = Settings(data_dir=tmp_path / "none")

    with logging_as_before(), pytest.raises(DatabaseUnusable, match="nothing was ever answered here"):
        replay(empty, "https://discord.com/channels/@me/10/1", as_json=True)

    assert not (tmp_path / "none").exists()
