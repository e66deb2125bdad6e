"""Llama-3's chat format, of all its versions up to 3.3: Meta's llama-models, models/llama3/chat_format.py.

Every message is a header and a text, each encoded by itself, and ends with `<|eot_id|>`. The templates that come with
3.1 and later put a block with two dates into every system message, which Meta's own code doesn't do; 3.2's has today's
date in it, so that no prompt begins like yesterday's. It is left out here.
"""

from collections.abc import Iterator, Mapping, Sequence

from tokenizers import Tokenizer

from bot.conversation.formats.protocol import PromptTurn
from bot.conversation.formats.vocabulary_format import VocabularyFormat, control_ids, optional_ids

_BEGIN, _START, _END_HEADER, _END_TURN = "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"
_NEEDED = (_BEGIN, _START, _END_HEADER, _END_TURN)
_OTHER_ENDS = ("<|end_of_text|>", "<|eom_id|>")


class Llama3Format(VocabularyFormat):
    """Headers with a role in them, `<|eot_id|>` behind each message, and `<|begin_of_text|>` once."""

    name = "llama-3"

    def __init__(self, ids: Mapping[str, int], default_system: str = "") -> None:
        """`ids` are those of the control tokens, by their spelling."""
        super().__init__(ids, default_system)
        self._ids = ids
        self.begin_id = ids[_BEGIN]
        self.stop_ids = tuple(ids[token] for token in (_END_TURN, *_OTHER_ENDS) if token in ids)

    @classmethod
    def build(cls, tokenizer: Tokenizer, default_system: str = "") -> "Llama3Format":
        """The format with a vocabulary's ids.

        Raises:
            UnfitVocabulary: it has no such control tokens.
        """
        return cls(control_ids(tokenizer, _NEEDED) | optional_ids(tokenizer, _OTHER_ENDS), default_system)

    def parts(self, turn: PromptTurn) -> Sequence[int | str]:
        """The messages of one turn, each with its header."""
        parts: list[int | str] = []
        if turn.is_first:
            parts.append(self.begin_id)
            if system_message := turn.system_message or self.default_system:
                parts += [*self._header("system"), system_message, self._ids[_END_TURN]]
        parts += [*self._header("user"), turn.question, self._ids[_END_TURN], *self._header("assistant")]
        if turn.answer:
            parts.append(turn.answer)
        if turn.is_ended:
            parts.append(self._ids[_END_TURN])
        return parts

    def _header(self, role: str) -> Iterator[int | str]:
        return iter((self._ids[_START], role, self._ids[_END_HEADER], "\n\n"))
