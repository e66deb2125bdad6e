"""`/settings`: what holds in a channel and where that comes from; and changing it, for the channel or its server."""

from dataclasses import replace

import discord
from discord import app_commands

from bot.chat.chat import Scope
from bot.chat.settings_desk import Origin, ShownSetting
from bot.conversation.channel_settings import SETTINGS, Setting, find_setting
from bot.conversation.messages import ConversationKey
from bot.discord.command_replies import CommandReply, reply_to
from bot.discord.commands.shared import Right, TextOption, channel_of, chat_of, require
from bot.errors import InvalidSetting
from bot.words import Phrase, joined, phrase

_Name = app_commands.Transform[str, TextOption(64)]
_Value = app_commands.Transform[str, TextOption(64)]
HERE, _PARENT, _SERVER = "here", "parent", "server"
SCOPES = [
    app_commands.Choice(name=phrase("scope_here"), value=HERE),
    app_commands.Choice(name=phrase("scope_parent"), value=_PARENT),
    app_commands.Choice(name=phrase("scope_server"), value=_SERVER),
]
_ORIGINS = {
    Origin.HERE: phrase("chosen_here"),
    Origin.PARENT: phrase("chosen_in_parent"),
    Origin.GUILD: phrase("chosen_in_server"),
    Origin.OPERATOR: phrase("chosen_by_operator"),
    Origin.DEFAULT: phrase("not_chosen"),
}


async def suggest_settings(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
    """The names of settings that have `typed` in them."""
    wanted = typed.strip().lower()
    names = [setting.name for setting in _offered(interaction) if wanted in setting.name]
    return [app_commands.Choice(name=name, value=name) for name in names]


async def suggest_values(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
    """Values that the setting, whose name is there already, can have."""
    setting = find_setting(str(interaction.namespace.name or ""))
    values = setting.kind.suggestions if setting else ()
    return [app_commands.Choice(name=value, value=value) for value in values if value.startswith(typed.strip().lower())]


class SettingsCommands(app_commands.Group):
    """`/settings`: how the bot behaves in a channel."""

    def __init__(self) -> None:
        super().__init__(name="settings", description=phrase("settings_description"))

    @app_commands.command(description=phrase("settings_show_description"))
    async def show(self, interaction: discord.Interaction) -> None:
        await reply_to(interaction, _show(interaction), is_private=True)

    @app_commands.command(name="set", description=phrase("settings_set_description"))
    @app_commands.describe(
        name=phrase("setting_option"), value=phrase("setting_value_option"), scope=phrase("setting_scope_option")
    )
    @app_commands.autocomplete(name=suggest_settings, value=suggest_values)
    @app_commands.choices(scope=SCOPES)
    async def set_value(self, interaction: discord.Interaction, name: _Name, value: _Value, scope: str = HERE) -> None:
        async def work() -> CommandReply:
            key, chosen_for = place_of(interaction, scope)
            _require_offered(interaction, name)
            shown = await chat_of(interaction).settings.set(key, chosen_for, name, value, interaction.user.id)
            return CommandReply(_with_sessions(said_of_choice(shown, chosen_for), shown), is_private=False)

        await reply_to(interaction, work(), is_private=False)

    @app_commands.command(description=phrase("settings_clear_description"))
    @app_commands.describe(name=phrase("setting_option"), scope=phrase("setting_scope_option"))
    @app_commands.autocomplete(name=suggest_settings)
    @app_commands.choices(scope=SCOPES)
    async def clear(self, interaction: discord.Interaction, name: _Name, scope: str = HERE) -> None:
        async def work() -> CommandReply:
            key, chosen_for = place_of(interaction, scope)
            shown = await chat_of(interaction).settings.clear(key, chosen_for, name)
            said = phrase("setting_is_again", name=shown.setting.name, value=shown.value, origin=_ORIGINS[shown.origin])
            return CommandReply(_with_sessions(said, shown), is_private=False)

        await reply_to(interaction, work(), is_private=False)


async def _show(interaction: discord.Interaction) -> CommandReply:
    offered = _offered(interaction)
    lines = [
        phrase(
            "setting_line",
            name=shown.setting.name,
            value=shown.value,
            origin=_ORIGINS[shown.origin],
            meaning=shown.setting.meaning,
        )
        for shown in chat_of(interaction).settings.show(channel_of(interaction))
        if shown.setting in offered
    ]
    return CommandReply(joined([phrase("settings_hold"), *lines]))


def place_of(interaction: discord.Interaction, scope: str) -> tuple[ConversationKey, Scope]:
    """What a choice is made for, if the person may make it."""
    key = channel_of(interaction)
    if scope == _SERVER:
        if key.guild_id is None:
            raise InvalidSetting(phrase("no_server_here"))
        require(interaction, Right.CHANGE_GUILD_SETTINGS)
        return key, Scope.GUILD
    if scope == _PARENT:
        if key.parent_channel_id is None:
            raise InvalidSetting(phrase("no_thread_here"))
        key = replace(key, channel_id=key.parent_channel_id, parent_channel_id=None)
    # In a thread people have the permissions of its channel.
    require(interaction, Right.CHANGE_SETTINGS)
    return key, Scope.CHANNEL


def said_of_choice(shown: ShownSetting, chosen_for: Scope) -> Phrase:
    """What is said of a value that was chosen."""
    is_everywhere = chosen_for is Scope.GUILD
    return phrase(
        "setting_is_in_server" if is_everywhere else "setting_is_here", name=shown.setting.name, value=shown.value
    )


def _with_sessions(said: Phrase, shown: ShownSetting) -> Phrase:
    """`said`, and what becomes of what was said before, where that is the question."""
    return joined([said, phrase("sessions_are_kept")]) if shown.setting.name == "session" else said


def _offered(interaction: discord.Interaction) -> list[Setting]:
    """The settings that work here: some need what Discord sends only where the operator turned it on."""
    reads_all = interaction.client.intents.message_content
    return [setting for setting in SETTINGS if reads_all or not setting.needs_content_intent]


def _require_offered(interaction: discord.Interaction, name: str) -> None:
    setting = find_setting(name)
    if setting is not None and setting not in _offered(interaction):
        raise InvalidSetting(phrase("setting_switched_off"))
