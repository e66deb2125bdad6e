"""What its people chose for a channel: one value, which is loaded with the conversation and says what answers are like.

A new choice is a field here, with a default for where nobody chose, and a line in `SETTINGS`, which says how people
call it and what it may be. What a channel has no choice for is its server's choice, and a thread has its channel's
before that. What stands in every prompt because of a choice, such as a persona or notes, is a section: the window takes
whatever `sections` lists.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from bot.conversation.persona import DEFAULT, Persona
from bot.conversation.sections import Section
from bot.conversation.setting_kinds import Kind, Number, OneOf, Switch, Value
from bot.words import Phrase, phrase

__all__ = [
    "EVERYONE",
    "MANAGERS",
    "PER_PERSON",
    "RECALL",
    "SETTINGS",
    "SUMMARY",
    "WINDOW",
    "ChannelSettings",
    "Setting",
    "find_setting",
]

log = logging.getLogger(__name__)

EVERYONE, MANAGERS = "everyone", "managers"
"""Who may do something: anybody, or who may manage channels."""
PER_CHANNEL, PER_PERSON = "channel", "person"
RECALL, SUMMARY, WINDOW = "recall", "summary", "window"
"""What a prompt has of turns that don't fit any more: notes of those that a question is about, a summary of all beside
these, or nothing."""


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """The choices of one channel. None is where the operator's own setting holds."""

    persona: Persona = DEFAULT
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    longest_answer: int | None = None
    """The most tokens that an answer gets; never more than the operator allows."""
    persona_changes: str = MANAGERS
    """Who may make, change and choose personas."""
    resets: str = EVERYONE
    """Who may have the channel's conversation forgotten."""
    session: str = PER_CHANNEL
    """Whether the channel shares one conversation, or each person has their own."""
    memory: str = RECALL
    """What a question gets to see of turns that have left the window."""
    done_ping: bool = False
    """Whether who asked is mentioned once when an answer took long."""
    talks_without_mention: bool = False
    """Whether every message is a question. This and what follows takes the message content intent."""
    reads_others: int = 0
    """How many of the messages before a question, that weren't for the bot, it gets to see."""
    answers_forum_posts: bool = False
    """Whether a new post in a forum is a question."""

    def sections(self, day: date) -> tuple[Section, ...]:
        """What stands in a day's prompts beside what was said, in its order there."""
        return (self.persona.on(day).section,)

    @property
    def is_per_person(self) -> bool:
        """Whether each person has a conversation of their own."""
        return self.session == PER_PERSON

    @property
    def recalls(self) -> bool:
        """Whether earlier turns are looked up where a question is about them."""
        return self.memory != WINDOW

    @property
    def summarises(self) -> bool:
        """Whether earlier turns are summed up."""
        return self.memory == SUMMARY

    @classmethod
    def merged(cls, persona: Persona, layers: Iterable[Mapping[str, Value]]) -> "ChannelSettings":
        """The settings that hold where several layers of choices do, the one that goes first in front."""
        chosen: dict[str, Any] = {}
        for layer in layers:
            chosen = {**layer, **chosen}
        return cls(persona, **chosen)


@dataclass(frozen=True, slots=True)
class Setting:
    """One choice as people see it. `name` is the field's; `meaning` says it in a line."""

    name: str
    kind: Kind
    meaning: Phrase
    needs_content_intent: bool = False
    """Whether it works only where Discord sends the bot what others write."""

    @property
    def default(self) -> Any:
        """What holds where nobody chose; None is the operator's setting."""
        return _DEFAULTS[self.name]


SETTINGS = (
    Setting("temperature", Number(0, 2, ("0", "0.4", "0.7", "1")), phrase("means_temperature")),
    Setting("top_p", Number(0, 1, ("0.5", "0.9", "0.95", "1"), is_above_low=True), phrase("means_top_p")),
    Setting("top_k", Number(0, 1_000_000, ("0", "20", "50"), is_whole=True), phrase("means_top_k")),
    Setting(
        "longest_answer", Number(16, 1_048_576, ("128", "256", "512"), is_whole=True), phrase("means_longest_answer")
    ),
    Setting("persona_changes", OneOf((MANAGERS, EVERYONE)), phrase("means_persona_changes")),
    Setting("resets", OneOf((EVERYONE, MANAGERS)), phrase("means_resets")),
    Setting("session", OneOf((PER_CHANNEL, PER_PERSON)), phrase("means_session")),
    Setting("memory", OneOf((RECALL, SUMMARY, WINDOW)), phrase("means_memory")),
    Setting("done_ping", Switch(), phrase("means_done_ping")),
    Setting("talks_without_mention", Switch(), phrase("means_talks_without_mention"), needs_content_intent=True),
    Setting(
        "reads_others", Number(0, 20, ("0", "5", "10"), is_whole=True), phrase("means_reads_others"),
        needs_content_intent=True,
    ),
    Setting("answers_forum_posts", Switch(), phrase("means_answers_forum_posts"), needs_content_intent=True),
)  # fmt: skip

_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(ChannelSettings)}
_BY_NAME = {setting.name: setting for setting in SETTINGS}


def find_setting(name: str) -> Setting | None:
    """The setting of that name, however it is written."""
    return _BY_NAME.get("_".join(name.strip().lower().replace("-", " ").replace("_", " ").split()))


def readable_choice(name: str, value: object) -> Value | None:
    """A choice as it was kept; None, and a line in the log, where this version doesn't know it or can't read it."""
    setting = _BY_NAME.get(name)
    try:
        if setting is not None:
            return setting.kind.check(value)
    except ValueError:
        pass
    problem = "unknown" if setting is None else "unreadable"
    log.warning("the setting %.40r in the database is ignored: %s", name, problem)
    return None
