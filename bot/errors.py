"""Every error that the bot raises on purpose, sorted by who can act on it.

TrinityError
├── UserError                 shown, in its own words, to the person who asked
│   ├── PromptTooLong         one message alone is longer than the token budget
│   ├── PersonaError
│   │   ├── UnknownPersona
│   │   ├── InvalidPersonaName
│   │   ├── BuiltInPersona    a built-in persona can be used, not changed
│   │   ├── PersonaTooLong    the persona's prompt leaves too little room
│   │   ├── CardTooLong       likewise, of a character card; it names the field that takes most
│   │   ├── UnreadableCard    a file is no character card, or a broken one
│   │   └── NothingToUndo     no change to a persona is on record that could be taken back
│   ├── PinError              a fact can't be pinned as asked, or there is none of that number
│   │   └── PinsTooLong       all facts of a conversation together would cost too much
│   ├── InvalidSetting        a channel's setting has no such name, or can't have that value
│   ├── NotAllowed            the person may not do this here
│   │   └── PersonaUsedElsewhere  a persona belongs to other channels as well, where they may not
│   ├── EngineOverloaded      the queue is full
│   ├── TurnsSpent            the person, or the guild, has had its turns of the hour
│   ├── WaitedTooLong         the question's turn didn't come in time
│   ├── CardTaken             the card was given back while nobody asked, and others have it now
│   └── RequestFailed         this one request failed (out of memory, NaN); the engine lives on
├── ConfigError               one line on stderr that names the setting; exit status 78
├── CannotReplay              an answer can't be made again; exit status 2
├── PromptError               a conversation that has no Llama-2 prompt: a mistake in the calling code
│   ├── EmptyConversation
│   ├── InvalidFirstRole
│   ├── InvalidTurn
│   ├── EmptyMessage
│   └── LastMessageNotUser
├── StoreError
│   ├── DatabaseUnusable      not ours, corrupt, read-only or from a newer Trinity; exit status 78
│   ├── DatabaseBusy          locked by another process, or the disk is full; passing
│   │   └── DatabaseOvertaken rolled back so that another process could go on
│   └── SecondInstance        another Trinity already runs on this token and database; exit status 75
├── DiscordError              Discord can't be reached, or not asked this; exit status 69
│   └── DiscordRefused        token, intents or number of guilds refused by Discord; exit status 78
└── EngineError
    ├── EngineUnavailable     passing: still loading, or shutting down; exit status 69
    └── EngineFailed          the GPU or its thread is lost, the process has to be replaced; exit status 70
"""

from datetime import datetime
from math import ceil

from bot.words import phrase


class TrinityError(Exception):
    """The root of every error that the bot raises on purpose.

    `exit_status` is what the process ends with when the error reaches `command_line/ending.py` (sysexits.h).
    """

    exit_status = 70


class UserError(TrinityError):
    """An error whose text is a sentence for the person who asked: a phrase, so that it has their language."""

    exit_status = 2


class PromptTooLong(UserError):
    """One message is longer by itself than the token budget allows.

    Args:
        num_tokens: what the message costs together with the persona's prompt.
        limit: the token budget.
    """

    def __init__(self, num_tokens: int, limit: int) -> None:
        super().__init__(phrase("too_long", num_tokens=num_tokens, limit=limit))
        self.num_tokens = num_tokens
        self.limit = limit


class PersonaError(UserError):
    """A persona can't be shown, used or changed as asked."""


class UnknownPersona(PersonaError):
    """No persona of that name exists here."""


class InvalidPersonaName(PersonaError):
    """The name is empty, too long or has characters that a persona's name can't have."""


class BuiltInPersona(PersonaError):
    """A built-in persona can be used but neither changed nor deleted."""


class PersonaTooLong(PersonaError):
    """A persona's prompt would leave too little room for the conversation.

    Args:
        num_tokens: what the prompt costs.
        limit: what it may cost.
    """

    def __init__(self, num_tokens: int, limit: int) -> None:
        super().__init__(phrase("persona_too_long", num_tokens=num_tokens, limit=limit))
        self.num_tokens = num_tokens
        self.limit = limit


class CardTooLong(PersonaError):
    """A character card's texts would leave too little room for the conversation.

    Args:
        num_tokens: what they cost together.
        limit: what they may cost.
        field: the name of the field that costs most.
        num_field_tokens: what that costs by itself.
    """

    def __init__(self, num_tokens: int, limit: int, field: str, num_field_tokens: int) -> None:
        super().__init__(
            phrase("card_too_long", num_tokens=num_tokens, limit=limit, field=field, num_field_tokens=num_field_tokens)
        )
        self.num_tokens = num_tokens
        self.limit = limit
        self.field = field


