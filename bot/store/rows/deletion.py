"""Statements that delete for good: what was reset, what is too old, what a channel held.

Deleting a user's message deletes its answer with it; the inbox keeps only that the question was seen. A message that is
deleted on the platform may be a question, a part of an answer, or nothing of ours.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    text,
    union,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import ConversationKey
from bot.store.rows.chosen_settings import Scope, forget_settings
from bot.store.rows.conversations import KEY_COLUMNS, in_channel, key_in
from bot.store.rows.locks import lock_conversations_of_message
from bot.store.rows.persona_texts import forget_persona_texts
from bot.store.rows.questions import ERASED, IS_OPEN, OPEN_STATES
from bot.store.tables import (
    conversations,
    hints,
    inbox,
    messages,
    parts,
    persona_changes,
    persona_choices,
    personas,
    pins,
    speakers,
    summaries,
    summarised_turns,
)

ANSWER = "answer"
"""The purpose of those parts that make up an answer; all others are notices."""
MAX_DELETED_AT_ONCE = 1000
"""Turns in one transaction, so that a great many don't hold up those who write."""


async def is_anything_hidden(
    connection: AsyncConnection, hidden_until: datetime | None = None, now: datetime | None = None
) -> bool:
    """Whether `delete_hidden` has anything to do: it is asked every few seconds, and nearly always there is not."""
    if hidden_until is None:
        return bool(await connection.scalar(_IS_ANYTHING_HIDDEN))
    params = {"hidden_until": hidden_until, "hidden_after": now}
    return bool(await connection.scalar(_IS_ANYTHING_HIDDEN_BEFORE, params))


async def delete_hidden(
    connection: AsyncConnection, hidden_until: datetime | None = None, now: datetime | None = None
) -> int:
    """Delete what a reset hid, up to a moment if one is given; returns the number of turns.

    With `now`, what was hidden later than now goes too: the clock was set back, and it must not wait for that.
    """
    num_turns = sum([await delete_turns(connection, is_hidden) for is_hidden in _hidden(messages, hidden_until, now)])
    for is_hidden in _hidden(pins, hidden_until, now):
        await connection.execute(delete(pins).where(is_hidden))
    await connection.execute(update(inbox).where(*_HAS_STALE_TEXT).values(content="", author_name=""))
    return num_turns


async def find_oldest(connection: AsyncConnection) -> datetime | None:
    """When the oldest of what people said, pinned or did to personas is from; None where there is nothing."""
    moments = [await connection.scalar(_first(column, *conditions)) for column, *conditions in _AGES]
    return min((moment for moment in moments if moment is not None), default=None)


@dataclass(frozen=True, slots=True)
class Due:
    """What is older than it may get: turns, of how many conversations, from when on; pins and changes to personas."""

    num_turns: int
    num_conversations: int
    oldest: datetime | None
    num_pins: int
    num_persona_changes: int

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.num_turns or self.num_pins or self.num_persona_changes)


async def count_due(connection: AsyncConnection, moment: datetime) -> Due:
    """How much `delete_turns_before` would delete in all."""
    old = (messages.c.role == "user", messages.c.created_at < moment)
    conversations_of = func.count(messages.c.conversation_id.distinct())
    counted = await connection.execute(
        select(func.count(), conversations_of, func.min(messages.c.created_at)).where(*old)
    )
    num_turns, num_conversations, oldest = counted.one()
    others = [
        int(await connection.scalar(select(func.count()).select_from(column.table).where(column < moment)) or 0)
        for column in (pins.c.created_at, persona_changes.c.changed_at)
    ]
    return Due(num_turns, num_conversations, oldest, *others)


