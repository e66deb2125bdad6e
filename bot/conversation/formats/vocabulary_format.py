"""What formats have in common whose control tokens have the ids that a vocabulary gives them."""

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Self

from tokenizers import Tokenizer

from bot.conversation.sanitize import TemplateTags

__all__ = ["UnfitVocabulary", "VocabularyFormat", "control_ids", "optional_ids"]


class UnfitVocabulary(Exception):
    """A vocabulary lacks what a chat format puts between texts; the message says what."""


class VocabularyFormat:
    """What such a format knows of itself; it adds `name`, `begin_id`, `stop_ids` and `parts`.

    Args:
        ids: of the control tokens, by their spelling.
        default_system: see `ChatFormat`.
        tags: what is structure although it is text to the tokenizer.
    """

    is_encoded_whole = False

    def __init__(self, ids: Mapping[str, int], default_system: str = "", tags: tuple[str, ...] = ()) -> None:
        self.default_system = default_system
        self.tags = TemplateTags(tags, tuple(ids))
        self.control_tokens: Mapping[int, str] = {token_id: token for token, token_id in ids.items()}

    def without_default(self) -> Self:
        """The same format, with nothing in place of a system message where there is none."""
        plain = copy(self)
        plain.default_system = ""
        return plain


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
