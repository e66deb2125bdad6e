"""The texts of personas by their hash: what answers need of them to be made again, once for all of these answers.

A persona may be changed or deleted while its answers are there. Nothing of its text outlives the last of them.
"""

import hashlib
from collections.abc import Iterable

from sqlalchemy import String, bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.rows.locks import Name, lock_name, shared_lock_of
from bot.store.tables import RepairedText, inserts, messages, persona_texts, repair_text


def hash_of(prompt: str) -> str:
    """By this a persona's text is kept."""
    return hashlib.sha256(repair_text(prompt).encode()).hexdigest()


async def keep_persona_text(connection: AsyncConnection, prompt: str) -> str:
    """Keep a text for an answer that is stored in the same transaction; returns its hash."""
    text_hash = hash_of(prompt)
    await connection.execute(_KEEP[connection.dialect.name], {"its_hash": text_hash, "its_prompt": prompt})
    return text_hash


async def forget_persona_texts(connection: AsyncConnection, hashes: Iterable[str | None]) -> None:
    """Delete those of these that no answer needs any more, now that some that did are deleted."""
    for text_hash in sorted({text_hash for text_hash in hashes if text_hash is not None}):
        await lock_name(connection, Name.PERSONA_TEXT, text_hash)
        await connection.execute(_FORGET, {"its_hash": text_hash})


_HASH, _PROMPT = bindparam("its_hash", type_=String), bindparam("its_prompt", type_=RepairedText)
_KEEP = inserts(persona_texts, lambda statement: statement.on_conflict_do_nothing())
_KEEP["sqlite"] = _KEEP["sqlite"].values(hash=_HASH, prompt=_PROMPT)
# Many keep the same text at once; only who would delete it waits for them, and they for that.
_KEEP["postgresql"] = _KEEP["postgresql"].from_select(
    ["hash", "prompt"], select(_HASH, _PROMPT).where(shared_lock_of(Name.PERSONA_TEXT, _HASH))
)
_FORGET = delete(persona_texts).where(
    persona_texts.c.hash == bindparam("its_hash"),
    ~select(messages.c.id).where(messages.c.persona_hash == persona_texts.c.hash).exists(),
)
