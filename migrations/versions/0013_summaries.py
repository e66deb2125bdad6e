"""What has left a conversation's window is summarised, a few turns at a time; until now nothing was."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make both tables: the pieces, and which turns are in which."""
    op.create_table(
        "summaries",
        sa.Column("id", _BIG_ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", _BIG_ID, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("num_turns", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_summaries"),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            ondelete="CASCADE",
            name="fk_summaries_conversation_id",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_summaries_conversation_id", "summaries", ["conversation_id"])
    op.create_table(
        "summarised_turns",
        sa.Column("turn_id", _BIG_ID, autoincrement=False, nullable=False),
        sa.Column("summary_id", _BIG_ID, nullable=False),
        sa.PrimaryKeyConstraint("turn_id", name="pk_summarised_turns"),
        sa.ForeignKeyConstraint(["turn_id"], ["messages.id"], ondelete="CASCADE", name="fk_summarised_turns_turn_id"),
        sa.ForeignKeyConstraint(
            ["summary_id"], ["summaries.id"], ondelete="CASCADE", name="fk_summarised_turns_summary_id"
        ),
    )
    op.create_index("ix_summarised_turns_summary_id", "summarised_turns", ["summary_id"])


def downgrade() -> None:
    """Drop both; an older version knows of no summary."""
    op.drop_table("summarised_turns")
    op.drop_table("summaries")
