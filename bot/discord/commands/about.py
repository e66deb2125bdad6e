"""What the bot can do, in its own words: `/help`."""

import discord
from discord import app_commands

from bot.discord.command_replies import CommandReply, reply_to
from bot.discord.commands.shared import ready

HELP = """**I'm Trinity.** Mention me, reply to one of my messages, or write to me directly, and I answer.
I remember what was said to me in this channel, and only that; other channels have their own memory.

`/reset` makes me forget this channel's conversation.
`/persona show` and `/persona list` tell who I am here, and who I could be.
`/persona use` and `/persona clear` choose who I am in this channel; `/persona set` and `/persona delete` make \
personas of your own. In a server that takes the permission Manage Channels.
Delete your question while I answer, and I stop.
-# I'm a language model: what I say can be wrong."""


@app_commands.command(name="help", description="What Trinity can do")
async def show_help(interaction: discord.Interaction) -> None:
    """`/help`"""
    await reply_to(interaction, ready(CommandReply(HELP)), is_private=True)
