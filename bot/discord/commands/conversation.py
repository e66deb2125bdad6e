"""What is done with a channel's conversation: `/reset` and `/stop`."""

import discord
from discord import app_commands

from bot.chat.chat import StopReason
from bot.discord.access import may_moderate
from bot.discord.command_replies import CommandReply, reply_to
from bot.discord.commands.shared import Right, chat_of, has_buttons, key_of, number_of, ready, require
from bot.discord.components import ReplyButton, ReplyButtonKind
from bot.words import Phrase, joined, phrase


@app_commands.command(description=phrase("reset_description"))
@app_commands.describe(undo=phrase("undo_option"))
async def reset(interaction: discord.Interaction, undo: bool = False) -> None:
    """`/reset`: for everybody, like deleting what one has said, unless the channel chose otherwise."""

    async def work() -> CommandReply:
        require(interaction, Right.RESET)
        if undo:
            await chat_of(interaction).undo_reset(key_of(interaction))
            return CommandReply(phrase("reset_undone"), is_private=False)
        key = key_of(interaction)
        done = await chat_of(interaction).reset(key)
        if not (done.num_turns or done.num_pins):
            return CommandReply(phrase("nothing_to_forget"))
        forgotten: list[Phrase] = [phrase("forgotten")]
        if done.num_pins:
            forgotten.append(phrase("pins_forgotten", n=done.num_pins))
        if not has_buttons(interaction):
            return CommandReply(joined([*forgotten, phrase("reset_can_be_undone")]), is_private=False)
        button = ReplyButton(ReplyButtonKind.UNDO, key.person_id or 0, number_of(done.at))
        said = joined([*forgotten, phrase("undo_works_a_minute")])
        return CommandReply(said, is_private=False, buttons=(button,))

    await reply_to(interaction, work(), is_private=False)


@app_commands.command(description=phrase("stop_description"))
async def stop(interaction: discord.Interaction) -> None:
    """`/stop`: the first answer here, running or waiting, of who uses it; a moderator stops anybody's."""
    under_way = chat_of(interaction).under_way(key_of(interaction))
    theirs = (each for each in under_way if each.can_stop and may_moderate(interaction, each.asker_id))
    exchange = next(theirs, None)
    if exchange is not None:
        exchange.stop(StopReason.ASKED, keep=True)
    words = phrase("nothing_to_stop" if exchange is None else "stopping")
    await reply_to(interaction, ready(CommandReply(words)), is_private=True)
