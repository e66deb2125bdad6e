"""The inbox: one committed row per question before anything of it is shown, so that none is lost or answered twice.

    received -> waiting -> answering -> answered
                                     -> failed, refused, expired, withdrawn

An attempt is counted before it is made, and every message that shows a part of the answer is committed before the
next one is sent. So a restart knows what to answer, with which seed, and what is already there to be edited.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

from sqlalchemy import Integer, Select, and_, bindparam, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import ConversationKey, Question
from bot.conversation.shard import WHOLE, Shard
from bot.conversation.turn_limits import NO_LIMITS, TurnLimits
from bot.store.files.database import Database
from bot.store.rows.conversations import KEY_COLUMNS, ConversationRow, ensure_conversation, in_channel, in_shard, key_in
from bot.store.rows.locks import lock_conversation_of
from bot.store.rows.questions import (
    IS_OPEN,
    IS_ROW,
    OPEN_QUESTION,
    OPEN_QUESTIONS,
    PART_COLUMNS,
    PARTS_OF_QUESTION,
    ROW_ID,
    AnswerKind,
    Attempt,
    InboxState,
    KnownChannel,
    OpenQuestion,
    Part,
    question_values,
    read_attempt,
    read_open_question,
    read_parts,
    row_params,
)
from bot.store.rows.reception import RECEIVE, store_more, store_refused
from bot.store.rows.regeneration import (
    LastTurn,
    begin_generation,
    edit_answered,
    edit_open,
    find_last_turn,
    reopen,
)
from bot.store.rows.turn_limits import TakenTurn, give_back_untried, take_turn
from bot.store.tables import conversations, hints, inbox, inserts, messages, parts, turns_taken

T = TypeVar("T")

_NOT_ANSWERED = (InboxState.FAILED, InboxState.REFUSED, InboxState.EXPIRED)


class Inbox:
    """The questions of all conversations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check_writable(self) -> None:
        """Find out whether a question could be committed just now; raises `StoreError` where it couldn't."""
        await self._database.check_writable()

    async def receive(self, question: Question, limits: TurnLimits = NO_LIMITS) -> bool:
        """Commit a question; False if it was received before, whatever became of it.

        Raises:
            TurnsSpent: there are `limits`, and this one is beyond them; nothing was committed.
        """
        return await self._receive(question, limits, _is_received, state="received") is not None

    async def receive_and_begin(
        self,
        question: Question,
        limits: TurnLimits,
        *,
        seed: int,
        load: Callable[[AsyncConnection, ConversationRow], Awaitable[T]],
    ) -> tuple[Attempt, T] | None:
        """Commit a question that is answered at once, with its first attempt counted, as `begin_attempt` does.

        Returns the attempt and what `load` read in the same transaction; None if the question was received before.

        Raises:
            TurnsSpent: as for `receive`.
        """
        values = {"state": "answering", "attempts": 1, "seed": seed}
        loaded = await self._receive(question, limits, load, **values)
        return None if loaded is None else (Attempt(question, attempts=1, generation=0, seed=seed), loaded)

    async def _receive(
        self,
        question: Question,
        limits: TurnLimits,
        load: Callable[[AsyncConnection, ConversationRow], Awaitable[T]],
        **values: object,
    ) -> T | None:
        now = self._database.clock()
        turn = _turn_of(question)

        async def work(connection: AsyncConnection) -> T | None:
            newest = max(question.message_id, *question.more_ids, 0)
            row = await ensure_conversation(connection, question.conversation, asked=newest)
            fixed = {"conversation_id": row.id, "epoch": row.epoch, "received_at": now}
            asked = question_values(question) | values | fixed
            if not (await connection.execute(RECEIVE[connection.dialect.name], asked)).rowcount:
                return None
            await store_more(connection, question, fixed)
            if limits:
                await take_turn(connection, turn, limits, now)
            return await load(connection, row)

        return await self._database.write(work)

    async def take_turn(self, turn: TakenTurn, limits: TurnLimits) -> None:
        """Take a turn for something else than a new question; nothing where the same act took one before.

        Raises:
            TurnsSpent: it is beyond the limits.
        """
        now = self._database.clock()
        if limits:
            await self._database.write(lambda connection: take_turn(connection, turn, limits, now))

    async def forget_turns(self, platform: str) -> None:
        """Forget which turns were taken: nobody counts them any more."""
        is_there = turns_taken.c.platform == platform
        if await self._database.read(
            lambda connection: connection.scalar(select(turns_taken.c.act_id).where(is_there))
        ):
            await self._database.write(
                lambda connection: connection.execute(delete(turns_taken).where(is_there)), is_alone=True
            )

    async def note_answered(self, question: Question) -> bool:
        """Commit that a question is done with, without what was said; False if it was received before."""
        now = self._database.clock()

        async def work(connection: AsyncConnection) -> bool:
            row = await ensure_conversation(connection, question.conversation, asked=question.message_id)
            emptied = {"content": "", "author_name": "", "state": "answered"}
            fixed = {"conversation_id": row.id, "epoch": row.epoch, "received_at": now}
            values = question_values(question) | emptied | fixed
            return bool((await connection.execute(RECEIVE[connection.dialect.name], values)).rowcount)

        return await self._database.write(work)

    async def refuse(self, questions: Sequence[Question]) -> set[tuple[str, int]]:
        """Commit questions as refused, in one transaction; returns platform and message id of those that were new."""
        now = self._database.clock()
        return await self._database.write(lambda connection: store_refused(connection, questions, now))

    async def begin_attempt(self, question: Question, *, seed: int) -> Attempt | None:
        """Count an attempt before it is made; None if the question is done with by now, or its conversation reset.

        The first attempt stores its seed and later ones get it back. The question comes back as it stands now:
        its text may have been edited while it waited.
        """

        async def work(connection: AsyncConnection) -> Attempt | None:
            params = row_params(question)
            await lock_conversation_of(connection, question.conversation.platform, question.message_id)
            await connection.execute(_BEGIN_ATTEMPT, params | {"new_seed": seed})
            row = (await connection.execute(OPEN_QUESTION, params)).one_or_none()
            return None if row is None or row.epoch < row.current_epoch else read_attempt(row)

        return await self._database.write(work)

    async def note_deaths(self, names: Sequence[str]) -> None:
        """Commit that a process died while the engine ran these; see `questions.engine_name`."""
        is_lone = len(names) == 1

        async def work(connection: AsyncConnection) -> None:
            for name in names:
                platform, _, message_id = name.rpartition(":")
                if message_id.isdecimal():
                    is_it = and_(inbox.c.platform == platform, inbox.c.message_id == int(message_id))
                    counts = {"deaths": inbox.c.deaths + 1, "lone_deaths": inbox.c.lone_deaths + is_lone}
                    await connection.execute(update(inbox).where(is_it, IS_OPEN).values(counts))

        if names:
            await self._database.write(work, is_alone=True)

    async def release(self, question: Question) -> None:
        """Uncount an attempt that was ended on purpose, unfinished: it says nothing about the question."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(_RELEASE, row_params(question))

        await self._database.write(work)

    async def conversation_of(self, platform: str, message_id: int) -> ConversationKey | None:
        """The conversation in which a question was received; None if it never was."""
        params = {"its_platform": platform, "its_message_id": message_id}

        async def work(connection: AsyncConnection) -> ConversationKey | None:
            row = (await connection.execute(_CONVERSATION_OF, params)).one_or_none()
            return None if row is None else key_in(row)

        return await self._database.read(work)

    async def last_turn(self, key: ConversationKey) -> LastTurn | None:
        """The newest answered question of a conversation that is still in its history."""
        return await self._database.read(lambda connection: find_last_turn(connection, key))

    async def begin_generation(
        self, key: ConversationKey, message_id: int, kind: AnswerKind, *, generation: int | None = None
    ) -> OpenQuestion | None:
        """Have an answered question answered anew, with another seed; None unless it is the conversation's last turn.

        The old answer stays valid until `History.save_turn` replaces it. With `generation`, only that answer to the
        question is replaced.
        """
        return await self._database.write(
            lambda connection: begin_generation(connection, key, message_id, kind, generation=generation)
        )

    async def edit_answered(
        self, key: ConversationKey, message_id: int, content: str, *, answered_again_since: datetime | None = None
    ) -> OpenQuestion | bool:
        """Store the edit of an answered question: from now on its turn in the history has these words.

        If it was asked since `answered_again_since` and is the conversation's last turn, its answer is replaced too:
        then the question comes back, open again. Otherwise returns whether anything changed.
        """
        now = self._database.clock()
        return await self._database.write(
            lambda connection: edit_answered(connection, key, message_id, content, answered_again_since, now)
        )

    async def reopen(self, key: ConversationKey, question: Question, since: datetime) -> OpenQuestion | None:
        """Open a question that got no answer, in its words as they were edited; None where it was answered.

        Neither is one that was withdrawn, or asked before `since`.
        """
        return await self._database.write(lambda connection: reopen(connection, key, question, since))

    async def set_state(self, question: Question, state: InboxState) -> bool:
        """Set a question's state; False, and no effect, if it was done with before.

        A question that is done with loses its text: what was said and answered is in the history.
        """
        values: dict[str, object] = {"state": state.value}
        if not state.is_open:
            values |= {"content": "", "author_name": ""}

        async def work(connection: AsyncConnection) -> bool:
            if state in _NOT_ANSWERED:
                await lock_conversation_of(connection, question.conversation.platform, question.message_id)
                await give_back_untried(connection, _turn_of(question), question)
            return bool((await connection.execute(_UPDATE_OPEN, row_params(question) | values)).rowcount)

        return await self._database.write(work)

    async def forget(self, question: Question) -> None:
        """Leave no trace of a question that is done with; nor of its conversation, where nothing else is in it."""

        async def work(connection: AsyncConnection) -> None:
            row = await ensure_conversation(connection, question.conversation)
            await connection.execute(delete(inbox).where(IS_ROW, ~IS_OPEN), row_params(question))
            await connection.execute(delete(conversations).where(conversations.c.id == row.id, _IS_EMPTY))

        await self._database.write(work)

    async def forget_ended(self, platform: str) -> None:
        """The same of all that a process left of a platform's questions when it died, and of what older ones kept."""
        is_its = inbox.c.platform == platform

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(inbox).where(is_its, ~IS_OPEN))
            await connection.execute(delete(conversations).where(conversations.c.platform == platform, _IS_EMPTY))

        if await self._database.read(lambda connection: connection.scalar(select(exists().where(is_its, ~IS_OPEN)))):
            await self._database.write(work)

    async def edit_question(self, question: Question, content: str) -> bool:
        """Store the edit of a question that isn't answered yet; False if that changes nothing.

        A try that runs already is one at other words: the next one gets a new seed.
        """
        now = self._database.clock()
        return await self._database.write(lambda connection: edit_open(connection, question, content, now))

    async def record_part(self, question: Question, part: Part) -> None:
        """Commit a message that was created for a question; one of the same purpose and index is replaced."""

        async def work(connection: AsyncConnection) -> None:
            values = {
                "purpose": part.purpose, "part_index": part.index, "message_id": part.message_id,
                "is_surplus": part.is_surplus, "is_marked": part.is_marked,
            }  # fmt: skip
            await connection.execute(_RECORD_PART[connection.dialect.name], row_params(question) | values)

        await self._database.write(work)

    async def mark_surplus(self, question: Question, purpose: str, from_index: int) -> tuple[Part, ...]:
        """Commit that parts from an index on are to be deleted, and return them.

        Delete them on the platform afterwards, then call `remove_part`. So their deletion isn't taken for a person's.
        """

        async def work(connection: AsyncConnection) -> tuple[Part, ...]:
            params = row_params(question) | {"its_purpose": purpose, "from_index": from_index}
            rows = (await connection.execute(_MARK_SURPLUS, params)).all()
            return tuple(sorted((Part(*row) for row in rows), key=lambda part: part.index))

        return await self._database.write(work)

    async def remove_part(self, question: Question, purpose: str, index: int) -> None:
        """Forget a part that no longer exists on the platform."""

        async def work(connection: AsyncConnection) -> None:
            params = row_params(question) | {"its_purpose": purpose, "its_index": index}
            await connection.execute(_REMOVE_PART, params)

        await self._database.write(work)

    async def parts(self, question: Question) -> tuple[Part, ...]:
        """The messages that were created for a question, by purpose and index."""

        async def work(connection: AsyncConnection) -> tuple[Part, ...]:
            return tuple(Part(*row) for row in await connection.execute(PARTS_OF_QUESTION, row_params(question)))

        return await self._database.read(work)

    async def recorded_among(self, platform: str, message_ids: Collection[int]) -> set[int]:
        """Those of these messages that are recorded as created, for whatever question."""
        query = select(parts.c.message_id).join(inbox, inbox.c.id == parts.c.inbox_id)
        is_one = and_(inbox.c.platform == platform, parts.c.message_id.in_(message_ids))

        async def work(connection: AsyncConnection) -> set[int]:
            return set(await connection.scalars(query.where(is_one)))

        return await self._database.read(work)

    async def unfinished(self, shard: Shard = WHOLE) -> list[OpenQuestion]:
        """All questions of a shard that aren't done with, oldest first."""
        query = OPEN_QUESTIONS if shard == WHOLE else OPEN_QUESTIONS.where(in_shard(shard))

        async def work(connection: AsyncConnection) -> list[OpenQuestion]:
            rows = (await connection.execute(query)).all()
            return [read_open_question(row, await read_parts(connection, row.id)) for row in rows]

        return await self._database.read(work)

    async def state(self, platform: str, message_id: int) -> InboxState | None:
        """How far a question has come; None if it was never received."""
        params = {"its_platform": platform, "its_message_id": message_id}
        state = await self._database.read(lambda connection: connection.scalar(_STATE, params))
        return None if state is None else InboxState(state)

    async def messages_of(self, platform: str, message_id: int) -> list[int]:
        """The messages of the question that one belongs to, in their order; none where it isn't known."""
        params = {"its_platform": platform, "its_message_id": message_id}

        async def work(connection: AsyncConnection) -> list[int]:
            return [*await connection.scalars(_MESSAGES_OF, params)]

        return await self._database.read(work)

    async def count_by_state(self) -> Mapping[InboxState, int]:
        """How many questions are in each state, those with none included."""
        query = select(inbox.c.state, func.count()).group_by(inbox.c.state)

        async def work(connection: AsyncConnection) -> dict[InboxState, int]:
            counts = {InboxState(state): number for state, number in await connection.execute(query)}
            return {state: counts.get(state, 0) for state in InboxState}

        return await self._database.read(work)

    async def last_message_id(self, platform: str, channel_id: int) -> int | None:
        """The newest question's message id in a channel, whoever's conversation it belongs to."""
        query = _last_in_channel(platform, channel_id)
        return await self._database.read(lambda connection: connection.scalar(query))

    async def known_channels(self, platform: str, limit: int = 200, shard: Shard = WHOLE) -> list[KnownChannel]:
        """Channels of a shard in which something was asked, the most recently used first."""
        params = {"its_platform": platform, "limit": limit}
        query = _KNOWN_CHANNELS if shard == WHOLE else _KNOWN_CHANNELS.where(in_shard(shard))

        async def work(connection: AsyncConnection) -> list[KnownChannel]:
            rows = await connection.execute(query, params)
            return [KnownChannel(ConversationKey(platform, *row[:3]), row[3]) for row in rows]

        return await self._database.read(work)

    async def note_channel(self, key: ConversationKey, last_message_id: int) -> None:
        """Know a channel in which nothing was asked before, as if this had been."""

        async def work(connection: AsyncConnection) -> None:
            if await connection.scalar(_last_in_channel(key.platform, key.channel_id)) is None:
                await ensure_conversation(connection, key, asked=last_message_id)

        await self._database.write(work)

    async def claim_hint(self, platform: str, author_id: int, day: date) -> bool:
        """Note that a person gets today's hint; False if they had it."""

        async def work(connection: AsyncConnection) -> bool:
            await connection.execute(delete(hints).where(hints.c.day < day - timedelta(days=1)))
            values = {"platform": platform, "author_id": author_id, "day": day}
            return bool((await connection.execute(_CLAIM_HINT[connection.dialect.name], values)).rowcount)

        return await self._database.write(work)


