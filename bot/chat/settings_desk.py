"""What people choose for a channel or its server: shown with where it comes from, checked, changed and taken back."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto

from bot.chat.answer import SamplingChoice
from bot.conversation.channel_settings import SETTINGS, ChannelSettings, Setting, find_setting
from bot.conversation.messages import ConversationKey
from bot.conversation.setting_kinds import Value
from bot.conversation.window import TokenBudget
from bot.errors import InvalidSetting
from bot.inference.engine import SamplingParams
from bot.store.rows.chosen_settings import ChosenSettings, Layer, Scope
from bot.words import phrase


class Origin(Enum):
    """Where a value comes from, the first that has one."""

    HERE = auto()
    """It was chosen for this channel, thread or direct message."""
    PARENT = auto()
    """It was chosen for the channel that this thread belongs to."""
    GUILD = auto()
    """It was chosen for the server."""
    OPERATOR = auto()
    """Whoever runs the bot chose it."""
    DEFAULT = auto()


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """A setting with the value that holds, as it is typed, and where that comes from."""

    setting: Setting
    value: str
    origin: Origin


class SettingsDesk:
    """The settings of all channels, over what the operator chose."""

    def __init__(self, chosen: ChosenSettings, sampling: SamplingChoice, budget: TokenBudget) -> None:
        self._chosen = chosen
        self._budget = budget
        self.adopt(sampling)
        self._defaults = _values(SamplingChoice(), SamplingParams().max_new_tokens)

    def adopt(self, sampling: SamplingChoice) -> None:
        """Show as the operator's choice what it is from now on."""
        self._operators = _values(sampling, self._budget.max_new_tokens)

    def now(self, key: ConversationKey) -> ChannelSettings:
        """What holds in a channel, without waiting for the database; the persona is left out."""
        return self._chosen.now(key)

    def conversation_of(self, key: ConversationKey, person_id: int) -> ConversationKey:
        """The conversation that somebody takes part in where they speak: the channel's, or their own in it."""
        is_own = key.guild_id is not None and self.now(key).is_per_person
        return replace(key, person_id=person_id if is_own else None)

    def show(self, key: ConversationKey) -> list[ShownSetting]:
        """Every setting as it holds in a channel."""
        layers = self._layers(key)
        return [self._shown(setting, layers) for setting in SETTINGS]

    async def set(self, key: ConversationKey, scope: Scope, name: str, text: str, by: int) -> ShownSetting:
        """Choose a value for a channel or its server.

        Raises:
            InvalidSetting: there is no such setting, or it can't have that value.
        """
        setting = _known(name)
        value = setting.kind.parse(text)
        if setting.name == "longest_answer" and value > self._budget.max_new_tokens:  # type: ignore[operator]
            raise InvalidSetting(phrase("answer_may_have", limit=self._budget.max_new_tokens))
        await self._chosen.set(key, scope, setting.name, value, by)
        origin = Origin.GUILD if scope is Scope.GUILD else Origin.HERE
        return ShownSetting(setting, setting.kind.written(value), origin)

    async def clear(self, key: ConversationKey, scope: Scope, name: str) -> ShownSetting:
        """Take a choice back; returns what holds in its place.

        Raises:
            InvalidSetting: there is no such setting.
        """
        setting = _known(name)
        await self._chosen.clear(key, scope, setting.name)
        return self._shown(setting, self._layers(key))

    async def reload(self) -> None:
        """Read what was chosen anew, after much of it was deleted."""
        await self._chosen.load()

    def forget_channels(self, platform: str, channel_ids: Iterable[int]) -> None:
        """Forget what was chosen for channels that are deleted."""
        self._chosen.forget_channels(platform, channel_ids)

    def _layers(self, key: ConversationKey) -> list[tuple[Origin, Layer]]:
        origins = [Origin.HERE, *([Origin.PARENT] if key.parent_channel_id is not None else []), Origin.GUILD]
        return list(zip(origins, self._chosen.layers(key), strict=False))

    def _shown(self, setting: Setting, layers: list[tuple[Origin, Layer]]) -> ShownSetting:
        for origin, layer in layers:
            if setting.name in layer:
                return ShownSetting(setting, setting.kind.written(self._capped(setting, layer[setting.name])), origin)
        value, default = (values.get(setting.name, setting.default) for values in (self._operators, self._defaults))
        origin = Origin.DEFAULT if value == default else Origin.OPERATOR
        return ShownSetting(setting, setting.kind.written(value), origin)

    def _capped(self, setting: Setting, value: Value) -> Value:
        """The value as it counts: the operator may have lowered the longest answer since it was chosen."""
        is_length = setting.name == "longest_answer" and isinstance(value, int)
        return min(value, self._budget.max_new_tokens) if is_length else value


def _known(name: str) -> Setting:
    setting = find_setting(name)
    if setting is None:
        raise InvalidSetting(phrase("unknown_setting", name=name))
    return setting


def _values(sampling: SamplingChoice, longest_answer: int) -> dict[str, Value]:
    """The settings that the operator has too."""
    return {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "longest_answer": longest_answer,
    }
