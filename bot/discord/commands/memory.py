"""What the bot remembers of a conversation, shown to who asks: `/context` and `/export`."""

import discord
from discord import app_commands

from bot.chat.memory_desk import ContextView
from bot.conversation.messages import ConversationKey
from bot.discord.command_replies import CommandReply, ReplyFile, reply_to
from bot.discord.commands.shared import chat_of, key_of
from bot.discord.links import message_link
from bot.errors import NotAllowed
from bot.words import Phrase, joined, phrase

MAY_NOT_READ = phrase("may_not_read")
_MARKDOWN, _JSON = "md", "json"
_FORMATS = [
    app_commands.Choice(name="Markdown", value=_MARKDOWN),
    app_commands.Choice(name="JSON", value=_JSON),
]


@app_commands.command(description=phrase("context_description"))
async def context(interaction: discord.Interaction) -> None:
    """`/context`: what stands in the next prompt, and how much room is left."""

    async def work() -> CommandReply:
        require_reading(interaction)
        key = key_of(interaction)
        view = await chat_of(interaction).memory.context(key, interaction.user.id, interaction.user.display_name)
        return CommandReply(said_of_context(view, key))

    await reply_to(interaction, work(), is_private=True)


@app_commands.command(description=phrase("export_description"))
@app_commands.describe(form=phrase("form_option"))
@app_commands.rename(form="format")
@app_commands.choices(form=_FORMATS)
async def export(interaction: discord.Interaction, form: str = _MARKDOWN) -> None:
    """`/export`: what is remembered here, as a file for the asker alone."""

    async def work() -> CommandReply:
        require_reading(interaction)
        copy = await chat_of(interaction).memory.copy(key_of(interaction), as_json=form == _JSON)
        if not (copy.num_turns or copy.num_pins):
            return CommandReply(phrase("nothing_remembered"))
        said = phrase("exported" if copy.is_whole else "exported_newest", n=copy.num_turns)
        return CommandReply(
            said, attached=ReplyFile(f"conversation.{_JSON if form == _JSON else _MARKDOWN}", copy.text)
        )

    await reply_to(interaction, work(), is_private=True)


def require_reading(interaction: discord.Interaction) -> None:
    """Refuse who can't read in the channel what was said before.

    Raises:
        NotAllowed: they can't.
    """
    allowed = interaction.permissions
    if interaction.guild_id is not None and not (allowed.read_message_history or allowed.administrator):
        raise NotAllowed(MAY_NOT_READ)


def said_of_context(view: ContextView, key: ConversationKey) -> Phrase:
    """A view in words."""
    num_tokens = dict(view.use.num_section_tokens)
    num_persona_tokens, num_pin_tokens = num_tokens.pop("persona", 0), num_tokens.pop("pins", 0)
    lines = [
        phrase("context_window", n=view.num_window_tokens),
        phrase("context_persona", n=num_persona_tokens),
        *([phrase("context_pins", n=num_pin_tokens, num_pins=view.num_pins)] if view.num_pins else []),
        phrase("context_notes", n=sum(num_tokens.values())),
        phrase("context_turns", n=view.use.num_turn_tokens, num_turns=len(view.use.turn_ids)),
        phrase("context_answer", n=view.num_answer_tokens),
        phrase("context_free", n=view.use.num_free_tokens),
    ]
    if view.oldest is not None:
        when = f"<t:{int(view.oldest.asked_at.timestamp())}:f>"
        lines.append(phrase("context_since", when=when, link=message_link(key, view.oldest.message_id)))
    lines += [phrase("context_trimmed" if view.was_trimmed else "context_whole"), view.mode]
    return joined(lines)
