"""The first schema: conversations, messages, the inbox and personas."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table."""
    _create_conversations()
    _create_hints()
    _create_persona_changes()
    _create_persona_choices()
    _create_personas()
    _create_messages()
    _index_messages()
    _create_inbox()
    _create_parts()


def downgrade() -> None:
    """Drop every table, those first that refer to others."""
    for table in (
        "parts",
        "inbox",
        "messages",
        "personas",
        "persona_choices",
        "persona_changes",
        "hints",
        "conversations",
    ):
        op.drop_table(table)


def _create_conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("channel_id", BIG_ID, nullable=False),
        sa.Column("guild_id", BIG_ID, nullable=True),
        sa.Column("parent_channel_id", BIG_ID, nullable=True),
        sa.Column("epoch", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_kept_turn_id", BIG_ID, nullable=True),
        sa.Column("trim_told", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("last_message_id", BIG_ID, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
        sa.UniqueConstraint("platform", "channel_id", name="uq_conversations_platform_channel_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_conversations_parent_channel_id", "conversations", ["parent_channel_id"], unique=False)


def _create_hints() -> None:
    op.create_table(
        "hints",
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("author_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "author_id", "day", name="pk_hints"),
    )


def _create_persona_changes() -> None:
    op.create_table(
        "persona_changes",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("channel_id", BIG_ID, nullable=False),
        sa.Column("guild_id", BIG_ID, nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author_id", BIG_ID, nullable=False),
        sa.Column("author_name", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("prompt", sa.Text(), nullable=True),
        sa.CheckConstraint("action IN ('set', 'delete', 'use', 'clear')", name=op.f("ck_persona_changes_action")),
        sa.PrimaryKeyConstraint("id", name="pk_persona_changes"),
        sqlite_autoincrement=True,
    )


def _create_persona_choices() -> None:
    op.create_table(
        "persona_choices",
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("channel_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("guild_id", BIG_ID, nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "channel_id", name="pk_persona_choices"),
    )


def _create_personas() -> None:
    op.create_table(
        "personas",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("scope_id", BIG_ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("changed_by", BIG_ID, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("scope IN ('guild', 'channel')", name=op.f("ck_personas_scope")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 32", name=op.f("ck_personas_name_length")),
        sa.PrimaryKeyConstraint("id", name="pk_personas"),
        sa.UniqueConstraint(
            "platform", "scope", "scope_id", "name_key", name="uq_personas_platform_scope_scope_id_name_key"
        ),
        sqlite_autoincrement=True,
    )


def _create_messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", BIG_ID, nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("turn_id", BIG_ID, nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hidden_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("author_id", BIG_ID, nullable=True),
        sa.Column("author_name", sa.Text(), nullable=True),
        sa.Column("is_direct", sa.Boolean(), nullable=True),
        sa.Column("message_id", BIG_ID, nullable=True),
        sa.Column("generation", sa.Integer(), nullable=True),
        sa.Column("sampling", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("seed", BIG_ID, nullable=True),
        sa.Column("model_hash", sa.String(length=128), nullable=True),
        sa.Column("persona", sa.Text(), nullable=True),
        sa.Column("prompt_turn_ids", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("num_prompt_tokens", sa.Integer(), nullable=True),
        sa.Column("num_new_tokens", sa.Integer(), nullable=True),
        sa.Column("finish_reason", sa.String(length=32), nullable=True),
        sa.CheckConstraint(
            "(role = 'assistant') = (turn_id IS NOT NULL)", name=op.f("ck_messages_answer_has_its_question")
        ),
        sa.CheckConstraint(
            "role <> 'assistant' OR (sampling IS NOT NULL AND model_hash IS NOT NULL AND finish_reason IS NOT NULL)",
            name=op.f("ck_messages_answer_was_generated"),
        ),
        sa.CheckConstraint(
            "role <> 'user' OR (author_id IS NOT NULL AND message_id IS NOT NULL)",
            name=op.f("ck_messages_user_is_known"),
        ),
        sa.CheckConstraint("role IN ('user', 'assistant')", name=op.f("ck_messages_role")),
        sa.CheckConstraint("turn_id IS NULL OR turn_id < id", name=op.f("ck_messages_answer_follows_its_question")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_messages_conversation_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["turn_id", "conversation_id"],
            ["messages.id", "messages.conversation_id"],
            name="fk_messages_turn_id_conversation_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.UniqueConstraint("id", "conversation_id", name="uq_messages_id_conversation_id"),
        sa.UniqueConstraint("turn_id", name="uq_messages_turn_id"),
        sqlite_autoincrement=True,
    )


def _index_messages() -> None:
    op.create_index("ix_messages_author_id", "messages", ["author_id"], unique=False)
    op.create_index("ix_messages_conversation_id", "messages", ["conversation_id"], unique=False)
    op.create_index("ix_messages_created_at", "messages", ["created_at"], unique=False)
    op.create_index("ix_messages_hidden_at", "messages", ["hidden_at"], unique=False)
    op.create_index("ix_messages_message_id", "messages", ["message_id"], unique=False)
    op.create_index(
        "uq_messages_question",
        "messages",
        ["conversation_id", "message_id"],
        unique=True,
        sqlite_where=sa.text("role = 'user'"),
        postgresql_where=sa.text("role = 'user'"),
    )


def _create_inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", BIG_ID, nullable=False),
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("message_id", BIG_ID, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("generation", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("seed", BIG_ID, nullable=True),
        sa.Column("author_id", BIG_ID, nullable=False),
        sa.Column("author_name", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("is_direct", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("turn_id", BIG_ID, nullable=True),
        sa.CheckConstraint(
            "state IN ('received', 'waiting', 'answering', 'answered', 'failed', 'refused', 'expired', 'withdrawn')",
            name=op.f("ck_inbox_state"),
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_inbox_conversation_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["turn_id"], ["messages.id"], name="fk_inbox_turn_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_inbox"),
        sa.UniqueConstraint("platform", "message_id", name="uq_inbox_platform_message_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_inbox_conversation_id", "inbox", ["conversation_id"], unique=False)
    op.create_index("ix_inbox_received_at", "inbox", ["received_at"], unique=False)
    op.create_index("ix_inbox_state", "inbox", ["state"], unique=False)
    op.create_index("ix_inbox_turn_id", "inbox", ["turn_id"], unique=False)


def _create_parts() -> None:
    op.create_table(
        "parts",
        sa.Column("inbox_id", BIG_ID, nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("part_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("message_id", BIG_ID, nullable=False),
        sa.Column("is_surplus", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint("part_index >= 0", name=op.f("ck_parts_part_index")),
        sa.ForeignKeyConstraint(["inbox_id"], ["inbox.id"], name="fk_parts_inbox_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("inbox_id", "purpose", "part_index", name="pk_parts"),
    )
    op.create_index("ix_parts_message_id", "parts", ["message_id"], unique=False)
