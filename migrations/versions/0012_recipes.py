"""Answers know what they were made of, so that they can be made again; what was answered before this doesn't."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, and the table of those personas' texts that answers were given with."""
    op.add_column("messages", sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("messages", sa.Column("recipe", sa.JSON(), nullable=True))
    op.add_column("messages", sa.Column("persona_hash", sa.String(length=64), nullable=True))
    op.add_column("messages", sa.Column("token_ids", sa.LargeBinary(), nullable=True))
    op.create_index(
        "ix_messages_persona_hash",
        "messages",
        ["persona_hash"],
        sqlite_where=sa.text("persona_hash IS NOT NULL"),
        postgresql_where=sa.text("persona_hash IS NOT NULL"),
    )
    op.create_table(
        "persona_texts",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_persona_texts"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("persona_texts")
    op.drop_index("ix_messages_persona_hash", "messages")
    for name in ("token_ids", "persona_hash", "recipe", "edited_at"):
        op.drop_column("messages", name)
