"""Indexes for what is asked every few seconds or every hour, so that no statement reads a whole table."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

HAS_TEXT = sa.text("content <> ''")


def upgrade() -> None:
    """Index the texts that are still there, the days of hints, and the record of personas."""
    op.create_index(
        "ix_inbox_text",
        "inbox",
        ["conversation_id"],
        unique=False,
        sqlite_where=HAS_TEXT,
        postgresql_where=HAS_TEXT,
    )
    op.create_index("ix_hints_day", "hints", ["day"], unique=False)
    op.create_index("ix_persona_changes_changed_at", "persona_changes", ["changed_at"], unique=False)


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_persona_changes_changed_at", table_name="persona_changes")
    op.drop_index("ix_hints_day", table_name="hints")
    op.drop_index("ix_inbox_text", table_name="inbox")
