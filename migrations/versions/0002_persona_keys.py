"""Personas are found by one fold of their names: the keys of those that are there are folded anew.

Names that were two and are one now are kept both: the one that was changed last keeps the name, the other gets a
number behind it. The same where a name turns out to be a built-in persona's.
"""

import re
import unicodedata
from collections.abc import Collection
from itertools import count

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# As it is at this version; bot/conversation/persona.py may go on.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
_BUILT_IN = frozenset({"trinity", "plain", "pirate", "tutor", "poet", "sceptic"})
_MAX_NAME_LENGTH = 32

_PERSONAS = sa.table(
    "personas",
    *(sa.column(name) for name in ("id", "platform", "scope", "scope_id", "name", "name_key", "changed_at")),
)
_CHOICES = sa.table(
    "persona_choices", *(sa.column(name) for name in ("platform", "channel_id", "guild_id", "name", "name_key"))
)


def upgrade() -> None:
    """Fold every key anew."""
    connection = op.get_bind()
    taken: dict[tuple[str, str, int], set[str]] = {}
    renamed: dict[tuple[str, str, int, str], tuple[str, str]] = {}
    newest_first = sa.select(_PERSONAS).order_by(_PERSONAS.c.changed_at.desc(), _PERSONAS.c.id.desc())
    for row in connection.execute(newest_first).all():
        scope = row.platform, row.scope, row.scope_id
        name, key = _free(row.name, taken.setdefault(scope, set(_BUILT_IN)))
        taken[scope].add(key)
        renamed[*scope, row.name_key] = name, key
    # In two steps, since a new key may be another row's old one.
    connection.execute(sa.update(_PERSONAS).values(name_key=sa.literal(" ") + _PERSONAS.c.name_key))
    for (platform, scope_kind, scope_id, old_key), (name, key) in renamed.items():
        connection.execute(
            sa.update(_PERSONAS)
            .where(
                _PERSONAS.c.platform == platform,
                _PERSONAS.c.scope == scope_kind,
                _PERSONAS.c.scope_id == scope_id,
                _PERSONAS.c.name_key == " " + old_key,
            )
            .values(name=name, name_key=key)
        )
    for row in connection.execute(sa.select(_CHOICES)).all():
        is_direct = row.guild_id is None
        scope = row.platform, "channel" if is_direct else "guild", row.channel_id if is_direct else row.guild_id
        name, key = renamed.get((*scope, row.name_key), (row.name, _folded(row.name)))
        connection.execute(
            sa.update(_CHOICES)
            .where(_CHOICES.c.platform == row.platform, _CHOICES.c.channel_id == row.channel_id)
            .values(name=name, name_key=key)
        )


def downgrade() -> None:
    """The new keys are good for the older fold as well."""


def _free(name: str, taken: Collection[str]) -> tuple[str, str]:
    """The name, with a number behind it where that is needed, and its key."""
    if (key := _folded(name)) not in taken and key:
        return name, key
    for number in count(2):
        numbered = f"{name[: _MAX_NAME_LENGTH - len(str(number)) - 1]}-{number}"
        if (key := _folded(numbered)) not in taken:
            return numbered, key
    raise AssertionError("numbers never end")


def _folded(name: str) -> str:
    folded = _visible(name)
    for _ in range(2):
        folded = _visible(folded.casefold())
    return "".join(folded.split())


def _visible(name: str) -> str:
    composed = unicodedata.normalize("NFKC", name)
    shown = "".join(character for character in composed if unicodedata.category(character) != "Cf")
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", shown))
