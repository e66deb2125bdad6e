"""How a question can end, and what is said about it: an error becomes words here, for the one who asked.

Last of all, when everything is said, it is committed what became of the question.
"""

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import NamedTuple

from bot.chat.chat import Chat, Exchange, StopReason
from bot.delivery.limits import NoticeLimiter
from bot.delivery.refusals import ContentRefused, MessageGone, NoAccess, Rejected, Unclear, Unreachable
from bot.delivery.reply import Reply
from bot.delivery.sender import growing_pauses
from bot.errors import (
    DiscordError,
    EngineFailed,
    EngineOverloaded,
    EngineUnavailable,
    RequestFailed,
    StoreError,
    TrinityError,
    TurnsSpent,
    UserError,
)
from bot.store.rows.questions import InboxState
from bot.words import phrase

log = logging.getLogger(__name__)

_COMMIT_LIMIT_SECONDS = 120.0


class NoticeLimit(NamedTuple):
    """One notice per person and one per channel in so many seconds; the others are only counted."""

    person_seconds: float
    channel_seconds: float


REFUSALS = NoticeLimit(person_seconds=30.0, channel_seconds=5.0)
ONE_BY_ONE = NoticeLimit(person_seconds=30.0, channel_seconds=0.0)
"""Where everybody has waited for a word."""
AWAY = NoticeLimit(person_seconds=0.0, channel_seconds=60.0)

NOT_READY = phrase("not_ready")
NO_MEMORY = phrase("no_memory")
MEMORY_AWAY = phrase("memory_away")
NOT_TAKEN = phrase("not_taken")
NOT_TAKEN_NOW = phrase("not_taken_now")
STOPPED_BY_RESET = phrase("stopped_by_reset")
STOPPED_UNSAID = phrase("stopped_unsaid")
BROKEN = phrase("broken")
MAY_NOT_GO_ON = phrase("may_not_go_on")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a question.

    `state` None leaves it unfinished, so that it is answered after the restart. `discards` takes out of the channel
    what was shown of the answer. `refuses` says that the answer's own words can't be shown: what was shown of them
    stays as it is, and none of them is kept in the history. `last_words` are said below what is shown where nothing new
    can be written. `keeps_previous` shows the older answer again that was to
    be replaced.
    """

    state: InboxState | None
    reason: str = ""
    sentence: str = ""
    last_words: str = ""
    limit: NoticeLimit | None = None
    discards: bool = False
    refuses: bool = False
    keeps_previous: bool = False
    log_level: int = logging.INFO
    logs_traceback: bool = False

    def keeping_previous(self) -> "Outcome":
        """The same where an older answer stays valid: the question is answered, unless it isn't to be any more."""
        if self.state in (None, InboxState.WITHDRAWN):
            return self
        return replace(self, state=InboxState.ANSWERED, refuses=False, keeps_previous=True)

    def logged(self, exchange: Exchange, error: Exception) -> "Outcome":
        """Say once in the log what happened; what is no fault of ours is left to whoever commits the reason."""
        if self.log_level <= logging.INFO:
            return self if self.reason else replace(self, reason=type(error).__name__)
        log.log(
            self.log_level,
            "question %s in channel %s is %s: %s",
            exchange.message_id,
            exchange.channel_id,
            self.state or "unfinished",
            error if isinstance(error, TrinityError) else type(error).__name__,
            exc_info=error if self.logs_traceback else None,
        )
        return replace(self, reason="")


ANSWERED = Outcome(InboxState.ANSWERED)
ANSWERED_BEFORE = Outcome(InboxState.ANSWERED, "a finished answer is in the channel, although the database has none")
WITHDRAWN = Outcome(InboxState.WITHDRAWN, "the question was deleted", discards=True)
REPLY_DELETED = Outcome(InboxState.WITHDRAWN, "the answer was deleted", discards=True)
RESET = Outcome(InboxState.WITHDRAWN, "the conversation was reset")
STOPPED = Outcome(InboxState.WITHDRAWN, "it was stopped before anything was said")
CHANNEL_LOST = Outcome(InboxState.FAILED, "the channel is gone, or closed to us")
SHUT_OUT = replace(CHANNEL_LOST, last_words=MAY_NOT_GO_ON)
EXPIRED = Outcome(
    InboxState.EXPIRED,
    "found after a restart, too old",
    phrase("expired"),
)
NO_LONGER_ADMITTED = Outcome(
    InboxState.REFUSED, "who asked it may no longer talk to me there", discards=True, refuses=True
)
SEEN_BEFORE = Outcome(None, "received before")

_STOPPED = {
    StopReason.QUESTION_DELETED: WITHDRAWN,
    StopReason.ANSWER_DELETED: REPLY_DELETED,
    StopReason.CHANNEL_LOST: CHANNEL_LOST,
}
"""What a stop means that ends everything at once; a reset is shown to its end."""

