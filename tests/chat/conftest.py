import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.chat.chat import Chat, SamplingChoice
from bot.chat.queue import QuestionQueue
from bot.chat.time_limits import TimeLimits
from bot.conversation.chat_format import TurnEncoder
from bot.conversation.persona import DEFAULT, Persona
from bot.conversation.window import TokenBudget
from bot.store.files.database import open_database
from bot.store.rows.chosen_settings import ChosenSettings
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox
from bot.store.rows.personas import Personas
from tests.chat.house import House
from tests.conversation.vocabularies import load_any_vocabulary
from tests.engines import EchoEngine
from tests.store.fresh import lay_database


@pytest.fixture(scope="session")
def small_encoder(tmp_path_factory: pytest.TempPathFactory) -> TurnEncoder:
    return TurnEncoder(load_any_vocabulary("small", tmp_path_factory.mktemp("vocabulary")))


@pytest.fixture
def open_house(
    tmp_path: Path, small_encoder: TurnEncoder
) -> Callable[..., contextlib.AbstractAsyncContextManager[House]]:
    @asynccontextmanager
    async def opened(
        *,
        num_prompt_tokens: int = 3072,
        queue: QuestionQueue | None = None,
        time_limits: TimeLimits | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        default_persona: Persona = DEFAULT,
        url: str = "",
    ) -> AsyncIterator[House]:
        if not url:
            await lay_database(tmp_path / "trinity.db")
        async with open_database(url or f"sqlite:///{tmp_path / 'trinity.db'}") as database:
            history, inbox, engine = History(database, default_persona), Inbox(database), EchoEngine()
            budget = TokenBudget(num_prompt_tokens + 100, 100_000, 100)
            sampling = SamplingChoice(seed=7)
            chat = Chat(
                history, inbox, Personas(database, default_persona), ChosenSettings(database), engine,
                small_encoder, budget,
                sampling=sampling, queue=queue, time_limits=time_limits, clock=clock,
            )  # fmt: skip
            yield House(chat, engine, inbox, history, small_encoder)

    return opened


@pytest.fixture
async def house(open_house: Callable[..., contextlib.AbstractAsyncContextManager[House]]) -> AsyncIterator[House]:
    async with open_house() as opened:
        yield opened
