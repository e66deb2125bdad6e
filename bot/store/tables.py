"""The tables, as SQLAlchemy Core sees them; `migrations/` builds the same ones, and a test keeps the two alike.

A turn is a user's message and its answer. The answer refers to its message in the same conversation, and the schema
refuses an answer without one: only `History.save_turn` can store what the assistant said. The column types mean the
same in SQLite and in PostgreSQL.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

BigId = BigInteger().with_variant(Integer, "sqlite")
"""Discord's ids need 64 bits; SQLite counts rows up only in a column declared INTEGER, which holds 64 bits too."""


def repair_text(content: str) -> str:
    """Replace NUL and lone surrogates, which some database, tokenizer or log file refuses, by U+FFFD."""
    joined = content.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined.replace("\x00", "\ufffd")


class RepairedText(TypeDecorator[str]):
    """Text of any length that every database takes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Repair what goes in, be it stored or compared."""
        return None if value is None else repair_text(value)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment with its time zone; SQLite has none, so that UTC is stored."""

    impl = DateTime
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(timezone=True)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Turn any time zone into UTC; a moment without one is refused."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Give SQLite's naive moments their time zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


SCHEMA_VERSION = "0015"
"""The newest migration. Versions are ordered numbers, so that a database from a newer Trinity shows itself."""


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id_column() -> Column[Any]:
    return Column("id", BigId, primary_key=True, autoincrement=True)


conversations = Table(
    "conversations",
    metadata,
    _id_column(),
    Column("platform", String(32), nullable=False),
    Column("channel_id", BigId, nullable=False),
    # Whose conversation it is; 0 is the one that a channel's people share. NULL would be equal to no other NULL.
    Column("person_id", BigId, nullable=False, server_default=text("0")),
    Column("guild_id", BigId, index=True),
    Column("parent_channel_id", BigId, index=True),
    # Counts the resets: an answer that was asked for in an older epoch is not stored any more.
    Column("epoch", Integer, nullable=False, server_default=text("0")),
    # Not a foreign key: it may point behind the newest turn, when none of the old ones is kept.
    Column("first_kept_turn_id", BigId),
    # The key is what it is called in the code; renaming the column isn't worth a migration.
    Column("trim_told", Boolean, key="is_trim_announced", nullable=False, server_default=false()),
    # Outlives the inbox rows, so that what was said while Trinity was offline can be asked for.
    Column("last_message_id", BigId),
    UniqueConstraint("platform", "channel_id", "person_id"),
    sqlite_autoincrement=True,
)


messages = Table(
    "messages",
    metadata,
    # Ids are never used twice (AUTOINCREMENT), so that a deleted turn's id can't come to mean another one.
    _id_column(),
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("role", String(16), nullable=False),
    # An answer's user message; its id is the turn's id.
    Column("turn_id", BigId, unique=True),
    Column("content", RepairedText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
    # Set by a reset: from then on it is in no prompt; a minute later it is deleted for good.
    Column("hidden_at", UtcDateTime, index=True),
    # A user's message only.
    Column("author_id", BigId, index=True),
    Column("author_name", RepairedText),
    Column("is_direct", Boolean),
    Column("message_id", BigId, index=True),
    # When its words were last changed after they were answered.
    Column("edited_at", UtcDateTime),
    # An answer only: all that is needed to see why it says what it says.
    Column("generation", Integer),
    Column("sampling", JSON(none_as_null=True)),
    Column("seed", BigId),
    Column("model_hash", String(128)),
    Column("persona", RepairedText),
    Column("prompt_turn_ids", JSON(none_as_null=True)),
    Column("num_prompt_tokens", Integer),
    Column("num_new_tokens", Integer),
    Column("finish_reason", String(32)),
    # What else makes its prompt again, in ids, numbers and hashes: bot/chat/recipe.py.
    Column("recipe", JSON(none_as_null=True)),
    # Its persona's text; see persona_texts.
    Column("persona_hash", String(64)),
    # Its own tokens, three bytes each.
    Column("token_ids", LargeBinary),
    UniqueConstraint("id", "conversation_id"),
    ForeignKeyConstraint(
        ["turn_id", "conversation_id"], ["messages.id", "messages.conversation_id"], ondelete="CASCADE"
    ),
    CheckConstraint("role IN ('user', 'assistant')", name="role"),
    CheckConstraint("(role = 'assistant') = (turn_id IS NOT NULL)", name="answer_has_its_question"),
    CheckConstraint("turn_id IS NULL OR turn_id < id", name="answer_follows_its_question"),
    CheckConstraint(
        "role <> 'assistant' OR (sampling IS NOT NULL AND model_hash IS NOT NULL AND finish_reason IS NOT NULL)",
        name="answer_was_generated",
    ),
    CheckConstraint("role <> 'user' OR (author_id IS NOT NULL AND message_id IS NOT NULL)", name="user_is_known"),
    sqlite_autoincrement=True,
)


Index(
    "uq_messages_question",
    messages.c.conversation_id,
    messages.c.message_id,
    unique=True,
    sqlite_where=text("role = 'user'"),
    postgresql_where=text("role = 'user'"),
)


Index(
    "ix_messages_persona_hash",
    messages.c.persona_hash,
    sqlite_where=text("persona_hash IS NOT NULL"),
    postgresql_where=text("persona_hash IS NOT NULL"),
)


# What a persona said when it answered, once for all answers that it is needed for: it goes with the last of them.
persona_texts = Table(
    "persona_texts",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("prompt", RepairedText, nullable=False),
)


# What each account is called in a conversation's prompts while it has a certain name; see bot/conversation/speakers.py.
speakers = Table(
    "speakers",
    metadata,
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True),
    Column("label_key", RepairedText, primary_key=True),
    Column("author_id", BigId, nullable=False),
    Column("name_key", RepairedText, nullable=False),
    Column("label", RepairedText, nullable=False),
    UniqueConstraint("conversation_id", "author_id", "name_key"),
)


# What has left a window, in short: a few turns at a time; see bot/store/rows/summaries.py.
summaries = Table(
    "summaries",
    metadata,
    _id_column(),
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True),
    # A line for each fact; empty where nothing was worth one.
    Column("content", RepairedText, nullable=False),
    Column("num_turns", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)


summarised_turns = Table(
    "summarised_turns",
    metadata,
    Column("turn_id", ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("summary_id", ForeignKey("summaries.id", ondelete="CASCADE"), nullable=False, index=True),
)


# What people asked to be kept in mind. A number stays a pin's own; it is what people call it by.
pins = Table(
    "pins",
    metadata,
    _id_column(),
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("author_id", BigId, nullable=False, index=True),
    Column("author_name", RepairedText, nullable=False),
    Column("content", RepairedText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
    # As with messages: set by a reset, and a minute later it is deleted for good.
    Column("hidden_at", UtcDateTime, index=True),
    UniqueConstraint("conversation_id", "number"),
    sqlite_autoincrement=True,
)


inbox = Table(
    "inbox",
    metadata,
    _id_column(),
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("platform", String(32), nullable=False),
    Column("message_id", BigId, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("epoch", Integer, nullable=False),
    # Committed before each attempt: a question that crashes the process is found by its count.
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    # Counts the answers that were asked for anew; a repeated attempt is not a new generation.
    Column("generation", Integer, nullable=False, server_default=text("0")),
    # What kind of answer: the first, another one, one to other words, or the rest of the one that is there.
    Column("answer_kind", String(16), nullable=False, server_default=text("'first'")),
    Column("seed", BigId),
    Column("author_id", BigId, nullable=False),
    # Name and content are emptied once the question is done with; what stays is only that it was seen.
    Column("author_name", RepairedText, nullable=False),
    Column("content", RepairedText, nullable=False),
    Column("is_direct", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False, index=True),
    # The turn that holds its answer, from the moment that is complete; it may still have to be delivered.
    Column("turn_id", ForeignKey("messages.id", ondelete="SET NULL"), index=True),
    # How often a process died while the engine ran it, and how often while it ran nothing else.
    Column("deaths", Integer, nullable=False, server_default=text("0")),
    Column("lone_deaths", Integer, nullable=False, server_default=text("0")),
    # Of a message that only goes on with an earlier one's question: that one's id. It is no question itself.
    Column("asked_with", BigId),
    UniqueConstraint("platform", "message_id"),
    CheckConstraint(
        "state IN ('received', 'waiting', 'answering', 'answered', 'failed', 'refused', 'expired', 'withdrawn')",
        name="state",
    ),
    sqlite_autoincrement=True,
)


# Few rows have a text, however many there are: the others are done with.
Index(
    "ix_inbox_text",
    inbox.c.conversation_id,
    sqlite_where=text("content <> ''"),
    postgresql_where=text("content <> ''"),
)


Index(
    "ix_inbox_asked_with",
    inbox.c.asked_with,
    sqlite_where=text("asked_with IS NOT NULL"),
    postgresql_where=text("asked_with IS NOT NULL"),
)


parts = Table(
    "parts",
    metadata,
    Column("inbox_id", ForeignKey("inbox.id", ondelete="CASCADE"), primary_key=True),
    Column("purpose", String(16), primary_key=True),
    Column("part_index", Integer, primary_key=True, autoincrement=False),
    Column("message_id", BigId, nullable=False, index=True),
    # About to be deleted by ourselves, so that its deletion isn't taken for a person's.
    Column("is_surplus", Boolean, nullable=False, server_default=false()),
    # Discord kept the mark that it was created with, so that its loss says that the answer is finished.
    Column("is_marked", Boolean, nullable=False, server_default=false()),
    CheckConstraint("part_index >= 0", name="part_index"),
)


# The last hour's turns, where a number of turns per hour is set; what is older goes with the next one.
turns_taken = Table(
    "turns_taken",
    metadata,
    Column("platform", String(32), primary_key=True),
    # The message or the interaction that asked for it: the same one takes no second turn.
    Column("act_id", BigId, primary_key=True, autoincrement=False),
    Column("author_id", BigId, nullable=False),
    Column("guild_id", BigId),
    Column("taken_at", UtcDateTime, nullable=False, index=True),
)


Index("ix_turns_taken_author", turns_taken.c.platform, turns_taken.c.author_id, turns_taken.c.taken_at)
Index("ix_turns_taken_guild", turns_taken.c.platform, turns_taken.c.guild_id, turns_taken.c.taken_at)


# The guilds that the bot is in, or was. Nobody may conclude from a guild's absence that it was left: `left_at` says so.
guilds = Table(
    "guilds",
    metadata,
    Column("platform", String(32), primary_key=True),
    Column("guild_id", BigId, primary_key=True, autoincrement=False),
    Column("left_at", UtcDateTime, index=True),
)


hints = Table(
    "hints",
    metadata,
    Column("platform", String(32), primary_key=True),
    Column("author_id", BigId, primary_key=True, autoincrement=False),
    Column("day", Date, primary_key=True, index=True),
)


personas = Table(
    "personas",
    metadata,
    _id_column(),
    Column("platform", String(32), nullable=False),
    Column("scope", String(16), nullable=False),
    Column("scope_id", BigId, nullable=False),
    Column("name", RepairedText, nullable=False),
    # The name with its case folded: unique, and what a channel's choice refers to.
    Column("name_key", RepairedText, nullable=False),
    Column("prompt", RepairedText, nullable=False),
    Column("changed_by", BigId, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    UniqueConstraint("platform", "scope", "scope_id", "name_key"),
    CheckConstraint("scope IN ('guild', 'channel')", name="scope"),
    CheckConstraint("length(name) BETWEEN 1 AND 32", name="name_length"),
    sqlite_autoincrement=True,
)


persona_choices = Table(
    "persona_choices",
    metadata,
    Column("platform", String(32), primary_key=True),
    Column("channel_id", BigId, primary_key=True, autoincrement=False),
    Column("guild_id", BigId),
    Column("name", RepairedText, nullable=False),
    Column("name_key", RepairedText, nullable=False),
)


persona_changes = Table(
    "persona_changes",
    metadata,
    _id_column(),
    Column("platform", String(32), nullable=False),
    Column("channel_id", BigId, nullable=False),
    Column("guild_id", BigId),
    Column("changed_at", UtcDateTime, nullable=False, index=True),
    Column("author_id", BigId, nullable=False),
    Column("author_name", RepairedText, nullable=False),
    Column("action", String(16), nullable=False),
    Column("name", RepairedText),
    Column("prompt", RepairedText),
    CheckConstraint("action IN ('set', 'delete', 'use', 'clear')", name="action"),
    sqlite_autoincrement=True,
)


# What people chose with /settings; a new kind of choice is no new column. See bot/conversation/channel_settings.py.
channel_settings = Table(
    "channel_settings",
    metadata,
    Column("platform", String(32), primary_key=True),
    Column("scope", String(16), primary_key=True),
    Column("scope_id", BigId, primary_key=True, autoincrement=False),
    Column("name", String(64), primary_key=True),
    Column("value", JSON, nullable=False),
    Column("changed_by", BigId, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    CheckConstraint("scope IN ('guild', 'channel')", name="scope"),
)


# The processes that divide the bot's shards among them, each until a moment that it puts off while it is there; see
# bot/store/rows/shards.py. In an SQLite file these three stay empty: it has one process.
shard_processes = Table(
    "shard_processes",
    metadata,
    Column("process", String(32), primary_key=True),
    Column("shard_count", Integer, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)


# Who holds a shard; one without a row is free.
shards = Table(
    "shards",
    metadata,
    Column("shard_id", Integer, primary_key=True, autoincrement=False),
    Column("process", ForeignKey("shard_processes.process", ondelete="CASCADE"), nullable=False, index=True),
)


# When the next of a group of shards may log in, and which one keeps the others from it until then.
session_starts = Table(
    "session_starts",
    metadata,
    Column("group_number", Integer, primary_key=True, autoincrement=False),
    Column("shard_id", Integer, nullable=False),
    Column("is_opening", Boolean, nullable=False),
    Column("free_at", UtcDateTime, nullable=False),
)


def inserts(table: Table, finish: Callable[[Any], Any]) -> dict[str, Any]:
    """An INSERT that knows ON CONFLICT, for each kind of database: both spell it alike, SQLAlchemy has it twice.

    `finish` adds what it does on a conflict. The key is the name of a connection's dialect.
    """
    return {"sqlite": finish(sqlite.insert(table)), "postgresql": finish(postgresql.insert(table))}
