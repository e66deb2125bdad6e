"""Several processes share the bot's shards; until now there was one process, and one connection to Discord."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "shard_processes",
        sa.Column("process", sa.String(length=32), nullable=False),
        sa.Column("shard_count", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("process", name="pk_shard_processes"),
    )
    op.create_table(
        "shards",
        sa.Column("shard_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("process", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("shard_id", name="pk_shards"),
        sa.ForeignKeyConstraint(["process"], ["shard_processes.process"], ondelete="CASCADE", name="fk_shards_process"),
    )
    op.create_index("ix_shards_process", "shards", ["process"])
    op.create_table(
        "session_starts",
        sa.Column("group_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shard_id", sa.Integer(), nullable=False),
        sa.Column("is_opening", sa.Boolean(), nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("group_number", name="pk_session_starts"),
    )


def downgrade() -> None:
    """Drop them; an older version is one process."""
    op.drop_table("session_starts")
    op.drop_index("ix_shards_process", "shards")
    op.drop_table("shards")
    op.drop_table("shard_processes")
