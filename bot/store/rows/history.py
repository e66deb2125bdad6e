"""What was said: each conversation's turns, what is kept of them in the prompt, and what is deleted.

A turn is stored when its answer is complete, together with the inbox's record that the answer exists. Every reset
begins a new epoch, and an answer of an older one is not stored: a reset during an answer wins.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlalchemy import Update, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.channel_settings import ChannelSettings
from bot.conversation.messages import ConversationKey, Question, Turn
from bot.conversation.persona import DEFAULT, Persona
from bot.conversation.pins import Pin
from bot.conversation.speakers import Speaker
from bot.store.files.database import Database
from bot.store.rows.conversations import (
    IS_CONVERSATION,
    KEY_COLUMNS,
    ConversationRow,
    ensure_conversation,
    find_conversation,
    key_in,
    key_params,
)
from bot.store.rows.deletion import (
    DeletedMessage,
    Due,
    MessageDeletion,
    begin_epoch,
    count_due,
    delete_hidden,
    delete_message,
    delete_turns,
    delete_turns_before,
    empty,
    find_known,
    find_messages,
    find_oldest,
    forget_channels,
    hide_turns,
    is_anything_hidden,
    show_hidden,
    withdraw,
)
from bot.store.rows.own_words import OwnWords
from bot.store.rows.personas import load_settings
from bot.store.rows.pins import Pins, delete_pins, hide_pins, load_speakers_and_pins
from bot.store.rows.questions import IS_OPEN, IS_ROW, row_params
from bot.store.rows.summaries import Summaries
from bot.store.rows.transcripts import Transcripts
from bot.store.rows.turns import (
    Answer,
    find_wanted,
    load_turns,
    save_answer,
    save_question,
    save_speakers,
)
from bot.store.tables import conversations, inbox, messages, pins


@dataclass(frozen=True, slots=True)
class Conversation:
    """What the next prompt of a channel is made of.

    `turns` begins with the first kept one. `epoch` counts the resets.
    """

    key: ConversationKey
    epoch: int = 0
    settings: ChannelSettings = field(default_factory=ChannelSettings)
    first_kept_turn_id: int | None = None
    is_trim_announced: bool = False
    turns: tuple[Turn, ...] = ()
    speakers: tuple[Speaker, ...] = ()
    pins: tuple[Pin, ...] = ()
    """What people asked to be kept in mind, oldest first."""


@dataclass(frozen=True, slots=True)
class Reset:
    """What a reset did, and when: the moment is its name. `waiting` and `answering` are the message ids of questions.

    All of them are the caller's to stop, and to be done with: those that waited get no answer any more, and those that
    are being answered won't be stored.
    """

    num_turns: int
    num_pins: int
    at: datetime
    waiting: tuple[int, ...]
    answering: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ChannelDeletion:
    """What went with a channel: turns, the conversations in it and in its threads, and ids of unanswered questions."""

    num_turns: int
    conversations: tuple[ConversationKey, ...]
    withdrawn: tuple[int, ...]


class History:
    """The turns of all conversations."""

    def __init__(self, database: Database, default_persona: Persona = DEFAULT) -> None:
        self.transcripts = Transcripts(database)
        """The same turns, for people to read."""
        self.summaries = Summaries(database, self.transcripts)
        """What is written in short of turns that have left a window."""
        self.own_words = OwnWords(database)
        """The same turns by who asked, and what else is kept of people."""
        self.pins = Pins(database)
        """What people asked to be kept in mind, which goes the way of the turns."""
        self._database = database
        self.default_persona = default_persona
        """Who answers where nobody chose."""

    async def load(self, key: ConversationKey, *, without_question: int | None = None) -> Conversation:
        """The state of a conversation; an empty one where nothing was said yet.

        `without_question` leaves one turn out, by its question's message id: the one that is to be answered again.
        """

        async def work(connection: AsyncConnection) -> Conversation:
            return await self._load(connection, key, await find_conversation(connection, key), without_question)

        return await self._database.read(work)

    def loading(self, key: ConversationKey) -> Callable[[AsyncConnection, ConversationRow], Awaitable[Conversation]]:
        """What `load` does, for a transaction that has the conversation's row already."""
        return lambda connection, row: self._load(connection, key, row, None)

    async def _load(
        self,
        connection: AsyncConnection,
        key: ConversationKey,
        row: ConversationRow | None,
        without_question: int | None,
    ) -> Conversation:
        parent_id = row.parent_channel_id if row else None
        settings = await load_settings(connection, key, parent_id, self.default_persona)
        if row is None:
            return Conversation(key, settings=settings)
        turns = await load_turns(connection, row, without_question)
        speakers, kept = await load_speakers_and_pins(connection, row.id)
        first, is_announced = row.first_kept_turn_id, row.is_trim_announced
        return Conversation(key, row.epoch, settings, first, is_announced, turns, speakers, kept)

    async def save_turn(
        self, question: Question, answer: Answer, *, epoch: int, speakers: Sequence[Speaker] = ()
    ) -> int | None:
        """Store a question with its complete answer; returns the turn's id. `speakers` are new labels of this turn's.

        The question's inbox row, if it has one, then knows the answer and is still to be delivered. An older answer
        to the same question is replaced. Returns None, and stores nothing, if the conversation was reset since
        `epoch` or the question was withdrawn.
        """
        now = self._database.clock()

        async def work(connection: AsyncConnection) -> int | None:
            row = await ensure_conversation(connection, question.conversation)
            wanted = await find_wanted(connection, row, question)
            if row.epoch != epoch or wanted is None:
                await withdraw(connection, IS_ROW & IS_OPEN, row_params(question))
                return None
            turn_id = await save_question(connection, row.id, wanted.turn_id, question, answer)
            await save_answer(connection, row.id, turn_id, wanted.generation, answer, now)
            await save_speakers(connection, row.id, speakers)
            await connection.execute(_NOTE_TURN, row_params(question) | {"turn_id": turn_id})
            return turn_id

        return await self._database.write(work)

    async def move_first_kept(self, key: ConversationKey, epoch: int, turn_id: int) -> bool:
        """Keep only turns from `turn_id` on in the prompt; one more than the newest turn's id keeps none.

        Moves forward only. False, and no effect, after a reset.
        """
        return await self._update(_MOVE_FIRST_KEPT, key, epoch, new_turn_id=turn_id)

    async def mark_trim_announced(self, key: ConversationKey, epoch: int) -> bool:
        """Note that the channel was told of the first trim since its reset; False if that was noted before."""
        return await self._update(_MARK_TRIM_ANNOUNCED, key, epoch)

    async def reset(self, key: ConversationKey) -> Reset:
        """Hide everything said and pinned in a conversation, and take the words out of the questions that wait in it.

        `purge_hidden` deletes it for good.
        """
        now = self._database.clock()

        async def work(connection: AsyncConnection) -> Reset:
            row = await ensure_conversation(connection, key)
            belongs = inbox.c.conversation_id == row.id
            answering = await connection.scalars(
                select(inbox.c.message_id).where(belongs, inbox.c.state == "answering").order_by(inbox.c.id)
            )
            waiting = await empty(connection, belongs & inbox.c.state.in_(("received", "waiting")))
            num_turns = await hide_turns(connection, row.id, now)
            num_pins = await hide_pins(connection, row.id, now)
            await begin_epoch(connection, [row.id])
            return Reset(num_turns, num_pins, now, waiting, tuple(answering))

        return await self._database.write(work)

    async def undo_reset(self, key: ConversationKey, since: datetime, at: datetime | None = None) -> int:
        """Bring back what the last reset hid, or that of the moment `at`, if that was later than `since`.

        Returns the number of turns and pins.

        What was said after the reset stays behind it, and an answer that is being written then is stored as well.
        Nothing comes back that waited, or that was being answered, at the reset.
        """

        async def work(connection: AsyncConnection) -> int:
            row = await ensure_conversation(connection, key)
            return await show_hidden(connection, row.id, since, at)

        return await self._database.write(work)

    async def purge_hidden(self, older_than: datetime | None = None) -> int:
        """Delete for good what was hidden before a moment, or all of it; returns the number of turns."""
        now = self._database.clock()
        num_turns = 0
        if await self._database.read(lambda connection: is_anything_hidden(connection, older_than, now)):
            num_turns = await self._database.write(
                lambda connection: delete_hidden(connection, older_than, now), is_long=True, is_alone=True
            )
        await self._database.erase_traces()
        return num_turns

    async def oldest(self) -> datetime | None:
        """When the oldest of what retention deletes was said; None where there is nothing."""
        return await self._database.read(find_oldest)

    async def count_older_than(self, moment: datetime) -> Due:
        """What `delete_older_than` would delete."""
        return await self._database.read(lambda connection: count_due(connection, moment))

    async def delete_older_than(self, moment: datetime) -> int:
        """Delete for good every turn from before a moment (retention); returns their number."""
        num_turns, is_all = 0, False
        while not is_all:
            num_deleted, is_all = await self._database.write(
                lambda connection: delete_turns_before(connection, moment), is_alone=True
            )
            num_turns += num_deleted
        await self._database.erase_traces()
        return num_turns

    async def delete_channel(self, platform: str, channel_id: int) -> ChannelDeletion:
        """Delete for good what was said in a channel and in its threads, and their persona choices."""

        async def work(connection: AsyncConnection) -> ChannelDeletion:
            found = await _with_threads(connection, platform, channel_id)
            keys, ids = tuple(found.values()), list(found)
            if all(key.channel_id != channel_id for key in keys):  # in which nothing was said, but perhaps chosen
                keys += (ConversationKey(platform, channel_id),)
            is_open = inbox.c.conversation_id.in_(ids) & IS_OPEN
            withdrawn = await withdraw(connection, is_open)
            num_turns = await delete_turns(connection, messages.c.conversation_id.in_(ids))
            await delete_pins(connection, pins.c.conversation_id.in_(ids))
            await begin_epoch(connection, ids)
            await forget_channels(connection, platform, {key.channel_id for key in keys})
            return ChannelDeletion(num_turns, keys, withdrawn)

        deletion = await self._database.write(work, is_alone=True)
        await self._database.erase_traces()
        return deletion

    async def delete_message(self, platform: str, message_id: int, *, leaves_shown: bool = False) -> MessageDeletion:
        """Follow the deletion of a message on the platform, and say what it was.

        A question takes its turn with it, and so does any part of an answer; a question without an answer is
        withdrawn. The parts of the answer that still exist are returned. What later answers repeated stays with them.
        With `leaves_shown`, a question that is open and of which something is shown stays as it is.
        """
        delete = partial(delete_message, platform=platform, message_id=message_id, leaves_shown=leaves_shown)
        deletion = await self._database.write(delete)
        if deletion.kind is not DeletedMessage.NOTHING:
            await self._database.erase_traces()
        return deletion

    async def known_among(self, platform: str, message_ids: Collection[int]) -> set[int]:
        """Those of these messages whose deletion means something, in one read that waits for no writer."""
        return await self._database.read(lambda connection: find_known(connection, platform, message_ids))

    async def message_ids(self, platform: str, channel_id: int, oldest: int, newest: int | None = None) -> set[int]:
        """The platform's ids, between two, of what was asked in a channel and of the parts of answers.

        Only of what a deletion would still change: turns of the history, and open questions.
        """
        return await self._database.read(
            lambda connection: find_messages(connection, platform, channel_id, oldest, newest)
        )

    async def _update(self, statement: Update, key: ConversationKey, epoch: int, **params: object) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            result = await connection.execute(statement, key_params(key) | {"its_epoch": epoch} | params)
            return result.rowcount == 1

        return await self._database.write(work)


_NOTE_TURN = update(inbox).where(IS_ROW)
_OF_EPOCH = update(conversations).where(IS_CONVERSATION, conversations.c.epoch == bindparam("its_epoch"))
_MOVE_FIRST_KEPT = _OF_EPOCH.where(
    conversations.c.first_kept_turn_id.is_(None) | (conversations.c.first_kept_turn_id < bindparam("new_turn_id"))
).values(first_kept_turn_id=bindparam("new_turn_id"))
_MARK_TRIM_ANNOUNCED = _OF_EPOCH.where(conversations.c.is_trim_announced.is_(False)).values(is_trim_announced=True)


async def _with_threads(connection: AsyncConnection, platform: str, channel_id: int) -> dict[int, ConversationKey]:
    """The conversations of a channel and of its threads, by the ids of their rows."""
    belongs = or_(conversations.c.channel_id == channel_id, conversations.c.parent_channel_id == channel_id)
    query = select(conversations.c.id, *KEY_COLUMNS).where(conversations.c.platform == platform, belongs)
    return {row.id: key_in(row) for row in await connection.execute(query)}
