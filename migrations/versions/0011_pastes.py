"""A message that only goes on with an earlier one's question names that one; what was said before this names none."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the column, and an index on the few rows that have it."""
    op.add_column("inbox", sa.Column("asked_with", _BIG_ID, nullable=True))
    op.create_index(
        "ix_inbox_asked_with",
        "inbox",
        ["asked_with"],
        sqlite_where=sa.text("asked_with IS NOT NULL"),
        postgresql_where=sa.text("asked_with IS NOT NULL"),
    )


def downgrade() -> None:
    """Drop both."""
    op.drop_index("ix_inbox_asked_with", "inbox")
    op.drop_column("inbox", "asked_with")
