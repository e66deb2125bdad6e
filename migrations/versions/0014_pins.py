"""A conversation has facts that people asked to be kept in mind; until now there were none."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_INDEXED = ("author_id", "created_at", "hidden_at")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "pins",
        sa.Column("id", _BIG_ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", _BIG_ID, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("author_id", _BIG_ID, nullable=False),
        sa.Column("author_name", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hidden_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_pins"),
        sa.UniqueConstraint("conversation_id", "number", name="uq_pins_conversation_id_number"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], ondelete="CASCADE", name="fk_pins_conversation_id"
        ),
        sqlite_autoincrement=True,
    )
    for column in _INDEXED:
        op.create_index(f"ix_pins_{column}", "pins", [column])


def downgrade() -> None:
    """Drop it; an older version knows of no pins."""
    op.drop_table("pins")
