"""What is done with a channel's conversation: `/reset`."""

import discord
from discord import app_commands

from bot.discord.command_replies import CommandReply, reply_to
from bot.discord.commands.shared import chat_of, key_of


@app_commands.command(description="Make Trinity forget this channel's conversation")
async def reset(interaction: discord.Interaction) -> None:
    """`/reset`: for everybody, like deleting what one has said."""

    async def work() -> CommandReply:
        num_turns = await chat_of(interaction).reset(key_of(interaction))
        what = "There was nothing to forget." if num_turns == 0 else "I have forgotten this channel's conversation."
        return CommandReply(what, is_private=num_turns == 0)

    await reply_to(interaction, work(), is_private=False)