async def delete_turns_before(connection: AsyncConnection, moment: datetime) -> tuple[int, bool]:
    """Delete turns from before a moment, a thousand at most; returns their number, and whether nothing is left.

    Behind the last of them go the questions that are done with, as many at a time, and with the last of these the pins,
    the hints and the record of personas, from before that moment. Nobody else writes meanwhile, so none takes long.
    """
    is_old = and_(messages.c.role == "user", messages.c.created_at < moment)
    oldest = select(messages.c.id).where(is_old).order_by(messages.c.created_at).limit(MAX_DELETED_AT_ONCE)
    num_turns = await delete_turns(connection, messages.c.id.in_(oldest))
    if num_turns == MAX_DELETED_AT_ONCE:
        return num_turns, False
    is_done_with = and_(inbox.c.received_at < moment, ~IS_OPEN, inbox.c.turn_id.is_(None))
    done_with = select(inbox.c.id).where(is_done_with).limit(MAX_DELETED_AT_ONCE)
    if (await connection.execute(delete(inbox).where(inbox.c.id.in_(done_with)))).rowcount == MAX_DELETED_AT_ONCE:
        return num_turns, False
    old_pins = delete(pins).where(pins.c.created_at < moment).returning(pins.c.conversation_id)
    if concerned := {*await connection.scalars(old_pins)}:
        await forget_unknown(connection, concerned)
    await connection.execute(delete(hints).where(hints.c.day < moment.date()))
    await connection.execute(delete(persona_changes).where(persona_changes.c.changed_at < moment))
    return num_turns, True


async def withdraw(
    connection: AsyncConnection, condition: ColumnElement[bool], params: Mapping[str, Any] | None = None
) -> tuple[int, ...]:
    """Withdraw those questions and empty them; returns their message ids, oldest first."""
    statement = update(inbox).where(condition).values(state="withdrawn", content="", author_name="")
    result = await connection.execute(statement.returning(inbox.c.id, inbox.c.message_id), params)
    return tuple(row.message_id for row in sorted(result.all()))


async def empty(connection: AsyncConnection, condition: ColumnElement[bool], **values: object) -> tuple[int, ...]:
    """Take the words out of open questions; returns their message ids, oldest first.

    They stay open until nothing is shown any more that says that they wait: a process that dies before leaves that to
    the next one.
    """
    statement = update(inbox).where(condition, IS_OPEN).values(content="", author_name="", **values)
    result = await connection.execute(statement.returning(inbox.c.id, inbox.c.message_id))
    return tuple(row.message_id for row in sorted(result.all()))


async def forget_channels(connection: AsyncConnection, platform: str, channel_ids: Collection[int]) -> None:
    """Forget that these channels exist, what was chosen for them, and their personas.

    Those are the chosen ones, those of a direct message, and who did what.
    """
    await forget_settings(connection, platform, Scope.CHANNEL, channel_ids)
    await connection.execute(
        update(conversations)
        .where(conversations.c.platform == platform, conversations.c.channel_id.in_(channel_ids))
        .values(last_message_id=None)
    )
    await connection.execute(
        delete(persona_choices).where(
            persona_choices.c.platform == platform, persona_choices.c.channel_id.in_(channel_ids)
        )
    )
    await connection.execute(
        delete(personas).where(
            personas.c.platform == platform, personas.c.scope == "channel", personas.c.scope_id.in_(channel_ids)
        )
    )
    await connection.execute(
        delete(persona_changes).where(
            persona_changes.c.platform == platform, persona_changes.c.channel_id.in_(channel_ids)
        )
    )


async def begin_epoch(connection: AsyncConnection, conversation_ids: Collection[int]) -> None:
    """Reset conversations: answers asked for before this moment are not stored any more, and nobody is known."""
    await connection.execute(delete(speakers).where(speakers.c.conversation_id.in_(conversation_ids)))
    await connection.execute(
        update(conversations)
        .where(conversations.c.id.in_(conversation_ids))
        .values(epoch=conversations.c.epoch + 1, first_kept_turn_id=None, is_trim_announced=False)
    )


async def hide_turns(connection: AsyncConnection, conversation_id: int, now: datetime) -> int:
    """Take a conversation's turns out of every later prompt; returns their number."""
    result = await connection.execute(
        update(messages)
        .where(messages.c.conversation_id == conversation_id, messages.c.hidden_at.is_(None))
        .values(hidden_at=now)
    )
    return result.rowcount // 2  # a turn is two messages


