"""What the bot says of itself: `/help`, `/about` and `/stats`."""

import time

import discord
from discord import app_commands

from bot import __version__
from bot.chat.tally import Count
from bot.discord.command_replies import CommandReply, reply_to
from bot.discord.commands.shared import Right, chat_of, key_of, may, ready
from bot.discord.messages import PLATFORM
from bot.words import Phrase, joined, phrase


@app_commands.command(name="help", description=phrase("help_description"))
async def show_help(interaction: discord.Interaction) -> None:
    """`/help`: what the person may do here, and nothing else."""
    await reply_to(interaction, ready(CommandReply(_help(interaction))), is_private=True)


@app_commands.command(description=phrase("about_description"))
async def about(interaction: discord.Interaction) -> None:
    """`/about`: version, model with the notice that its licence asks for, and what is kept."""
    here = chat_of(interaction).about
    model = phrase("about_model", model=here.model_name) if here.model_name else phrase("about_demo_model")
    kept = phrase("about_kept_days", n=here.retention_days) if here.retention_days else phrase("about_kept")
    lines: list[str] = [phrase("about_version", version=__version__), model]
    if here.model_notice:
        lines.append(here.model_notice)
    lines.append(phrase("about_licence"))
    if here.source_url:
        lines.append(phrase("about_source", url=here.source_url))
    lines += [phrase("about_stored"), kept]
    await reply_to(interaction, ready(CommandReply(joined(lines))), is_private=True)


@app_commands.command(description=phrase("stats_description"))
async def stats(interaction: discord.Interaction) -> None:
    """`/stats`: answers and their speed since the start, in all and here; nothing of any other place."""
    tally, key = chat_of(interaction).tally, key_of(interaction)
    since = f"<t:{int(time.time() - tally.seconds)}:R>"
    place_id = key.channel_id if key.guild_id is None else key.guild_id
    here = tally.of(PLATFORM, place_id)
    lines = [
        phrase("stats_since", when=since),
        phrase("stats_all", counted=_counted(tally.total)),
        phrase("stats_direct" if key.guild_id is None else "stats_server", counted=_counted(here)),
    ]
    await reply_to(interaction, ready(CommandReply(joined(lines))), is_private=True)


def _help(interaction: discord.Interaction) -> Phrase:
    lines: list[str] = [phrase("help"), "", phrase("help_ask")]
    if may(interaction, Right.RESET):
        lines.append(phrase("help_reset"))
    lines += [phrase("help_look"), phrase("help_memory")]
    if may(interaction, Right.PIN):
        lines.append(phrase("help_pins"))
    if isinstance(interaction.channel, discord.TextChannel) and interaction.permissions.create_public_threads:
        lines.append(phrase("help_thread"))
    if may(interaction, Right.CHANGE_PERSONAS):
        lines += [phrase("help_personas"), phrase("help_forms")]
    if may(interaction, Right.CHANGE_SETTINGS):
        lines.append(phrase("help_settings"))
    return joined([*lines, phrase("help_about"), phrase("help_stop"), phrase("help_doubt")])


def _counted(count: Count) -> Phrase:
    answers = phrase("stats_answers", n=count.num_answers, num_tokens=count.num_new_tokens)
    speed = count.tokens_per_second
    return phrase("stats_with_speed", answers=answers, speed=speed) if speed else answers