def _turn_of(question: Question) -> TakenTurn:
    key = question.conversation
    return TakenTurn(key.accounts, question.message_id, question.author_id, key.guild_id)


async def _is_received(_connection: AsyncConnection, _row: ConversationRow) -> bool:
    """Nothing is read with a question that has to wait."""
    return True


_IS_EMPTY = and_(*(~exists().where(table.c.conversation_id == conversations.c.id) for table in (inbox, messages)))
_UPDATE_OPEN = update(inbox).where(IS_ROW, IS_OPEN)
_BEGIN_ATTEMPT = _UPDATE_OPEN.values(
    state="answering", attempts=inbox.c.attempts + 1, seed=func.coalesce(inbox.c.seed, bindparam("new_seed"))
)
_RELEASE = _UPDATE_OPEN.where(inbox.c.attempts > 0).values(attempts=inbox.c.attempts - 1)
_STATE = select(inbox.c.state).where(IS_ROW)
_CONVERSATION_OF = select(*KEY_COLUMNS).join(inbox, inbox.c.conversation_id == conversations.c.id).where(IS_ROW)
_FIRST_ID = select(func.coalesce(inbox.c.asked_with, inbox.c.message_id)).where(IS_ROW).scalar_subquery()
_MESSAGES_OF = (
    select(inbox.c.message_id)
    .where(
        inbox.c.platform == bindparam("its_platform"),
        or_(inbox.c.message_id == _FIRST_ID, inbox.c.asked_with == _FIRST_ID),
    )
    .order_by(inbox.c.message_id)
)
_NEWEST = func.max(conversations.c.last_message_id)
_KNOWN_CHANNELS = (
    select(
        conversations.c.channel_id, func.max(conversations.c.guild_id),
        func.max(conversations.c.parent_channel_id), _NEWEST,
    )
    .where(conversations.c.platform == bindparam("its_platform"), conversations.c.last_message_id.is_not(None))
    .group_by(conversations.c.channel_id)
    .order_by(_NEWEST.desc())
    .limit(bindparam("limit", type_=Integer))
)  # fmt: skip
_PART_KEY = ["inbox_id", "purpose", "part_index"]
_RECORD_PART = inserts(
    parts,
    lambda statement: statement.values(inbox_id=ROW_ID).on_conflict_do_update(
        index_elements=_PART_KEY,
        set_={name: statement.excluded[name] for name in ("message_id", "is_surplus", "is_marked")},
    ),
)
_IS_PURPOSE = and_(parts.c.inbox_id == ROW_ID, parts.c.purpose == bindparam("its_purpose"))
_MARK_SURPLUS = (
    update(parts)
    .where(_IS_PURPOSE, parts.c.part_index >= bindparam("from_index"))
    .values(is_surplus=True)
    .returning(*PART_COLUMNS)
)
_REMOVE_PART = delete(parts).where(_IS_PURPOSE, parts.c.part_index == bindparam("its_index"))
_CLAIM_HINT = inserts(hints, lambda statement: statement.on_conflict_do_nothing())


def _last_in_channel(platform: str, channel_id: int) -> Select[tuple[int | None]]:
    return select(func.max(conversations.c.last_message_id)).where(in_channel(platform, channel_id))
