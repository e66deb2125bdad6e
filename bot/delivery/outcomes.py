"""How a question can end, and what is said about it: an error becomes words here, for the one who asked."""

import logging
from dataclasses import dataclass, replace
from typing import NamedTuple

from bot.conversation.messages import Question
from bot.delivery.refusals import ContentRefused, MessageGone, NoAccess, Rejected, Unclear, Unreachable
from bot.errors import (
    EngineFailed,
    EngineOverloaded,
    EngineUnavailable,
    RequestFailed,
    StoreError,
    TrinityError,
    UserError,
)
from bot.store.rows.questions import InboxState

log = logging.getLogger(__name__)


class NoticeLimit(NamedTuple):
    """One notice per person and one per channel in so many seconds; the others are only counted."""

    person_seconds: float
    channel_seconds: float


REFUSALS = NoticeLimit(person_seconds=30.0, channel_seconds=5.0)
ONE_BY_ONE = NoticeLimit(person_seconds=30.0, channel_seconds=0.0)
"""Where everybody has waited for a word."""
AWAY = NoticeLimit(person_seconds=0.0, channel_seconds=60.0)

NOT_READY = "I can't answer just now: my model isn't ready. Please ask again in a minute."
NO_MEMORY = "I can't get at my memory just now, so I can't answer. Please ask again in a minute."
MEMORY_AWAY = "-# I can't get at my memory just now. What you ask waits here, and I answer when it is back."
NOT_TAKEN = "Discord didn't take my answer. Please ask again in other words."
NOT_TAKEN_NOW = "Discord doesn't take my answer just now. Please ask again in a minute."
BROKEN = "Something went wrong on my side, so there is no answer. Please ask again."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a question.

    `state` None leaves it unfinished, so that it is answered after the restart. `discards` takes out of the channel
    what was shown of the answer. `refuses` says that the answer's own words can't be shown: what was shown of them
    stays as it is, and none of them is kept in the history.
    """

    state: InboxState | None
    reason: str = ""
    sentence: str = ""
    limit: NoticeLimit | None = None
    discards: bool = False
    refuses: bool = False
    log_level: int = logging.INFO
    logs_traceback: bool = False

    def logged(self, question: Question, error: Exception) -> "Outcome":
        """Say once in the log what happened; what is no fault of ours is left to whoever commits the reason."""
        if self.log_level <= logging.INFO:
            return self if self.reason else replace(self, reason=type(error).__name__)
        log.log(
            self.log_level,
            "question %s in channel %s is %s: %s",
            question.message_id,
            question.conversation.channel_id,
            self.state or "unfinished",
            error if isinstance(error, TrinityError) else type(error).__name__,
            exc_info=error if self.logs_traceback else None,
        )
        return replace(self, reason="")


ANSWERED = Outcome(InboxState.ANSWERED)
ANSWERED_BEFORE = Outcome(InboxState.ANSWERED, "a finished answer is in the channel, although the database has none")
WITHDRAWN = Outcome(InboxState.WITHDRAWN, "the question was deleted", discards=True)
REPLY_DELETED = Outcome(InboxState.WITHDRAWN, "the answer was deleted")
RESET = Outcome(InboxState.WITHDRAWN, "the conversation was reset")
CHANNEL_LOST = Outcome(InboxState.FAILED, "the channel is gone, or closed to us")
EXPIRED = Outcome(
    InboxState.EXPIRED,
    "found after a restart, too old",
    "I was down when you asked this, and it's a while ago. If you still want to know, please ask again.",
)
SEEN_BEFORE = Outcome(None, "received before")

# The first kind that fits decides; a UserError's own text is the sentence.
_MEANINGS: tuple[tuple[type[Exception], Outcome], ...] = (
    (EngineOverloaded, Outcome(InboxState.REFUSED, "too many questions wait", limit=REFUSALS)),
    (RequestFailed, Outcome(InboxState.FAILED, log_level=logging.WARNING)),
    (UserError, Outcome(InboxState.REFUSED)),
    (EngineFailed, Outcome(None, log_level=logging.ERROR)),
    (EngineUnavailable, Outcome(InboxState.FAILED, sentence=NOT_READY, log_level=logging.WARNING)),
    (StoreError, Outcome(InboxState.FAILED, sentence=NO_MEMORY, limit=ONE_BY_ONE, log_level=logging.WARNING)),
    (MessageGone, REPLY_DELETED),
    (NoAccess, CHANNEL_LOST),
    (Unreachable, Outcome(InboxState.FAILED, log_level=logging.WARNING)),
    (Unclear, Outcome(InboxState.FAILED, sentence=NOT_TAKEN_NOW, refuses=True, log_level=logging.WARNING)),
    (ContentRefused, Outcome(InboxState.FAILED, sentence=NOT_TAKEN, refuses=True, log_level=logging.WARNING)),
    (Rejected, Outcome(InboxState.FAILED, sentence=NOT_TAKEN, refuses=True, log_level=logging.ERROR)),
    (Exception, Outcome(InboxState.FAILED, sentence=BROKEN, log_level=logging.ERROR, logs_traceback=True)),
)


def outcome_of(error: Exception) -> Outcome:
    """What an error on the way to an answer means."""
    outcome = next(outcome for kind, outcome in _MEANINGS if isinstance(error, kind))
    return replace(outcome, sentence=str(error)) if isinstance(error, UserError) else outcome
