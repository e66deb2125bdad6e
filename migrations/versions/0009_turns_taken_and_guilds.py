"""The last hour's turns are counted, and it is known which guilds the bot is in, or since when it isn't."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make both tables, and find a guild's conversations by an index."""
    op.create_table(
        "turns_taken",
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("act_id", _BIG_ID, autoincrement=False, nullable=False),
        sa.Column("author_id", _BIG_ID, nullable=False),
        sa.Column("guild_id", _BIG_ID, nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("platform", "act_id", name="pk_turns_taken"),
    )
    op.create_index("ix_turns_taken_taken_at", "turns_taken", ["taken_at"])
    op.create_index("ix_turns_taken_author", "turns_taken", ["platform", "author_id", "taken_at"])
    op.create_index("ix_turns_taken_guild", "turns_taken", ["platform", "guild_id", "taken_at"])
    op.create_table(
        "guilds",
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("guild_id", _BIG_ID, autoincrement=False, nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("platform", "guild_id", name="pk_guilds"),
    )
    op.create_index("ix_guilds_left_at", "guilds", ["left_at"])
    op.create_index("ix_conversations_guild_id", "conversations", ["guild_id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_conversations_guild_id", "conversations")
    op.drop_table("guilds")
    op.drop_table("turns_taken")
