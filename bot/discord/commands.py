"""The slash commands: `/reset`, `/persona ...` and `/help`.

Who may change a persona is checked here, for every command by itself: Discord keeps permissions for whole commands
only, and an administrator can widen those. `interaction.permissions` is what Discord says the person may do in the
channel at that moment.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import discord
from discord import app_commands

from bot.chat.chat import Chat
from bot.conversation.messages import ConversationKey
from bot.conversation.persona import MAX_PERSONA_NAME_LENGTH, normal_name
from bot.discord.access import may_interact
from bot.discord.command_replies import CommandReply, reply_to
from bot.discord.markdown import escape_markdown
from bot.discord.messages import PLATFORM
from bot.discord.receivers import ReceivingClient
from bot.discord.rest import translated
from bot.errors import DiscordError, NotAllowed, TrinityError

log = logging.getLogger(__name__)

HELP = """**I'm Trinity.** Mention me, reply to one of my messages, or write to me directly, and I answer.
I remember what was said to me in this channel, and only that; other channels have their own memory.

`/reset` makes me forget this channel's conversation.
`/persona show` and `/persona list` tell who I am here, and who I could be.
`/persona use` and `/persona clear` choose who I am in this channel; `/persona set` and `/persona delete` make \
personas of your own. In a server that takes the permission Manage Channels.
Delete your question while I answer, and I stop.
-# I'm a language model: what I say can be wrong."""
MAY_NOT_CHANGE = "Changing who I am here takes the permission Manage Channels."
GONE = (
    "Discord still shows that command, but I no longer have it. Close Discord and open it again, and it is gone. "
    "`/help` tells what I can do."
)
OUTDATED = (
    "Discord shows an old form of that command, so I can't tell what you want. Close Discord and open it again, then "
    "use the command once more."
)
UNREADABLE = "I can't read what Discord sent me for that command. Please try again in a minute."
FAILED = "That command doesn't work just now: something went wrong on my side. Please try again."
RESTARTING = "I'm just restarting. Please try again in a minute."
_PREVIEW_LENGTH = 80
_MAX_CHOICES = 25  # Discord's limit
_CHOICE_SECONDS = 2.0  # Discord waits for three


def key_of(interaction: discord.Interaction) -> ConversationKey:
    """The conversation in which a command was used."""
    channel = interaction.channel
    parent_id = channel.parent_id if isinstance(channel, discord.Thread) else None
    return ConversationKey(PLATFORM, interaction.channel_id or 0, interaction.guild_id, parent_id)


def may_change(interaction: discord.Interaction) -> bool:
    """Whether the person may change personas here: with Manage Channels, or in a direct message."""
    if interaction.guild_id is None:
        return interaction.context.dm_channel
    allowed = interaction.permissions
    return allowed.manage_channels or allowed.administrator


