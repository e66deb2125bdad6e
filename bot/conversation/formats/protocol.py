"""What a chat format is to everything else, and how one finds its control tokens in a vocabulary."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from tokenizers import Tokenizer

from bot.conversation.sanitize import TemplateTags

__all__ = ["ChatFormat", "UnfitVocabulary", "control_ids", "optional_ids"]


class UnfitVocabulary(Exception):
    """A vocabulary lacks what a chat format puts between texts; the message says what."""


class ChatFormat(Protocol):
    """What a model family's chat template is, for the parts that build prompts and judge texts."""

    @property
    def name(self) -> str:
        """As operators write it."""
        ...

    @property
    def tags(self) -> TemplateTags:
        """The spellings of structure that people and the model may not write."""
        ...

    @property
    def control_tokens(self) -> Mapping[int, str]:
        """How each id that the format puts between texts, or that ends an answer, is spelled out."""
        ...

    @property
    def begin_id(self) -> int | None:
        """The id with which every prompt begins, and which servers put before a text themselves; None if none does."""
        ...

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """The ids with which the model ends an answer."""
        ...

    @property
    def default_system(self) -> str:
        """The system message that the model was trained to see where there is none; "" if it was none."""
        ...

    def without_default(self) -> "ChatFormat":
        """The same format, with nothing in place of a system message where there is none."""
        ...

    def turn(
        self,
        question: str,
        answer: str = "",
        *,
        system_message: str = "",
        is_first: bool = True,
        is_last: bool = True,
        is_complete: bool = True,
    ) -> Sequence[int | str]:
        """The parts of one turn: ids of control tokens, and texts that are encoded each by itself.

        Args:
            question: what a person asked, cleaned.
            answer: what was answered, cleaned; without it the turn ends where the model is to begin.
            system_message: the conversation's, cleaned, or "". It is given for every turn: the format knows in which
                one it stands.
            is_first: no turn stands before this one.
            is_last: no turn stands behind it.
            is_complete: the answer is at its end. Otherwise the turn ends where the model is to go on with it.
        """
        ...


def control_ids(tokenizer: Tokenizer, tokens: Iterable[str]) -> dict[str, int]:
    """The ids of control tokens in a vocabulary, by their spelling.

    Raises:
        UnfitVocabulary: one is missing.
    """
    tokens = tuple(tokens)
    found = optional_ids(tokenizer, tokens)
    missing = [token for token in tokens if token not in found]
    if missing:
        raise UnfitVocabulary(f"the vocabulary has no {', '.join(missing)} as control tokens")
    return found


def optional_ids(tokenizer: Tokenizer, tokens: Iterable[str]) -> dict[str, int]:
    """As `control_ids`, without those that are missing.

    Only tokens count that stand beside the vocabulary's pieces (`added_tokens`): no text is encoded to them.
    """
    added = {token.content: token_id for token_id, token in tokenizer.get_added_tokens_decoder().items()}
    return {token: added[token] for token in tokens if token in added}