class UnreadableCard(PersonaError):
    """A file has no character card in it, or one that is broken."""


class NothingToUndo(PersonaError):
    """No change to a persona is on record that could be taken back."""


class PinError(UserError):
    """A fact can't be kept in mind as asked, or none of that number is."""


class PinsTooLong(PinError):
    """All facts that are kept in mind in a conversation would cost too much together.

    Args:
        num_tokens: what the new one costs.
        num_taken: what the others cost.
        limit: what all together may cost.
    """

    def __init__(self, num_tokens: int, num_taken: int, limit: int) -> None:
        super().__init__(phrase("pins_too_long", num_tokens=num_tokens, num_taken=num_taken, limit=limit))
        self.num_tokens = num_tokens
        self.limit = limit


class InvalidSetting(UserError):
    """A channel's setting has no such name, or can't have that value."""


class NotAllowed(UserError):
    """The person lacks the permission for this, in this place."""


class PersonaUsedElsewhere(NotAllowed):
    """A persona may not be changed or deleted here, because channels use it whose personas aren't the person's."""

    def __init__(self, name: str) -> None:
        super().__init__(phrase("persona_used_elsewhere", name=name))


class EngineOverloaded(UserError):
    """The engine's queue is full; nothing was queued."""

    def __init__(self, message: str = phrase("queue_full")) -> None:
        super().__init__(message)


class TurnsSpent(UserError):
    """A person, or a guild, has had its turns of the hour.

    Args:
        limit: how many these are.
        until: when there is another one.
        of_guild: whether it is the guild's limit.
    """

    def __init__(self, limit: int, until: datetime, *, of_guild: bool) -> None:
        when = f"<t:{ceil(until.timestamp())}:R>"  # Discord shows it as "in 12 minutes", in the reader's language
        super().__init__(phrase("turns_spent_guild" if of_guild else "turns_spent", n=limit, when=when))
        self.limit = limit
        self.until = until


class WaitedTooLong(UserError):
    """A question's turn didn't come while its answer would still have been of use."""

    def __init__(self) -> None:
        super().__init__(phrase("waited_too_long"))


class CardTaken(UserError):
    """The card was given back while nobody asked, and others have its memory now."""

    def __init__(self) -> None:
        super().__init__(phrase("card_taken"))


class RequestFailed(UserError):
    """One request failed inside the engine; the engine and all other requests live on."""

    def __init__(self, message: str = phrase("request_failed")) -> None:
        super().__init__(message)


class ConfigError(TrinityError):
    """A setting is missing or wrong.

    Args:
        setting: the setting's name as the operator writes it, for instance `TRINITY_MODEL`.
        problem: what is wrong and what to do, in one line.
    """

    exit_status = 78

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting = setting
        self.problem = problem


class CannotReplay(TrinityError):
    """An answer can't be made again: it is gone, or what it was made of isn't as it was.

    Args:
        reason: one word for it, for programs.
        problem: what it is, for people.
    """

    exit_status = 2

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(problem)
        self.reason = reason


class PromptError(TrinityError, ValueError):
    """A conversation that the Llama-2 chat template has no form for."""


class EmptyConversation(PromptError):
    """There is no message at all."""


class InvalidFirstRole(PromptError):
    """The first message is neither the system's nor a user's."""


class InvalidTurn(PromptError):
    """Roles don't alternate as system, user, assistant, user, ..."""


class EmptyMessage(PromptError):
    """A message has no text."""


class LastMessageNotUser(PromptError):
    """The model can only answer a user: the last message has to be a user's."""


class StoreError(TrinityError):
    """The database can't do what it was asked."""


class DatabaseUnusable(StoreError):
    """The database is not ours, corrupt, read-only or from a newer Trinity. The file was left untouched."""

    exit_status = 78


class DatabaseBusy(StoreError):
    """The database is locked by another process or its disk is full; nothing was written."""

    exit_status = 75


class DatabaseOvertaken(DatabaseBusy):
    """The transaction was rolled back so that another could go on; nothing was written, and it may be tried again."""


class SecondInstance(StoreError):
    """Another Trinity already runs with this token and database."""

    exit_status = 75


class DiscordError(TrinityError):
    """Discord can't be used."""

    exit_status = 69


class DiscordRefused(DiscordError):
    """Discord won't have the bot as it is: its token, its intents, its shards or its version of the API."""

    exit_status = 78


class EngineError(TrinityError):
    """The engine can't answer."""


class EngineUnavailable(EngineError):
    """The engine can't answer just now: it is starting or shutting down, or its server can't be reached."""

    exit_status = 69


class EngineFailed(EngineError):
    """The GPU or the engine's thread is lost; only a new process mends it."""

    exit_status = 70