async def suggest_names(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
    """The names of personas that have `typed` in them."""
    try:
        async with asyncio.timeout(_CHOICE_SECONDS):
            personas = await _chat(interaction).personas.list(key_of(interaction))
    except (TimeoutError, TrinityError):
        return []
    wanted = normal_name(typed)
    names = [persona.name for persona in personas if wanted in normal_name(persona.name)]
    return [app_commands.Choice(name=name, value=name) for name in names[:_MAX_CHOICES]]


class _Text(app_commands.Transformer):
    """A text option. What Discord sends for an older form of the command may be of another type."""

    def __init__(self, longest: int) -> None:
        self._longest = longest

    @property
    def min_value(self) -> int:
        return 1

    @property
    def max_value(self) -> int:
        return self._longest

    async def transform(self, _: discord.Interaction, value: object, /) -> str:
        if not isinstance(value, str):
            raise TypeError("not a text")
        return value


_Name = app_commands.Transform[str, _Text(MAX_PERSONA_NAME_LENGTH)]
_Prompt = app_commands.Transform[str, _Text(6000)]  # Discord's own limit for a text option


class PersonaCommands(app_commands.Group):
    """`/persona`: the persona of a channel."""

    def __init__(self) -> None:
        super().__init__(name="persona", description="Who Trinity is in this channel")

    @app_commands.command(description="Show who Trinity is in this channel, with the whole prompt")
    async def show(self, interaction: discord.Interaction) -> None:
        await reply_to(interaction, _show(_chat(interaction), key_of(interaction)), is_private=True)

    @app_commands.command(name="list", description="List the personas that can be chosen here")
    async def list_all(self, interaction: discord.Interaction) -> None:
        await reply_to(interaction, _list(_chat(interaction), key_of(interaction)), is_private=True)

    @app_commands.command(description="Choose who Trinity is in this channel")
    @app_commands.describe(name="The persona's name")
    @app_commands.autocomplete(name=suggest_names)
    async def use(self, interaction: discord.Interaction, name: _Name) -> None:
        async def work() -> str:
            persona = await _chat(interaction).personas.use(key_of(interaction), name, interaction.user.id)
            return f"From now on I'm **{escape_markdown(persona.name)}** in this channel."

        await _change(interaction, work)

    @app_commands.command(name="set", description="Make a persona of your own, or change one")
    @app_commands.describe(name="One word", prompt="Who Trinity is to be, in a few sentences")
    async def set_prompt(self, interaction: discord.Interaction, name: _Name, prompt: _Prompt) -> None:
        async def work() -> str:
            persona = await _chat(interaction).personas.set(key_of(interaction), name, prompt, interaction.user.id)
            shown = escape_markdown(persona.name)
            return f"The persona **{shown}** is set. `/persona use {persona.name}` makes it mine here."

        await _change(interaction, work)

    @app_commands.command(description="Delete a persona that was made here")
    @app_commands.describe(name="The persona's name")
    @app_commands.autocomplete(name=suggest_names)
    async def delete(self, interaction: discord.Interaction, name: _Name) -> None:
        async def work() -> str:
            await _chat(interaction).personas.delete(key_of(interaction), name, interaction.user.id)
            return f"The persona **{escape_markdown(name)}** is deleted."

        await _change(interaction, work)

    @app_commands.command(description="Let Trinity be herself again in this channel")
    async def clear(self, interaction: discord.Interaction) -> None:
        async def work() -> str:
            persona = await _chat(interaction).personas.clear(key_of(interaction), interaction.user.id)
            return f"From now on I'm **{escape_markdown(persona.name)}** in this channel."

        await _change(interaction, work)


@app_commands.command(description="Make Trinity forget this channel's conversation")
async def reset(interaction: discord.Interaction) -> None:
    """`/reset`: for everybody, like deleting what one has said."""

    async def work() -> CommandReply:
        num_turns = await _chat(interaction).reset(key_of(interaction))
        what = "There was nothing to forget." if num_turns == 0 else "I have forgotten this channel's conversation."
        return CommandReply(what, is_private=num_turns == 0)

    await reply_to(interaction, work(), is_private=False)


@app_commands.command(name="help", description="What Trinity can do")
async def show_help(interaction: discord.Interaction) -> None:
    """`/help`"""
    await reply_to(interaction, _ready(CommandReply(HELP)), is_private=True)


class TrinityTree(app_commands.CommandTree[ReceivingClient]):
    """All commands, for guilds and for direct messages with the bot; nowhere else."""

    def __init__(self, client: ReceivingClient) -> None:
        super().__init__(
            client,
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=False),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
        )
        self.add_command(reset)
        self.add_command(PersonaCommands())
        self.add_command(show_help)

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Count the reply against the rate of requests; refuse who may not use the bot here, and all while it ends."""
        self.client.receivers.sender.pacer.spend()
        if not await may_interact(interaction):
            return False
        if self.client.is_draining and interaction.type is discord.InteractionType.application_command:
            await reply_to(interaction, _ready(CommandReply(RESTARTING)), is_private=True)
        return not self.client.is_draining

    async def on_error(self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError, /) -> None:
        """Explain what `reply_to` didn't catch: an old command that Discord still shows, or a bug."""
        words = next((words for kind, words in _OLD_COMMANDS.items() if isinstance(error, kind)), FAILED)
        what = "failed" if words is FAILED else "isn't one of ours, or an old form of one"
        exc_info = error if words is FAILED else None
        log.log(
            logging.ERROR if words is FAILED else logging.WARNING,
            "the command %s in channel %s %s (%s)",
            _name_of(interaction),
            interaction.channel_id,
            what,
            type(error).__name__,
            exc_info=exc_info,
        )
        await _explain(interaction, words)

    async def _call(self, interaction: discord.Interaction[Any]) -> None:
        """Explain a command that discord.py can't read, with one line in the log."""
        try:
            await super()._call(interaction)
        except app_commands.AppCommandError:
            raise
        except Exception as error:
            log.warning(
                "the command %s in channel %s can't be read (%s)",
                _name_of(interaction),
                interaction.channel_id,
                type(error).__name__,
            )
            await _explain(interaction, UNREADABLE)