# The first kind that fits decides; a UserError's own text is the sentence.
_MEANINGS: tuple[tuple[type[Exception], Outcome], ...] = (
    (EngineOverloaded, Outcome(InboxState.REFUSED, "too many questions wait", limit=REFUSALS)),
    (TurnsSpent, Outcome(InboxState.REFUSED, "no turns are left in this hour", limit=REFUSALS)),
    (RequestFailed, Outcome(InboxState.FAILED, log_level=logging.WARNING)),
    (UserError, Outcome(InboxState.REFUSED)),
    (EngineFailed, Outcome(None, log_level=logging.ERROR)),
    (EngineUnavailable, Outcome(InboxState.FAILED, sentence=NOT_READY, log_level=logging.WARNING)),
    (StoreError, Outcome(InboxState.FAILED, sentence=NO_MEMORY, limit=ONE_BY_ONE, log_level=logging.WARNING)),
    (MessageGone, REPLY_DELETED),
    (NoAccess, SHUT_OUT),
    (Unreachable, Outcome(InboxState.FAILED, log_level=logging.WARNING)),
    (Unclear, Outcome(InboxState.FAILED, sentence=NOT_TAKEN_NOW, refuses=True, log_level=logging.WARNING)),
    (ContentRefused, Outcome(InboxState.FAILED, sentence=NOT_TAKEN, refuses=True, log_level=logging.WARNING)),
    (Rejected, Outcome(InboxState.FAILED, sentence=NOT_TAKEN, refuses=True, log_level=logging.ERROR)),
    (Exception, Outcome(InboxState.FAILED, sentence=BROKEN, log_level=logging.ERROR, logs_traceback=True)),
)


def outcome_of_stop(exchange: Exchange) -> Outcome | None:
    """What it means that an exchange was stopped; None where it wasn't, or where the answer is shown to its end."""
    return _STOPPED.get(exchange.stopped) if exchange.stopped else None


def outcome_of(error: Exception) -> Outcome:
    """What an error on the way to an answer means."""
    outcome = next(outcome for kind, outcome in _MEANINGS if isinstance(error, kind))
    return replace(outcome, sentence=str(error)) if isinstance(error, UserError) else outcome


class Outcomes:
    """Ends exchanges, each with its outcome, and counts the notices that nobody gets."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._limiters = {limit: NoticeLimiter(*limit) for limit in (REFUSALS, ONE_BY_ONE)}

    async def close(self, reply: Reply, outcome: Outcome) -> None:
        """Say what has to be said, then commit what became of the question."""
        # An outage while we apologise for another error leaves nothing more to be said.
        try:
            await self._say(reply, outcome)
        except (DiscordError, StoreError) as error:
            log.debug("question %s: nothing more can be said (%s)", reply.exchange.message_id, error)
        except Exception as error:
            # A notice can't take the session with it.
            log.error("question %s: its end could not be said", reply.exchange.message_id, exc_info=error)
        if outcome.state is not None and reply.exchange.is_committed:
            await self._commit(reply.exchange, outcome, outcome.state)

    async def _say(self, reply: Reply, outcome: Outcome) -> None:
        parts, sentence = reply.parts, outcome.sentence
        if sentence or outcome.discards or outcome.keeps_previous:
            await parts.settle()
        is_unknown = reply.exchange.resumed is not None and not reply.exchange.has_begun
        if is_unknown and (sentence or outcome.discards):
            await parts.resume(is_question_gone=outcome is WITHDRAWN)
        if outcome.keeps_previous and reply.exchange.previous is not None:
            await parts.resume()
            reply.restore(reply.exchange.previous, sentence)
            try:
                await reply.show_final()
            except Rejected:  # then it stands there as it was
                if sentence:
                    await parts.say_beside(sentence)
        elif outcome.discards:
            await parts.discard()
        elif outcome.refuses and parts:
            await parts.end_with(sentence)
        elif outcome.last_words and parts:
            await parts.end_in_place(outcome.last_words)
        elif sentence and is_unknown:
            await parts.replace_by(sentence)
        elif sentence and parts and not (parts.shows_wait or parts.shows_notice):
            reply.note(sentence)
            await reply.show_final()
        elif sentence and (parts or self._may_say(reply.exchange, outcome)):
            await parts.replace_by(sentence)

    def _may_say(self, exchange: Exchange, outcome: Outcome) -> bool:
        if outcome.limit is None:
            return True
        # Who has waited for the database hears what became of it, however many others did.
        limiter = self._limiters[ONE_BY_ONE if exchange.was_held else outcome.limit]
        may_say = limiter.allows(exchange.question.author_id, exchange.channel_id)
        if not may_say and (num_silent := limiter.num_to_log()):
            log.info("%d questions got no notice, since there were others of late", num_silent)
        return may_say

    async def _commit(self, exchange: Exchange, outcome: Outcome, state: InboxState) -> None:
        """Commit the outcome; while the database is locked or full, try again for a while.

        A deleted question is withdrawn only now that nothing of its answer is shown: a crash before leaves that to the
        next process.
        """
        if outcome.reason:
            log.info("question %s is %s: %s", exchange.message_id, state, outcome.reason)
        give_up_at = asyncio.get_running_loop().time() + _COMMIT_LIMIT_SECONDS
        for pause in growing_pauses():
            try:
                if outcome is WITHDRAWN:
                    await self._chat.withdraw(exchange.question.conversation.platform, exchange.message_id)
                await exchange.finish(state, keeps_answer=not outcome.refuses)
            except StoreError as error:
                if asyncio.get_running_loop().time() + pause > give_up_at:
                    log.error("question %s stays unfinished: %s", exchange.message_id, error)
                    return
                await asyncio.sleep(pause)
            else:
                return
