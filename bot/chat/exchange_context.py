"""What all exchanges of a chat share: the store, the engine, the queue, and how long anything may take."""

from dataclasses import dataclass, field

from bot.chat.answer import AnswerWriter
from bot.chat.company import Company
from bot.chat.outage import Outage
from bot.chat.queue import QuestionQueue
from bot.chat.reading_order import ReadingOrder
from bot.chat.refused_questions import RefusedQuestions
from bot.conversation.turn_limits import TurnLimits
from bot.inference.engine import Engine
from bot.observer import Observer
from bot.store.rows.history import History
from bot.store.rows.inbox import Inbox


@dataclass(slots=True)
class ExchangeContext:
    """What all exchanges of a chat share."""

    inbox: Inbox
    history: History
    engine: Engine
    writer: AnswerWriter
    queue: QuestionQueue
    company: Company
    outage: Outage
    refused: RefusedQuestions
    observer: Observer
    waiting_seconds: float
    silence_seconds: float
    turn_limits: TurnLimits
    """The operator may change them while the bot runs; all else stays as it is."""
    reading_order: ReadingOrder = field(default_factory=ReadingOrder)
