"""What an answer's prompt was made of, beside the words themselves: kept with the answer, so that it can be made again.

Nothing that people wrote is in it. Turns and notes are named by their ids, a persona's text by its hash, and the whole
prompt by a hash of its token ids, which proves that a prompt made again is the same.
"""

import hashlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

from bot import __version__
from bot.conversation.sections import Section
from bot.conversation.window import TokenBudget
from bot.store.rows.history import Conversation


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a prompt is made from what the database has."""

    prompt_hash: str
    num_prompt_tokens: int
    """The most that it might have had: notes, and what is left out, go by this."""
    day: date
    """What stood for {date}."""
    first_turn_id: int | None
    """Where the turns begin that it was chosen from; None where there was none yet."""
    sections: Mapping[str, tuple[int, ...]]
    """The sections by name, and the ids of what they were made of."""
    num_beginning: int | None
    """How many characters of the answer were there before, where it goes on with one."""
    setup: str
    """Which model made it, and how that was set up; for people."""
    version: str = __version__
    """The Trinity that made it."""

    @classmethod
    def of(
        cls,
        prompt: Sequence[int],
        budget: TokenBudget,
        conversation: Conversation,
        sections: Iterable[Section],
        day: date,
        *,
        beginning: str | None,
        setup: str,
    ) -> Self:
        """The recipe of a prompt that was made of all this."""
        return cls(
            prompt_hash=hash_prompt(prompt),
            num_prompt_tokens=budget.num_prompt_tokens,
            day=day,
            first_turn_id=conversation.turns[0].id if conversation.turns else None,
            sections={section.name: section.made_of for section in sections},
            num_beginning=None if beginning is None else len(beginning),
            setup=setup,
        )

    def as_kept(self) -> dict[str, Any]:
        """It as the table has it."""
        return {
            "prompt": self.prompt_hash,
            "room": self.num_prompt_tokens,
            "day": self.day.isoformat(),
            "first": self.first_turn_id,
            "sections": {name: list(made_of) for name, made_of in self.sections.items()},
            "beginning": self.num_beginning,
            "setup": self.setup,
            "version": self.version,
        }

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """It out of the table."""
        return cls(
            prompt_hash=kept["prompt"],
            num_prompt_tokens=kept["room"],
            day=date.fromisoformat(kept["day"]),
            first_turn_id=kept["first"],
            sections={name: tuple(made_of) for name, made_of in kept["sections"].items()},
            num_beginning=kept["beginning"],
            setup=kept["setup"],
            version=kept["version"],
        )


def hash_prompt(token_ids: Sequence[int]) -> str:
    """SHA-256 of a prompt's token ids, four bytes each, the lowest first."""
    numbers = array("I", token_ids)
    if numbers.itemsize != 4 or array("H", [1]).tobytes() != b"\x01\x00":  # no machine that runs torch is like that
        return hashlib.sha256(b"".join(token_id.to_bytes(4, "little") for token_id in token_ids)).hexdigest()
    return hashlib.sha256(numbers.tobytes()).hexdigest()
