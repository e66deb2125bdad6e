"""The settings of a bot that runs, and how others come to hold: what `.env` and the TOML file say now is taken over.

The environment stays what it was when the process began.
"""

import asyncio
from collections.abc import Callable

from bot.chat.access import AccessRules
from bot.chat.chat import Chat, SamplingChoice
from bot.conversation.persona import DEFAULT
from bot.errors import ConfigError, PersonaError
from bot.logs import set_log_level
from bot.settings.changes import Changes, changes_between, with_live
from bot.settings.settings import Settings, load_settings


def sampling_of(settings: Settings) -> SamplingChoice:
    """How answers are drawn where a channel chose nothing else."""
    return SamplingChoice(
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=settings.top_k,
        repetition_penalty=settings.repetition_penalty,
        seed=settings.seed,
    )


class LiveSettings:
    """The settings that hold in a bot that runs, and how others come to hold.

    Args:
        settings: what it began with.
        chat: is told of what has changed.
        access: the rules that Discord's events are asked about; replaced.
        platform: the front end's name.
        read: reads the settings as they are now.
    """

    def __init__(
        self,
        settings: Settings,
        chat: Chat,
        access: AccessRules,
        platform: str,
        read: Callable[[], Settings] = load_settings,
    ) -> None:
        self._settings = settings
        self._chat = chat
        self._access = access
        self._platform = platform
        self._read = read

    async def reload(self) -> Changes:
        """Take over what can be; what has changed and can't be is named too, until a restart.

        Raises:
            ConfigError: something is wrong with the settings; nothing was taken over.
        """
        after = await asyncio.to_thread(self._read)
        changes = changes_between(self._settings, after)
        if changes.live:
            try:
                await self._chat.adopt(
                    sampling_of(after), after.turn_limits, after.default_persona or DEFAULT, self._platform
                )
            except PersonaError as error:
                raise ConfigError("TRINITY_DEFAULT_PERSONA", str(error)) from error
            self._access.now = after.access
            set_log_level(after.log_level)
            self._settings = with_live(self._settings, after)
        return changes