async def show_hidden(connection: AsyncConnection, conversation_id: int, since: datetime, at: datetime | None) -> int:
    """Bring back what a conversation's last reset hid, or that of the moment `at`, if that was later than `since`.

    Returns the number of turns and pins.

    All that one reset hides has the same moment. A purge at the same time deletes no row of it, or all.
    """
    last = at
    if last is None:
        hidden = [
            await connection.scalar(
                select(func.max(table.c.hidden_at)).where(table.c.conversation_id == conversation_id)
            )
            for table in (messages, pins)
        ]
        last = max((moment for moment in hidden if moment is not None), default=None)
    if last is None or last <= since:
        return 0
    num_messages, num_pins = [
        (
            await connection.execute(
                update(table)
                .where(table.c.conversation_id == conversation_id, table.c.hidden_at == last)
                .values(hidden_at=None)
            )
        ).rowcount
        for table in (messages, pins)
    ]
    if num_messages:
        # How far the prompt reached before isn't known any more: it is found again at the next question.
        await connection.execute(
            update(conversations).where(conversations.c.id == conversation_id).values(first_kept_turn_id=None)
        )
    return num_messages // 2 + num_pins


async def forget_unknown(connection: AsyncConnection, conversation_ids: Collection[int]) -> None:
    """Forget the labels of those who have no turn and no pin left in these conversations."""
    here = speakers.c
    is_theirs = [
        and_(table.c.conversation_id == here.conversation_id, table.c.author_id == here.author_id)
        for table in (messages, pins)
    ]
    has_spoken, has_pinned = exists(messages.c.id).where(is_theirs[0]), exists(pins.c.id).where(is_theirs[1])
    is_unknown = and_(here.conversation_id.in_(conversation_ids), ~has_spoken, ~has_pinned)
    await connection.execute(delete(speakers).where(is_unknown))


async def delete_turns(connection: AsyncConnection, condition: ColumnElement[bool]) -> int:
    """Delete turns, picked by a condition on their user messages; returns their number.

    Who has no turn and no pin left in a conversation loses their label there, and a persona's text goes with its last
    answer.
    """
    is_picked = and_(messages.c.role == "user", condition)
    # Not DISTINCT: for that, SQLite would rather read the whole table in the order of conversations.
    concerned = set(await connection.scalars(select(messages.c.conversation_id).where(is_picked)))
    if not concerned:
        return 0
    answers = messages.alias("answers")
    of_picked = answers.c.turn_id.in_(select(messages.c.id).where(is_picked))
    persona_hashes = set(await connection.scalars(select(answers.c.persona_hash).where(of_picked)))
    # First: a piece of a summary goes with any of its turns, and once that is gone it isn't known which.
    summary_ids = select(summarised_turns.c.summary_id).where(
        summarised_turns.c.turn_id.in_(select(messages.c.id).where(is_picked))
    )
    await connection.execute(delete(summaries).where(summaries.c.id.in_(summary_ids)))
    result = await connection.execute(delete(messages).where(is_picked))
    await forget_unknown(connection, concerned)
    await forget_persona_texts(connection, persona_hashes)
    return result.rowcount


# The text's condition is written out as in the index on it (tables.py): SQLite uses that for the very same words only.
_HAS_STALE_TEXT = (
    text("inbox.content <> ''"),
    select(conversations.c.id)
    .where(conversations.c.id == inbox.c.conversation_id, conversations.c.epoch > inbox.c.epoch)
    .exists(),
)


_AGES = (
    # Joined to nothing, the role fits no index: newer SQLites would sort the whole index of questions by age.
    (messages.c.created_at, messages.c.role.concat("") == "user"),
    (persona_changes.c.changed_at,),
    (pins.c.created_at,),
)


