"""What people choose for a channel or a guild: a row for each choice."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "channel_settings",
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("scope_id", _BIG_ID, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("changed_by", _BIG_ID, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("scope IN ('guild', 'channel')", name=op.f("ck_channel_settings_scope")),
        sa.PrimaryKeyConstraint("platform", "scope", "scope_id", "name", name=op.f("pk_channel_settings")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("channel_settings")
