"""A channel can have a conversation for each person beside the one that its people share, which is person 0's."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_BY_CHANNEL = "uq_conversations_platform_channel_id"
_BY_PERSON = "uq_conversations_platform_channel_id_person_id"
_CONVERSATIONS = sa.table("conversations", sa.column("id"), sa.column("person_id"))
_INBOX = sa.table("inbox", sa.column("id"), sa.column("conversation_id"))
_PARTS = sa.table("parts", sa.column("inbox_id"))


def upgrade() -> None:
    """Every conversation that is there is a shared one."""
    with op.batch_alter_table("conversations", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.add_column(sa.Column("person_id", _BIG_ID, server_default=sa.text("0"), nullable=False))
        batch.drop_constraint(_BY_CHANNEL, type_="unique")
        batch.create_unique_constraint(_BY_PERSON, ["platform", "channel_id", "person_id"])


def downgrade() -> None:
    """People's own conversations are deleted: an older version would show them to everybody in the channel."""
    # SQLite follows no reference while it migrates.
    own = sa.select(_CONVERSATIONS.c.id).where(_CONVERSATIONS.c.person_id != 0)
    asked = sa.select(_INBOX.c.id).where(_INBOX.c.conversation_id.in_(own))
    op.execute(sa.delete(_PARTS).where(_PARTS.c.inbox_id.in_(asked)))
    for name in ("inbox", "speakers", "messages"):
        table = sa.table(name, sa.column("conversation_id"))
        op.execute(sa.delete(table).where(table.c.conversation_id.in_(own)))
    op.execute(sa.delete(_CONVERSATIONS).where(_CONVERSATIONS.c.person_id != 0))
    with op.batch_alter_table("conversations", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.drop_constraint(_BY_PERSON, type_="unique")
        batch.create_unique_constraint(_BY_CHANNEL, ["platform", "channel_id"])
        batch.drop_column("person_id")
