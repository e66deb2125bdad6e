"""`/thread`: opens a thread below a channel, to talk apart from the others there."""

import discord
from discord import app_commands

from bot.delivery.refusals import ContentRefused, NoAccess, Rejected
from bot.discord.command_replies import NOT_TAKEN, CommandReply, reply_to
from bot.discord.commands.shared import TextOption
from bot.discord.rest import translated
from bot.errors import NotAllowed, UserError
from bot.words import in_language, phrase

LONGEST_TITLE = 100
_Title = app_commands.Transform[str, TextOption(LONGEST_TITLE)]


@app_commands.command(description=phrase("thread_description"))
@app_commands.describe(title=phrase("thread_title_option"))
@app_commands.guild_only()
async def thread(
    interaction: discord.Interaction,
    title: _Title | None = None,
) -> None:
    """`/thread`: for who may open threads there themselves."""
    await reply_to(interaction, _open(interaction, title), is_private=False)


async def _open(interaction: discord.Interaction, title: str | None) -> CommandReply:
    channel = interaction.channel
    if not isinstance(channel, discord.TextChannel):
        raise UserError(phrase("no_threads_in_this_place"))
    if not interaction.permissions.create_public_threads:
        raise NotAllowed(phrase("may_not_open_threads"))
    if not interaction.app_permissions.create_public_threads:
        raise UserError(phrase("cannot_open_threads"))
    usual = in_language(phrase("thread_usual_title", name=interaction.user.display_name), interaction.locale)
    name = " ".join((title or "").split()) or usual
    kind = discord.ChannelType.news_thread if channel.is_news() else discord.ChannelType.public_thread
    try:
        async with translated():
            opened = await channel.create_thread(name=name[:LONGEST_TITLE], type=kind)
    except NoAccess as error:
        raise UserError(phrase("cannot_open_threads")) from error
    except ContentRefused as error:
        raise UserError(NOT_TAKEN) from error
    except Rejected as error:  # there are too many threads, for instance
        raise UserError(phrase("not_possible_now")) from error
    return CommandReply(phrase("thread_opened", thread=f"<#{opened.id}>"), is_private=False)
