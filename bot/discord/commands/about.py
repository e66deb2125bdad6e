"""What the bot can do, in its own words: `/help`."""

import discord
from discord import app_commands

from bot.discord.command_replies import CommandReply, reply_to
from bot.discord.commands.shared import ready
from bot.words import phrase

HELP = phrase("help")


@app_commands.command(name="help", description=phrase("help_description"))
async def show_help(interaction: discord.Interaction) -> None:
    """`/help`"""
    await reply_to(interaction, ready(CommandReply(HELP)), is_private=True)
