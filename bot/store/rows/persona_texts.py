"""The texts of personas by their hash: what answers need of them to be made again, once for all of these answers.

A persona may be changed or deleted while its answers are there. Nothing of its text outlives the last of them.
"""

import hashlib
from collections.abc import Iterable

from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.tables import inserts, messages, persona_texts, repair_text


async def keep_persona_text(connection: AsyncConnection, prompt: str) -> str:
    """Keep a text for an answer that is stored in the same transaction; returns its hash."""
    text_hash = hashlib.sha256(repair_text(prompt).encode()).hexdigest()
    await connection.execute(_KEEP[connection.dialect.name], {"hash": text_hash, "prompt": prompt})
    return text_hash


async def forget_persona_texts(connection: AsyncConnection, hashes: Iterable[str | None]) -> None:
    """Delete those of these that no answer needs any more, now that some that did are deleted."""
    for text_hash in {*hashes}.difference([None]):
        await connection.execute(_FORGET, {"its_hash": text_hash})


_KEEP = inserts(persona_texts, lambda statement: statement.on_conflict_do_nothing())
_FORGET = delete(persona_texts).where(
    persona_texts.c.hash == bindparam("its_hash"),
    ~select(messages.c.id).where(messages.c.persona_hash == persona_texts.c.hash).exists(),
)
