"""Replies to slash commands: within half a second, privately where they concern the asker only.

A command's work is given 0.4 seconds; if the database is slower, the answer is deferred and edited in later. Editing is
harmless to repeat, which a second message would not be. Only where everybody was shown that something comes, and what
came is for the asker alone, is that taken back and a second message sent: an edit can't make the first one private.
"""

import asyncio
import io
import logging
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, replace

import discord
from discord.utils import MISSING

from bot.delivery.outcomes import outcome_of
from bot.delivery.refusals import InteractionGone, MessageGone, Rejected
from bot.delivery.split import MESSAGE_UNITS, utf16_length
from bot.discord.components import ReplyButton, view_of_reply
from bot.discord.interaction_requests import follow_up, respond, until_taken
from bot.errors import DiscordError
from bot.words import in_language, phrase

log = logging.getLogger(__name__)

DEFER_AFTER_SECONDS = 0.4
NOT_TAKEN = phrase("command_not_taken")


@dataclass(frozen=True, slots=True)
class ReplyFile:
    """A file that comes with a reply."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class CommandReply:
    """The reply to a command, said in the language of who used it.

    A text too long for a message becomes a file below its first line.
    """

    text: str
    is_private: bool = True
    attached: ReplyFile | None = None
    file_name: str = "persona.txt"
    """What the file is called, where the text becomes one."""
    buttons: tuple[ReplyButton, ...] = ()

    @property
    def content(self) -> str:
        return self.text if self._fits else self.text.partition("\n")[0][:MESSAGE_UNITS]

    def file(self) -> discord.File | None:
        """What is attached; or the whole text, where it doesn't fit into the message."""
        attached = self.attached or (None if self._fits else ReplyFile(self.file_name, self.text))
        if attached is None:
            return None
        return discord.File(io.BytesIO(attached.text.encode("utf-8", "replace")), attached.name)

    @property
    def _fits(self) -> bool:
        return utf16_length(self.text) <= MESSAGE_UNITS


async def reply_to(interaction: discord.Interaction, work: Awaitable[CommandReply], *, is_private: bool) -> None:
    """Do a command's work and show its reply; `is_private` is for the acknowledgement where the work takes long."""
    all_see_it = False
    try:
        async with asyncio.TaskGroup() as tasks:
            reply = tasks.create_task(reply_or_error(interaction, work))
            await asyncio.wait({reply}, timeout=DEFER_AFTER_SECONDS)
            if not reply.done():
                await respond(interaction, lambda: interaction.response.defer(ephemeral=is_private, thinking=True))
                all_see_it = not is_private
        said = reply.result()
        try:
            await _show(interaction, said, all_see_it=all_see_it)
        except Rejected as error:
            log.warning("the answer to a command in channel %s isn't taken: %s", interaction.channel_id, error)
            not_taken = CommandReply(NOT_TAKEN, is_private=is_private or (all_see_it and said.is_private))
            await _show(interaction, not_taken, all_see_it=all_see_it)
    except* (DiscordError, discord.DiscordException) as group:
        # The person sees Discord's own "didn't respond"; there is no other way to reach them.
        log.warning("a command in channel %s went unanswered: %s", interaction.channel_id, group.exceptions[0])


async def reply_or_error(interaction: discord.Interaction, work: Awaitable[CommandReply]) -> CommandReply:
    """What comes of a command's work; an error becomes words."""
    try:
        return await work
    except Exception as error:
        outcome = outcome_of(error)
        log.log(
            outcome.log_level,
            "a command in channel %s failed: %s",
            interaction.channel_id,
            type(error).__name__,
            exc_info=error if outcome.logs_traceback else None,
        )
        return CommandReply(outcome.sentence or phrase("not_possible_now"))


async def _whisper(interaction: discord.Interaction, reply: CommandReply) -> None:
    """Tell who used a command alone, after what all could see was taken back."""
    await follow_up(
        lambda: interaction.followup.send(
            reply.content,
            file=reply.file() or MISSING,
            view=view_of_reply(reply.buttons, interaction.locale) or MISSING,
            ephemeral=True,
            suppress_embeds=True,
            allowed_mentions=discord.AllowedMentions.none(),
        )
    )


async def _show(interaction: discord.Interaction, reply: CommandReply, *, all_see_it: bool) -> None:
    """Answer, or edit what was answered; also where it isn't sure whether Discord took the first answer.

    `all_see_it` says of what was answered that everybody is shown that something comes.
    """
    reply = replace(reply, text=in_language(reply.text, interaction.locale))
    if not interaction.response.is_done():
        try:
            await _send(interaction, reply)
        except InteractionGone as error:
            log.debug("a command in channel %s may have been acknowledged already: %s", interaction.channel_id, error)
        else:
            if interaction.response.is_done():
                return
            # Discord has an answer, and it may be that of another try.

    if all_see_it and reply.is_private:
        with suppress(MessageGone):
            await until_taken(interaction.delete_original_response)
        await _whisper(interaction, reply)
        return

    async def edit() -> None:
        file = reply.file()
        await interaction.edit_original_response(
            content=reply.content,
            attachments=[file] if file else MISSING,
            view=view_of_reply(reply.buttons, interaction.locale),
            allowed_mentions=discord.AllowedMentions.none(),
        )

    await until_taken(edit)


async def _send(interaction: discord.Interaction, reply: CommandReply) -> None:
    await respond(
        interaction,
        lambda: interaction.response.send_message(
            reply.content,
            file=reply.file() or MISSING,
            view=view_of_reply(reply.buttons, interaction.locale) or MISSING,
            ephemeral=reply.is_private,
            suppress_embeds=True,
            allowed_mentions=discord.AllowedMentions.none(),
        ),
    )
