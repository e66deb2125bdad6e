"""The inbox's values, and the queries that read its rows."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, and_, bindparam, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.messages import ConversationKey, Question
from bot.store.rows.conversations import KEY_COLUMNS, key_in
from bot.store.tables import (
    conversations,
    inbox,
    messages,
    parts,
)

OPEN_STATES = ("received", "waiting", "answering")
"""The states of a question that isn't done with."""
IS_OPEN = inbox.c.state.in_([literal_column("'received'"), literal_column("'waiting'"), literal_column("'answering'")])
"""The condition on a question's row that it is in one of them; written out, which costs less than three parameters."""


class InboxState(StrEnum):
    """How far a question has come."""

    RECEIVED = "received"
    WAITING = "waiting"
    ANSWERING = "answering"
    ANSWERED = "answered"
    FAILED = "failed"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"

    @property
    def is_open(self) -> bool:
        """Whether there is still something to do."""
        return self.value in OPEN_STATES


class AnswerKind(StrEnum):
    """What kind of answer to a question is asked for. All but the first replace one, as soon as they are complete."""

    FIRST = "first"
    AGAIN = "again"
    """Another one to the same words."""
    EDITED = "edited"
    """One to the words as they were edited."""
    CONTINUED = "continued"
    """The one that is there, and what follows it."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at an answer. `attempts` counts this one; `seed` is the same in every attempt of one `generation`.

    `previous` is the answer that it replaces; that stays valid until then.
    """

    question: Question
    attempts: int
    generation: int
    seed: int
    kind: AnswerKind = AnswerKind.FIRST
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A message that we created for a question: its place among those of the same purpose, and its id."""

    purpose: str
    index: int
    message_id: int
    is_surplus: bool = False
    """About to be deleted by ourselves."""
    is_marked: bool = False
    """It was created with the mark of an answer that grows, and the mark was kept."""


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question that is not done with.

    `answer` is the complete answer where there is one: it has only to be delivered. `is_stale` says that the
    conversation was reset since it was asked: nothing is to be generated, only shown parts to be closed. `is_erased`
    says that who asked it had their words erased: they are to be taken out of the channel.
    """

    question: Question
    state: InboxState
    attempts: int
    generation: int
    seed: int | None
    parts: tuple[Part, ...]
    turn_id: int | None
    answer: str | None
    is_stale: bool
    is_erased: bool = False
    deaths: int = 0
    """How often a process died while the engine ran it."""
    lone_deaths: int = 0
    """How often a process died while the engine ran it and nothing else."""
    kind: AnswerKind = AnswerKind.FIRST
    previous: str | None = None
    """The complete answer of an older generation, which stays valid until this one is complete."""
    finish_reason: str | None = None
    """How `answer`, or `previous`, ended."""


@dataclass(frozen=True, slots=True)
class KnownChannel:
    """A channel in which something was asked, and the newest question's message id."""

    key: ConversationKey
    last_message_id: int


ERASED = -1
"""The epoch of an open question whose words were erased: it is older than any conversation's."""
_answers = messages.alias("answers")


OPEN_QUESTIONS = (
    select(
        inbox,
        *KEY_COLUMNS[1:],
        conversations.c.epoch.label("current_epoch"),
        _answers.c.content.label("answer"),
        _answers.c.generation.label("answered_generation"),
        _answers.c.finish_reason,
    )
    .join(conversations, conversations.c.id == inbox.c.conversation_id)
    # A hidden answer is not to be delivered any more.
    .outerjoin(
        _answers,
        and_(
            _answers.c.conversation_id == inbox.c.conversation_id,
            _answers.c.turn_id == inbox.c.turn_id,
            _answers.c.hidden_at.is_(None),
        ),
    )
    .where(IS_OPEN)
    .order_by(inbox.c.id)
)


IS_ROW = and_(inbox.c.platform == bindparam("its_platform"), inbox.c.message_id == bindparam("its_message_id"))
"""The condition that picks a question's row, by the parameters that `row_params` gives."""
ROW_ID = select(inbox.c.id).where(IS_ROW).scalar_subquery()
"""That row's id, to compare with."""
OPEN_QUESTION = OPEN_QUESTIONS.where(IS_ROW)
PART_COLUMNS = (parts.c.purpose, parts.c.part_index, parts.c.message_id, parts.c.is_surplus, parts.c.is_marked)
"""The fields of a `Part`."""
_PARTS = select(*PART_COLUMNS).order_by(parts.c.purpose, parts.c.part_index)
PARTS_OF_ROW = _PARTS.where(parts.c.inbox_id == bindparam("inbox_id"))
PARTS_OF_QUESTION = _PARTS.where(parts.c.inbox_id == ROW_ID)


def row_params(question: Question) -> dict[str, Any]:
    """What `IS_ROW` asks for."""
    return {"its_platform": question.conversation.platform, "its_message_id": question.message_id}


def engine_name(question: Question) -> str:
    """What the engine calls a question that it runs; `note_deaths` reads it."""
    return f"{question.conversation.platform}:{question.message_id}"


def question_values(question: Question) -> dict[str, Any]:
    """A question as columns of the inbox."""
    return {
        "platform": question.conversation.platform,
        "message_id": question.message_id,
        "author_id": question.author_id,
        "author_name": question.author_name,
        "content": question.content,
        "is_direct": question.is_direct,
        "created_at": question.created_at,
    }


def read_question(row: Row[Any]) -> Question:
    """The question of a row of `OPEN_QUESTIONS`."""
    return Question(
        key_in(row),
        row.message_id,
        row.author_id,
        row.author_name,
        row.content,
        row.created_at,
        is_direct=row.is_direct,
    )


def read_open_question(row: Row[Any], its_parts: tuple[Part, ...]) -> OpenQuestion:
    """A row of `OPEN_QUESTIONS` and its parts as a value."""
    answer, previous = _answers_of(row)
    return OpenQuestion(
        question=read_question(row),
        state=InboxState(row.state),
        attempts=row.attempts,
        generation=row.generation,
        seed=row.seed,
        parts=its_parts,
        turn_id=row.turn_id if answer is not None else None,
        answer=answer,
        is_stale=row.epoch < row.current_epoch,
        is_erased=row.epoch == ERASED,
        deaths=row.deaths,
        lone_deaths=row.lone_deaths,
        kind=AnswerKind(row.answer_kind),
        previous=previous,
        finish_reason=row.finish_reason,
    )


def read_attempt(row: Row[Any]) -> Attempt:
    """A row of `OPEN_QUESTIONS`, whose attempt was counted just now."""
    _, previous = _answers_of(row)
    return Attempt(read_question(row), row.attempts, row.generation, row.seed, AnswerKind(row.answer_kind), previous)


def _answers_of(row: Row[Any]) -> tuple[str | None, str | None]:
    """The complete answer of this generation, and the one of an older generation that it is to replace."""
    return (row.answer, None) if row.answered_generation == row.generation else (None, row.answer)


async def read_parts(connection: AsyncConnection, inbox_id: int) -> tuple[Part, ...]:
    """The parts of a row of the inbox, by purpose and index."""
    rows = await connection.execute(PARTS_OF_ROW, {"inbox_id": inbox_id})
    return tuple(Part(*row) for row in rows)
