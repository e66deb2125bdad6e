"""A question knows what kind of answer is asked for: the first one, another one, or more of the one that is there."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what was asked until now was asked for the first time."""
    op.add_column(
        "inbox", sa.Column("answer_kind", sa.String(length=16), server_default=sa.text("'first'"), nullable=False)
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_column("inbox", "answer_kind")