_OLD_COMMANDS: dict[type[app_commands.AppCommandError], str] = {
    app_commands.CommandNotFound: GONE,
    app_commands.CommandSignatureMismatch: OUTDATED,
    app_commands.TransformerError: OUTDATED,
}


async def _explain(interaction: discord.Interaction[Any], words: str) -> None:
    """Say why a command has no other reply; suggestions while one types are just empty."""
    if interaction.response.is_done():
        return
    if interaction.type is discord.InteractionType.autocomplete:
        with suppress(DiscordError, discord.DiscordException):
            async with translated():
                await interaction.response.autocomplete([])
        return
    await reply_to(interaction, _ready(CommandReply(words)), is_private=True)


def _name_of(interaction: discord.Interaction[Any]) -> str:
    """The command as it was used: its name and those of its sub-commands, none of what was typed."""
    data: Any = interaction.data
    names = []
    while isinstance(data, dict) and isinstance(data.get("name"), str):
        names.append(data["name"])
        options = data.get("options")
        data = next((o for o in options if isinstance(o, dict) and o.get("type") in (1, 2)), None) if options else None
    return "/" + " ".join(names)


def _chat(interaction: discord.Interaction) -> Chat:
    client: Any = interaction.client
    chat: Chat = client.receivers.chat
    return chat


async def _change(interaction: discord.Interaction, work: Callable[[], Awaitable[str]]) -> None:
    """Change the persona, if the person may; everybody sees it, because it concerns everybody."""

    async def checked() -> CommandReply:
        if not may_change(interaction):
            raise NotAllowed(MAY_NOT_CHANGE)
        return CommandReply(await work(), is_private=False)

    await reply_to(interaction, checked(), is_private=False)


async def _show(chat: Chat, key: ConversationKey) -> CommandReply:
    persona = await chat.personas.show(key)
    origin = "built in" if persona.is_built_in else "made here"
    return CommandReply(f"I'm **{escape_markdown(persona.name)}** here ({origin}). My prompt:\n>>> {persona.prompt}")


async def _list(chat: Chat, key: ConversationKey) -> CommandReply:
    current = await chat.personas.show(key)
    lines = ["These personas can be chosen here:"]
    for persona in await chat.personas.list(key):
        mark = " (me, here)" if normal_name(persona.name) == normal_name(current.name) else ""
        preview = " ".join(persona.prompt.split())
        short = preview if len(preview) <= _PREVIEW_LENGTH else preview[: _PREVIEW_LENGTH - 1] + "…"
        lines.append(f"- **{escape_markdown(persona.name)}**{mark}: {escape_markdown(short)}")
    return CommandReply("\n".join(lines))


async def _ready(words: CommandReply) -> CommandReply:
    return words
