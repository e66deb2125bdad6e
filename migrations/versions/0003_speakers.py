"""Each account has a label of its own in a conversation; those of older turns are given when they are next read."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "speakers",
        sa.Column("conversation_id", BIG_ID, nullable=False),
        sa.Column("label_key", sa.Text(), nullable=False),
        sa.Column("author_id", BIG_ID, nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_speakers_conversation_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("conversation_id", "label_key", name="pk_speakers"),
        sa.UniqueConstraint(
            "conversation_id", "author_id", "name_key", name="uq_speakers_conversation_id_author_id_name_key"
        ),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("speakers")