def _hidden(table: Table, hidden_until: datetime | None, now: datetime | None) -> Iterator[ColumnElement[bool]]:
    # One by one: with OR between them, SQLite would rather read the whole table.
    if hidden_until is None:
        yield table.c.hidden_at.is_not(None)
        return
    yield table.c.hidden_at <= hidden_until
    if now is not None:
        yield table.c.hidden_at > now


_HAS_STALE_ROW = exists(inbox.c.id).where(*_HAS_STALE_TEXT)
_HAVE_HIDDEN = (messages.c, pins.c)
_IS_ANYTHING_HIDDEN = select(
    or_(*(exists(columns.id).where(columns.hidden_at.is_not(None)) for columns in _HAVE_HIDDEN), _HAS_STALE_ROW)
)
_IS_ANYTHING_HIDDEN_BEFORE = select(
    or_(
        *(exists(columns.id).where(columns.hidden_at <= bindparam("hidden_until")) for columns in _HAVE_HIDDEN),
        *(exists(columns.id).where(columns.hidden_at > bindparam("hidden_after")) for columns in _HAVE_HIDDEN),
        _HAS_STALE_ROW,
    )
)


def _first(column: Column[Any], *conditions: ColumnElement[bool]) -> Select[Any]:
    return select(column).where(*conditions).order_by(column).limit(1)


class DeletedMessage(StrEnum):
    """What a deleted message was."""

    NOTHING = "nothing"
    """Unknown, a notice of ours, or a part that we deleted ourselves."""
    OPEN_QUESTION = "open question"
    """A question without a complete answer, or a part of that answer: withdrawn."""
    TURN = "turn"
    """A question with its answer, or a part of that: both are out of the history."""


@dataclass(frozen=True, slots=True)
class MessageDeletion:
    """What was deleted, of which conversation and question."""

    kind: DeletedMessage
    conversation: ConversationKey | None = None
    question_message_id: int | None = None
    is_asked: bool = False
    """Whether it was the question, or a message in which that goes on; else it was a part of the answer."""


_NOTHING = MessageDeletion(DeletedMessage.NOTHING)
_INBOX = (inbox.c.id, inbox.c.state, inbox.c.turn_id, inbox.c.message_id, inbox.c.asked_with, *KEY_COLUMNS)


async def delete_message(
    connection: AsyncConnection, platform: str, message_id: int, *, leaves_shown: bool
) -> MessageDeletion:
    """Follow a message's deletion: delete the turn or withdraw the question that it belongs to.

    With `leaves_shown`, an open question stays open where messages of ours say something about it; where one of them
    was deleted, it is emptied as if its words were erased.
    """
    await lock_conversations_of_message(connection, platform, message_id)
    of_platform = select(*_INBOX).join(conversations).where(inbox.c.platform == platform)
    row = (await connection.execute(of_platform.where(inbox.c.message_id == message_id))).one_or_none()
    is_asked = row is not None
    if row is not None and row.asked_with is not None:
        first = (await connection.execute(of_platform.where(inbox.c.message_id == row.asked_with))).one_or_none()
        row = first or row
    if row is None:
        part = await _take_part(connection, platform, message_id)
        if part is None:
            return await _delete_old_turn(connection, platform, message_id)
        if part.is_surplus or part.purpose != ANSWER:
            return _NOTHING
        row = (await connection.execute(of_platform.where(inbox.c.id == part.inbox_id))).one()
        if leaves_shown and row.state in OPEN_STATES:  # whoever resumes it takes the rest of the answer out
            if row.turn_id is not None:
                await delete_turns(connection, messages.c.id == row.turn_id)
            await empty(connection, inbox.c.id == row.id, epoch=ERASED)
            return MessageDeletion(DeletedMessage.OPEN_QUESTION, key_in(row), row.message_id)
    elif leaves_shown and row.state in OPEN_STATES and await _is_shown(connection, row.id):
        return _NOTHING
    return await _delete_question(connection, row, is_asked=is_asked)


