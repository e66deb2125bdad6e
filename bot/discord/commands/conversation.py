"""What is done with a channel's conversation: `/reset`."""

import discord
from discord import app_commands

from bot.discord.command_replies import CommandReply, reply_to
from bot.discord.commands.shared import Right, chat_of, key_of, require
from bot.words import phrase


@app_commands.command(description=phrase("reset_description"))
async def reset(interaction: discord.Interaction) -> None:
    """`/reset`: for everybody, like deleting what one has said, unless the channel chose otherwise."""

    async def work() -> CommandReply:
        require(interaction, Right.RESET)
        num_turns = await chat_of(interaction).reset(key_of(interaction))
        what = phrase("nothing_to_forget" if num_turns == 0 else "forgotten")
        return CommandReply(what, is_private=num_turns == 0)

    await reply_to(interaction, work(), is_private=False)
