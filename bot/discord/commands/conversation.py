"""What is done with a channel's conversation: `/reset` and `/stop`."""

from collections.abc import Iterator
from dataclasses import replace

import discord
from discord import app_commands

from bot.chat.chat import Exchange, StopReason
from bot.conversation.messages import ConversationKey
from bot.discord.access import may_moderate
from bot.discord.command_replies import CommandReply, reply_to
from bot.discord.commands.shared import Right, chat_of, has_buttons, key_of, number_of, ready, require
from bot.discord.components import ReplyButton, ReplyButtonKind
from bot.discord.interaction_answers import PLATFORM as INTERACTION
from bot.words import Phrase, joined, phrase


@app_commands.command(description=phrase("reset_description"))
@app_commands.describe(undo=phrase("undo_option"))
async def reset(interaction: discord.Interaction, undo: bool = False) -> None:
    """`/reset`: for everybody, like deleting what one has said, unless the channel chose otherwise."""

    async def work() -> CommandReply:
        require(interaction, Right.RESET)
        key = key_of(interaction)
        if undo:
            await chat_of(interaction).undo_reset(key)
            return CommandReply(said_of_undo(key), is_private=False)
        done = await chat_of(interaction).reset(key)
        if not (done.num_turns or done.num_pins or done.answering or done.waiting):
            return CommandReply(phrase("nothing_to_forget"))
        forgotten: list[Phrase] = [phrase("forgotten_own" if _is_own(key) else "forgotten")]
        if done.num_pins:
            forgotten.append(phrase("pins_forgotten", n=done.num_pins))
        if not (done.num_turns or done.num_pins):  # what was being answered doesn't come back
            return CommandReply(joined(forgotten), is_private=False)
        if not has_buttons(interaction):
            return CommandReply(joined([*forgotten, phrase("reset_can_be_undone")]), is_private=False)
        button = ReplyButton(ReplyButtonKind.UNDO, key.person_id or 0, number_of(done.at))
        said = joined([*forgotten, phrase("undo_works_a_minute")])
        return CommandReply(said, is_private=False, buttons=(button,))

    await reply_to(interaction, work(), is_private=False)


def said_of_undo(key: ConversationKey) -> Phrase:
    """What is said of a conversation that a reset hid, and that is there again."""
    return phrase("reset_undone_own" if _is_own(key) else "reset_undone")


def _is_own(key: ConversationKey) -> bool:
    """Whether it is one person's alone, and not what everybody in the channel says."""
    return key.guild_id is None or key.person_id is not None


@app_commands.command(description=phrase("stop_description"))
async def stop(interaction: discord.Interaction) -> None:
    """`/stop`: the first answer to who uses it, running or waiting; a moderator without one stops anybody's."""
    exchange = next(_theirs_to_stop(interaction), None)
    if exchange is not None:
        exchange.stop(StopReason.ASKED, keep=True)
    words = phrase("nothing_to_stop" if exchange is None else "stopping")
    await reply_to(interaction, ready(CommandReply(words)), is_private=True)


def _theirs_to_stop(interaction: discord.Interaction) -> Iterator[Exchange]:
    """The answers here that a person may stop, their own first; of private answers only their own."""
    chat, key = chat_of(interaction), key_of(interaction)
    here = [each for each in chat.under_way(key) if each.can_stop]
    private = [each for each in chat.under_way(replace(key, platform=INTERACTION)) if each.can_stop]
    own = [each for each in (*here, *private) if each.asker_id == interaction.user.id]
    yield from sorted(own, key=lambda exchange: not exchange.has_turn)
    yield from (each for each in here if each not in own and may_moderate(interaction, each.asker_id))
