"""Clicks on the buttons below answers: Stop while one grows, then Again and Continue.

discord.py's views live in memory; these buttons outlive the process. So a click is read from its custom id alone, and
what that says is believed of nobody: the answer has to be one of the channel in which the click was made, and who
clicks has to be who asked, or a moderator there (Manage Messages).
"""

import asyncio
from contextlib import suppress
from typing import Any

import discord

from bot.chat.chat import Chat, LastTurn, StopReason
from bot.conversation.messages import ConversationKey
from bot.delivery.answers import Answers
from bot.delivery.sender import Sender
from bot.delivery.transport import Button, ButtonKind
from bot.discord.access import may_interact, may_moderate
from bot.discord.clicks import acknowledge, custom_id_of_click, refuse, say_privately, show_instead
from bot.discord.command_replies import CommandReply, reply_or_error
from bot.discord.components import button_of, is_answer_button
from bot.discord.messages import PLATFORM
from bot.errors import UserError
from bot.words import phrase

RESTARTING = phrase("restarting")
BUSY = phrase("still_answering")
GONE = phrase("button_gone")
OVER = phrase("answer_over")
NOT_THE_LAST = phrase("not_the_last")
NOTHING_ASKED = phrase("nothing_asked")
NOT_HERE = phrase("not_possible_now")
NOT_YOURS = phrase("not_your_answer")
_DELIVERY_SECONDS = 10.0
"""How long a click waits for the last edits of the answer that it is about."""


class AnswerButtons:
    """Does what a click on a button below an answer asks for."""

    def __init__(self, chat: Chat, sender: Sender, answers: Answers) -> None:
        self._chat = chat
        self._sender = sender
        self._answers = answers
        self._begun: set[tuple[int, int]] = set()
        """The answers, by question and generation, that are being replaced or gone on with at somebody's wish."""

    async def take(self, interaction: discord.Interaction[Any]) -> None:
        """Follow an interaction if it is such a click; whoever may not click, or comes too late, is told privately."""
        custom_id = custom_id_of_click(interaction)
        if not is_answer_button(custom_id):
            return
        self._sender.pacer.spend()
        if not await may_interact(interaction):
            return
        button = button_of(custom_id) if self._sender.has_buttons else None
        if self._answers.is_draining or button is None:
            await refuse(interaction, GONE if button is None else RESTARTING)
        elif button.kind is ButtonKind.STOP:
            words = self._stop(interaction, button)
            await (acknowledge(interaction) if words is None else refuse(interaction, words))
        elif await acknowledge(interaction):
            words = (await reply_or_error(interaction, self._answer_anew(interaction, button))).text
            if words in (NOT_THE_LAST, NOTHING_ASKED):  # nor will it ever be again: the button goes
                await show_instead(interaction, None)
            if words:
                await say_privately(interaction, words)

    def _stop(self, interaction: discord.Interaction[Any], button: Button) -> str | None:
        """Stop the answer, which keeps what was said; returns why that can't be. A second click does nothing."""
        exchange = self._chat.exchanges.asked_by(PLATFORM, button.question_id)
        is_here = exchange is not None and exchange.channel_id == interaction.channel_id
        if exchange is None or not is_here or exchange.generation != button.generation:
            return OVER
        if not may_moderate(interaction, exchange.asker_id):
            return NOT_YOURS
        if exchange.can_stop:
            exchange.stop(StopReason.ASKED, keep=True)
        return None

    async def _answer_anew(self, interaction: discord.Interaction[Any], button: Button) -> CommandReply:
        """Begin another answer, or the rest of it. A second click does nothing, and nothing is said of it."""
        answer = (button.question_id, button.generation)
        if answer in self._begun:
            return CommandReply("")
        self._begun.add(answer)
        try:
            return CommandReply(await self._begin(interaction, button))
        except UserError as error:
            return CommandReply(str(error))
        finally:
            self._begun.discard(answer)

    async def _begin(self, interaction: discord.Interaction[Any], button: Button) -> str:
        person_id = interaction.user.id
        key = ConversationKey(PLATFORM, interaction.channel_id or 0, interaction.guild_id)
        await self._wait_delivered(button)
        turn = await self._chat.last_turn_asked_by(key, button.question_id)
        words = NOT_THE_LAST if turn is None else self._refusal(interaction, key, button, turn)
        if words is not None:
            return words
        await self._chat.take_turn(key, person_id, interaction.id)
        begin = self._chat.again if button.kind is ButtonKind.AGAIN else self._chat.continue_answer
        self._answers.begin(await begin(key, button.question_id, person_id, generation=button.generation))
        return ""

    def _refusal(
        self, interaction: discord.Interaction[Any], key: ConversationKey, button: Button, turn: LastTurn
    ) -> str | None:
        """Why nothing is begun, before it costs a turn; nothing is said where the answer was replaced already."""
        words: str | None = None
        if turn.generation < button.generation:
            words = NOT_THE_LAST
        elif not may_moderate(interaction, turn.author_id):
            words = NOT_YOURS
        elif turn.generation > button.generation:
            words = ""  # it was answered anew already: the click was one of two
        elif not turn.has_words:
            words = NOTHING_ASKED
        elif self._chat.queue.is_busy(self._chat.settings.conversation_of(key, turn.author_id).identity):
            words = BUSY
        elif self._sender.closed_channels.is_closed(key.channel_id) or _is_shut(interaction.channel):
            words = NOT_HERE
        return words

    async def _wait_delivered(self, button: Button) -> None:
        """The buttons appear with the last words, a moment before the answer is done with."""
        exchange = self._chat.exchanges.asked_by(PLATFORM, button.question_id)
        if exchange is not None and exchange.generation == button.generation and not exchange.can_stop:
            with suppress(TimeoutError):
                async with asyncio.timeout(_DELIVERY_SECONDS):
                    await exchange.wait_closed()


def _is_shut(channel: object) -> bool:
    """Whether nothing can be changed there: a thread that is locked, or closed for now."""
    return isinstance(channel, discord.Thread) and (channel.locked or channel.archived)
