"""Asking by a command, `/ask`, or about a message, by the entry "Ask Trinity" of its menu; also as a user install.

Where the bot is a member and may write, a question that everybody may see is shown as a message, which is then the
question's own: its answer replies to it, survives a restart, and is remembered like any other. What is asked privately,
or in a place that the bot isn't in, is answered in the reply to the command alone: see `interaction_answers`.

A menu hands over the whole message, so that this takes no privileged intent.
"""

import logging
from dataclasses import replace
from functools import partial
from typing import Any

import discord
from discord import app_commands

from bot.chat.chat import Preparation
from bot.conversation.messages import ConversationKey, Question
from bot.conversation.quotes import quoted
from bot.conversation.sanitize import has_visible_text
from bot.conversation.text_filter import without_live_parts
from bot.delivery.refusals import Rejected
from bot.delivery.split import MESSAGE_UNITS, utf16_length
from bot.discord.command_replies import NOT_TAKEN, CommandReply, reply_to
from bot.discord.commands.shared import TextOption, key_of, ready
from bot.discord.forms import form_id, open_form, written_in
from bot.discord.interaction_answers import PLATFORM as INTERACTION
from bot.discord.interaction_answers import InteractionAnswers
from bot.discord.interaction_requests import respond, until_taken
from bot.discord.markdown import escape_markdown
from bot.discord.mentions import names_of, readable
from bot.discord.messages import named_in, quoted_name, text_files_in, words_in
from bot.discord.receivers import Receivers
from bot.errors import DiscordError
from bot.words import Phrase, in_language, phrase

log = logging.getLogger(__name__)

MENU = "Ask Trinity"
KIND = "question"
"""Of its form."""
MESSAGE_FORGOTTEN = phrase("asked_about_forgotten")
WHAT_DOES_IT_SAY = phrase("question_form_default")
NOTHING_TO_READ = phrase("nothing_to_read")
NO_TEXT = phrase("no_text_hint")
_SHOWN_UNITS = 1500
_Text = app_commands.Transform[str, TextOption(4000)]


@app_commands.command(description=phrase("ask_description"))
@app_commands.describe(text=phrase("ask_text_option"), private=phrase("ask_private_option"))
@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
async def ask(interaction: discord.Interaction, text: _Text, private: bool = False) -> None:
    """`/ask`"""
    if not has_visible_text(text):
        await reply_to(interaction, ready(CommandReply(NO_TEXT)), is_private=True)
        return
    content = readable(text, names_of(interaction), interaction.application_id) or text
    await _put(interaction, content, phrase("asks", name=_name_of(interaction)), text, is_private=private)


@app_commands.context_menu(name=MENU)
@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
async def ask_about(interaction: discord.Interaction, message: discord.Message) -> None:
    """The entry of a message's menu: asks for the question in a form."""
    own_id = interaction.client.user.id if interaction.client.user else 0
    if not (words_in(message, own_id) or text_files_in(message)):
        await reply_to(interaction, ready(CommandReply(NOTHING_TO_READ)), is_private=True)
        return
    _receivers(interaction).asked_about.note(interaction.user.id, message)
    try:
        await open_form(interaction, question_form(message.id, interaction.locale))
    except (DiscordError, discord.DiscordException) as error:
        log.warning("a form in channel %s is not shown: %s", interaction.channel_id, error)


def question_form(message_id: int, locale: discord.Locale) -> discord.ui.Modal:
    """Asks what one wants to know about a message; left empty, what it says."""
    form = discord.ui.Modal(
        title=in_language(phrase("question_form_title"), locale), custom_id=form_id(KIND, str(message_id))
    )
    form.add_item(
        discord.ui.TextInput(
            label=in_language(phrase("question_form_label"), locale),
            placeholder=in_language(WHAT_DOES_IT_SAY, locale),
            required=False,
            max_length=1000,
            custom_id="question",
            style=discord.TextStyle.paragraph,
        )
    )
    return form


def message_of_form(interaction: discord.Interaction[Any], message_id: str) -> discord.Message | None:
    """The message that a form is about; None where this process wasn't handed it, or a long time ago."""
    return _receivers(interaction).asked_about.find(interaction.user.id, message_id)


