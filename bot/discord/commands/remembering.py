"""What the bot remembers in a channel beyond what was said last: `/memory`, `/remember` and `/forget`.

A fact that is kept in mind is in everybody's answers, so that all see that there is one more, or one less. What it says
is shown only to who asks for the list, and may read in the channel what was said before.
"""

import discord
from discord import app_commands

from bot.conversation.channel_settings import RECALL, SUMMARY, WINDOW
from bot.conversation.pins import Pin
from bot.discord.command_replies import CommandReply, reply_to
from bot.discord.commands.memory import require_reading
from bot.discord.commands.settings import HERE, SCOPES, place_of, said_of_choice
from bot.discord.commands.shared import Right, TextOption, chat_of, key_of, may, require
from bot.discord.markdown import escape_markdown
from bot.words import joined, phrase

_MODES = [
    app_commands.Choice(name=phrase("memory_mode_recall"), value=RECALL),
    app_commands.Choice(name=phrase("memory_mode_summary"), value=SUMMARY),
    app_commands.Choice(name=phrase("memory_mode_window"), value=WINDOW),
]
_Fact = app_commands.Transform[str, TextOption(2000)]
_Number = app_commands.Range[int, 1, 2**31 - 1]


class MemoryCommands(app_commands.Group):
    """`/memory`: what becomes of what was said earlier, and what is kept in mind."""

    def __init__(self) -> None:
        super().__init__(name="memory", description=phrase("memory_description"))

    @app_commands.command(description=phrase("memory_mode_description"))
    @app_commands.describe(mode=phrase("memory_mode_option"), scope=phrase("setting_scope_option"))
    @app_commands.choices(mode=_MODES, scope=SCOPES)
    async def mode(self, interaction: discord.Interaction, mode: str, scope: str = HERE) -> None:
        """The setting `memory`, which `/settings set` changes as well."""

        async def work() -> CommandReply:
            key, chosen_for = place_of(interaction, scope)
            shown = await chat_of(interaction).settings.set(key, chosen_for, "memory", mode, interaction.user.id)
            return CommandReply(said_of_choice(shown, chosen_for), is_private=False)

        await reply_to(interaction, work(), is_private=False)

    @app_commands.command(name="list", description=phrase("memory_list_description"))
    async def list_all(self, interaction: discord.Interaction) -> None:
        async def work() -> CommandReply:
            require_reading(interaction)
            facts = await chat_of(interaction).pins.list(key_of(interaction))
            if not facts.pins:
                return CommandReply(phrase("no_pins"))
            listed = phrase("pins_listed", num_tokens=facts.num_tokens, limit=facts.limit)
            return CommandReply(joined([listed, *map(_line, facts.pins)]), file_name="facts.txt")

        await reply_to(interaction, work(), is_private=True)


@app_commands.command(description=phrase("remember_description"))
@app_commands.describe(text=phrase("remember_text_option"))
async def remember(interaction: discord.Interaction, text: _Fact) -> None:
    """`/remember`: for who may ask here."""

    async def work() -> CommandReply:
        require(interaction, Right.PIN)
        user = interaction.user
        facts = await chat_of(interaction).pins.add(key_of(interaction), user.id, user.display_name, text)
        said = phrase(
            "pinned", number=facts.pins[-1].number, cost=facts.num_newest_tokens, n=len(facts.pins),
            num_tokens=facts.num_tokens, limit=facts.limit,
        )  # fmt: skip
        return CommandReply(said, is_private=False)

    await reply_to(interaction, work(), is_private=False)


@app_commands.command(description=phrase("forget_description"))
@app_commands.describe(number=phrase("forget_number_option"))
async def forget(interaction: discord.Interaction, number: _Number) -> None:
    """`/forget`: for who had it remembered, and who manages the channel."""

    async def work() -> CommandReply:
        may_forget_others = may(interaction, Right.CHANGE_SETTINGS)
        left = await chat_of(interaction).pins.forget(
            key_of(interaction), number, interaction.user.id, may_forget_others=may_forget_others
        )
        said = phrase("pin_forgotten", number=number, num_tokens=left.num_tokens, limit=left.limit)
        return CommandReply(said, is_private=False)

    await reply_to(interaction, work(), is_private=False)


def _line(pin: Pin) -> str:
    when = f"<t:{int(pin.pinned_at.timestamp())}:d>"
    return f"- `{pin.number}` {escape_markdown(pin.content)} (<@{pin.author_id}>, {when})"
