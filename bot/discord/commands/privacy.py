"""What the bot has of who asks, over all channels: `/privacy show`, `/privacy export` and `/privacy erase`."""

from collections.abc import Sequence
from typing import Any

import discord
from discord import app_commands

from bot.chat.privacy_desk import Holdings, Repeated
from bot.discord.command_replies import CommandReply, ReplyFile, reply_to
from bot.discord.commands.shared import chat_of, has_buttons
from bot.discord.components import ReplyButton, ReplyButtonKind
from bot.discord.interaction_answers import PLATFORM as INTERACTION
from bot.discord.links import message_link
from bot.discord.messages import PLATFORM
from bot.words import joined, phrase

_MAX_LISTED = 20


class PrivacyCommands(app_commands.Group):
    """`/privacy`: a person's own words."""

    def __init__(self) -> None:
        super().__init__(name="privacy", description=phrase("privacy_description"))

    @app_commands.command(description=phrase("privacy_show_description"))
    async def show(self, interaction: discord.Interaction) -> None:
        async def work() -> CommandReply:
            held = await chat_of(interaction).privacy.show(PLATFORM, interaction.user.id)
            return CommandReply(joined([phrase("privacy_held"), *_lines(held), phrase("privacy_how")]))

        await reply_to(interaction, work(), is_private=True)

    @app_commands.command(description=phrase("privacy_export_description"))
    async def export(self, interaction: discord.Interaction) -> None:
        async def work() -> CommandReply:
            copy = await chat_of(interaction).privacy.copy(PLATFORM, interaction.user.id)
            if not (copy.num_turns or copy.num_pins):
                return CommandReply(phrase("privacy_nothing"))
            said = phrase("privacy_exported" if copy.is_whole else "privacy_exported_newest", n=copy.num_turns)
            return CommandReply(said, attached=ReplyFile("my-words.json", copy.text))

        await reply_to(interaction, work(), is_private=True)

    @app_commands.command(description=phrase("privacy_erase_description"))
    @app_commands.describe(confirm=phrase("confirm_option"))
    async def erase(self, interaction: discord.Interaction, confirm: bool = False) -> None:
        async def work() -> CommandReply:
            if confirm:
                return await erase_words(interaction)
            held = await chat_of(interaction).privacy.show(PLATFORM, interaction.user.id)
            if not has_buttons(interaction):
                return CommandReply(joined([phrase("privacy_confirm"), *_lines(held)]))
            said = joined([phrase("privacy_would_erase"), *_lines(held)])
            kinds = (ReplyButtonKind.ERASE, ReplyButtonKind.KEEP)
            return CommandReply(said, buttons=tuple(ReplyButton(kind) for kind in kinds))

        await reply_to(interaction, work(), is_private=True)


async def erase_words(interaction: discord.Interaction[Any]) -> CommandReply:
    """Erase what who acts here has said, and give the receipt."""
    privacy = chat_of(interaction).privacy
    interaction.client.receivers.asked_about.forget(interaction.user.id)
    receipt = await privacy.erase(
        PLATFORM, interaction.user.id, name=interaction.user.display_name, guild_id=interaction.guild_id
    )
    await privacy.erase(INTERACTION, interaction.user.id)  # only that they asked, which isn't worth a line
    lines: list[str] = [phrase("privacy_erased"), *_lines(receipt.erased)]
    if receipt.repeated:
        lines += [phrase("privacy_repeated", n=len(receipt.repeated)), *_links(receipt.repeated)]
    if receipt.quoted:
        lines += [phrase("privacy_quoted", n=len(receipt.quoted)), *_links(receipt.quoted)]
    return CommandReply(joined([*lines, phrase("privacy_left")]), file_name="erased.txt")


def _links(found: Sequence[Repeated]) -> list[str]:
    return [message_link(each.key, each.message_id) for each in found[:_MAX_LISTED]]


def _lines(held: Holdings) -> list[str]:
    """What is kept, by place; servers' channels are named as Discord shows them to who may see them."""
    lines: list[str] = [
        phrase("privacy_place_direct", n=place.num_turns)
        if place.key.guild_id is None
        else phrase("privacy_place", channel=f"<#{place.key.channel_id}>", n=place.num_turns)
        for place in held.places[:_MAX_LISTED]
    ]
    rest = held.places[_MAX_LISTED:]
    if rest:
        lines.append(phrase("privacy_more_places", num_places=len(rest), n=sum(place.num_turns for place in rest)))
    traces = held.traces
    lines.append(phrase("privacy_open", n=traces.num_open_questions))
    if traces.num_pins:
        lines.append(phrase("privacy_pins", n=traces.num_pins))
    lines.append(phrase("privacy_personas", n=traces.num_personas, num_changes=traces.num_changes))
    if traces.num_settings:
        lines.append(phrase("privacy_settings", n=traces.num_settings))
    return lines