async def _is_shown(connection: AsyncConnection, inbox_id: int) -> bool:
    return await connection.scalar(select(parts.c.message_id).where(parts.c.inbox_id == inbox_id).limit(1)) is not None


async def _take_part(connection: AsyncConnection, platform: str, message_id: int) -> Row[int, str, bool] | None:
    """Delete the part's row and return what it said."""
    of_platform = select(inbox.c.id).where(inbox.c.id == parts.c.inbox_id, inbox.c.platform == platform)
    statement = delete(parts).where(parts.c.message_id == message_id, of_platform.exists())
    returned = statement.returning(parts.c.inbox_id, parts.c.purpose, parts.c.is_surplus)
    return (await connection.execute(returned)).first()


async def _delete_question(
    connection: AsyncConnection, row: Row[*tuple[Any, ...]], *, is_asked: bool
) -> MessageDeletion:
    if row.turn_id is not None:
        await delete_turns(connection, messages.c.id == row.turn_id)
    withdrawn = await withdraw(connection, and_(inbox.c.id == row.id, IS_OPEN))
    if row.turn_id is None and not withdrawn:
        return _NOTHING
    kind = DeletedMessage.OPEN_QUESTION if row.turn_id is None else DeletedMessage.TURN
    return MessageDeletion(kind, key_in(row), row.message_id, is_asked)


async def _delete_old_turn(connection: AsyncConnection, platform: str, message_id: int) -> MessageDeletion:
    """Delete a turn whose inbox row is gone, or never was: the terminal's."""
    query = (
        select(messages.c.id, *KEY_COLUMNS)
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .where(conversations.c.platform == platform, messages.c.message_id == message_id)
    )
    row = (await connection.execute(query)).first()
    if row is None:
        return _NOTHING
    await delete_turns(connection, messages.c.id == row.id)
    return MessageDeletion(DeletedMessage.TURN, key_in(row), message_id, is_asked=True)


async def find_known(connection: AsyncConnection, platform: str, message_ids: Collection[int]) -> set[int]:
    """Which of these messages are known at all: questions, parts of answers, users' messages in the history."""
    queries = (
        select(inbox.c.message_id).where(inbox.c.platform == platform, inbox.c.message_id.in_(message_ids)),
        select(parts.c.message_id).join(inbox).where(
            inbox.c.platform == platform, parts.c.message_id.in_(message_ids)
        ),
        select(messages.c.message_id).join(conversations).where(
            conversations.c.platform == platform, messages.c.message_id.in_(message_ids)
        ),
    )  # fmt: skip
    return set(await connection.scalars(union(*queries)))


async def find_messages(
    connection: AsyncConnection, platform: str, channel_id: int, oldest: int, newest: int | None
) -> set[int]:
    """Ids between two of what `delete_message` would follow in a channel."""
    is_here = in_channel(platform, channel_id)
    is_open, is_visible = IS_OPEN, messages.c.hidden_at.is_(None)
    has_turn = inbox.c.turn_id.in_(select(messages.c.id).where(is_visible))
    is_answer = and_(parts.c.purpose == ANSWER, parts.c.is_surplus.is_(False), or_(is_open, has_turn))
    first = inbox.alias("first")
    is_first = and_(first.c.platform == inbox.c.platform, first.c.message_id == inbox.c.asked_with)
    holds = or_(first.c.state.in_(OPEN_STATES), first.c.turn_id.in_(select(messages.c.id).where(is_visible)))
    queries = (
        (inbox.c.message_id, inbox.join(conversations).join(first, is_first), holds),
        (messages.c.message_id, messages.join(conversations), is_visible),
        (inbox.c.message_id, inbox.join(conversations), is_open),
        (parts.c.message_id, parts.join(inbox).join(conversations), is_answer),
    )
    found: set[int] = set()
    for column, source, condition in queries:
        in_range = column >= oldest if newest is None else column.between(oldest, newest)
        found.update(await connection.scalars(select(column).select_from(source).where(is_here, condition, in_range)))
    return found
