"""A question knows how often a process died while the engine ran it, and how often while it ran nothing else."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both counts."""
    for name in ("deaths", "lone_deaths"):
        op.add_column("inbox", sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    """Drop them."""
    for name in ("lone_deaths", "deaths"):
        op.drop_column("inbox", name)