async def ask_in_form(interaction: discord.Interaction[Any], message: discord.Message) -> None:
    """Ask what was written into the form about a message."""
    client = interaction.client
    words = written_in(interaction).get("question", "").strip() or in_language(WHAT_DOES_IT_SAY, interaction.locale)
    own_id = client.user.id if client.user else 0
    said = "\n\n".join(filter(None, (words_in(message, own_id, interaction.user), named_in(message))))
    is_own = message.author.id == own_id
    content = readable(words, names_of(interaction), own_id) or words
    if said:
        content = f"{content}\n\n{quoted(quoted_name(message.author, interaction.user), said, is_own=is_own)}"
    files = _receivers(interaction).files
    prepare = partial(files.add_to, message) if text_files_in(message) else None
    above = phrase("asks_about", name=_name_of(interaction), url=message.jump_url)
    await _put(interaction, content, above, words, prepare=prepare)


async def _put(
    interaction: discord.Interaction,
    content: str,
    above: Phrase,
    words: str,
    *,
    is_private: bool = False,
    prepare: Preparation | None = None,
) -> None:
    """Answer a question: in the channel where that may be, else in the reply to the interaction.

    Args:
        interaction: who asks, and where.
        content: the question as the model gets it.
        above: what is shown above the question in the channel.
        words: the question as it is shown there.
        is_private: whether nobody else is to see the answer.
        prepare: reads what belongs to the question.
    """
    receivers = _receivers(interaction)
    if is_private or not _may_write(interaction):
        key = replace(key_of(interaction), platform=INTERACTION, person_id=interaction.user.id)
        question = _question(interaction, key, interaction.id, content)
        answers = InteractionAnswers(receivers.chat, receivers.sender)
        await answers.answer(interaction, question, is_private=is_private, prepare=prepare)
        return
    shown = _shown(in_language(above, interaction.guild_locale or interaction.locale), words)
    try:
        answer = await respond(
            interaction,
            lambda: interaction.response.send_message(
                shown, suppress_embeds=True, allowed_mentions=discord.AllowedMentions.none()
            ),
        )
        # Where Discord's answer got lost, what is shown is looked for, since it is to be answered.
        message_id = (answer and answer.message_id) or (await until_taken(interaction.original_response)).id
    except Rejected as error:
        log.warning("a question in channel %s is not taken: %s", interaction.channel_id, error)
        await reply_to(interaction, ready(CommandReply(NOT_TAKEN)), is_private=True)
        return
    except (DiscordError, discord.DiscordException) as error:
        log.warning("a question in channel %s is not shown: %s", interaction.channel_id, error)
        return
    question = _question(interaction, key_of(interaction), message_id, content)
    receivers.answers.begin(receivers.chat.open(question, prepare))


def _question(interaction: discord.Interaction, key: ConversationKey, message_id: int, content: str) -> Question:
    client: Any = interaction.client
    return Question(
        conversation=key,
        message_id=message_id,
        author_id=interaction.user.id,
        author_name=interaction.user.display_name,
        content=content,
        created_at=client.clock.asked_at(discord.utils.snowflake_time(message_id)),
        is_direct=key.platform == INTERACTION or interaction.guild_id is None,
    )


def _shown(above: str, words: str) -> str:
    """The question as everybody sees it: each line a quotation, the end cut where it is long.

    It is shown in the bot's name, which no filter of the guild's may look at: so nothing in it is live.
    """
    lines = "\n".join(f"> {line}" for line in without_live_parts(words).splitlines())
    while utf16_length(lines) > min(_SHOWN_UNITS, MESSAGE_UNITS):
        lines = lines[: len(lines) * 9 // 10].rstrip() + "…"
    return f"-# {above}\n{lines}"


def _may_write(interaction: discord.Interaction) -> bool:
    """Whether the bot is in the place and may write messages there."""
    if interaction.guild_id is None:
        return interaction.context.dm_channel
    allowed = interaction.app_permissions
    is_thread = isinstance(interaction.channel, discord.Thread)
    may_send = allowed.send_messages_in_threads if is_thread else allowed.send_messages
    is_member = interaction.client.get_guild(interaction.guild_id) is not None
    closed = _receivers(interaction).sender.closed_channels
    return is_member and allowed.view_channel and may_send and not closed.is_closed(interaction.channel_id or 0)


def _name_of(interaction: discord.Interaction) -> str:
    return escape_markdown(interaction.user.display_name)


def _receivers(interaction: discord.Interaction) -> Receivers:
    client: Any = interaction.client
    receivers: Receivers = client.receivers
    return receivers
