"""What the operator changes while the bot runs holds from the next question on."""

import logging
from pathlib import Path

import pytest

from bot.chat.access import AccessRules
from bot.discord.messages import PLATFORM
from bot.errors import ConfigError
from bot.settings.live import LiveSettings
from bot.settings.settings import Settings
from tests.discord.conftest import OpenHouse
from tests.discord.house import ask
from tests.logging_state import logging_as_before
from tests.loopback import LoopbackDiscord


def persona_file(folder: Path, prompt: str) -> str:
    file = folder / "butler.txt"
    file.write_text(prompt)
    return str(file)


async def test_how_answers_are_drawn_who_answers_and_how_often_change_with_the_settings(
    server: LoopbackDiscord, enter: OpenHouse, tmp_path: Path
) -> None:
    butler, blocked = persona_file(tmp_path, "You are a butler."), "123456789012345678"
    after = Settings(
        seed=40, temperature=0.5, default_persona=butler, turns_per_hour_person=1, blocked_users=blocked, model="new"
    )
    access = AccessRules()

    async with enter(server) as house:
        live = LiveSettings(Settings(seed=7), house.chat, access, PLATFORM, read=lambda: after)
        await ask(house)
        with logging_as_before():
            changes = await live.reload()
            again = await live.reload()
            level = logging.getLogger("bot").level
        await ask(house, "who are you?")
        await ask(house, "and once more", state="refused")

    first, second = house.engine.requests
    assert (first.sampling.temperature, second.sampling.temperature) == (0.0, 0.5)
    assert (first.sampling.seed, second.sampling.seed // 40) == (7, 1)
    assert "butler" in house.prompts[1]
    assert access.now.blocked.users == {int(blocked)}
    assert level == logging.INFO
    assert (changes.after_restart, again.live, again.after_restart) == (("TRINITY_MODEL",), (), ("TRINITY_MODEL",))


async def test_without_a_limit_it_is_forgotten_who_took_turns(server: LoopbackDiscord, enter: OpenHouse) -> None:
    limited = Settings(turns_per_hour_person=1)

    async with enter(server, turn_limits=limited.turn_limits) as house:
        await ask(house)
        await LiveSettings(limited, house.chat, AccessRules(), PLATFORM, read=Settings).reload()
        await ask(house, "once more")
        await LiveSettings(Settings(), house.chat, AccessRules(), PLATFORM, read=lambda: limited).reload()
        await ask(house, "and again")

    assert len(house.engine.requests) == 3


async def test_a_persona_that_is_too_long_changes_nothing(
    server: LoopbackDiscord, enter: OpenHouse, tmp_path: Path
) -> None:
    after = Settings(temperature=1.5, default_persona=persona_file(tmp_path, "You are a butler. " * 500))
    access = AccessRules()

    async with enter(server) as house:
        live = LiveSettings(Settings(), house.chat, access, PLATFORM, read=lambda: after)
        with pytest.raises(ConfigError, match="TRINITY_DEFAULT_PERSONA"):
            await live.reload()
        await ask(house)

    assert house.engine.requests[0].sampling.temperature == 0.0
