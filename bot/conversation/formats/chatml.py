"""ChatML, the format of SmolLM2, Qwen2 and many fine-tuned Llamas.

Text is cut at control tokens and nowhere else, as the tokenizers of these models do with a rendered template: a role
and its message are one text, since the line break between them merges with one that follows.
"""

from collections.abc import Mapping, Sequence

from tokenizers import Tokenizer

from bot.conversation.formats.protocol import PromptTurn
from bot.conversation.formats.vocabulary_format import VocabularyFormat, control_ids, optional_ids

_START, _END = "<|im_start|>", "<|im_end|>"
_OTHER_ENDS = ("<|endoftext|>", "</s>", "<|end_of_text|>")


class ChatMLFormat(VocabularyFormat):
    """`<|im_start|>`, a role, a line break, a message and `<|im_end|>`."""

    name = "chatml"
    is_encoded_whole = True

    def __init__(self, ids: Mapping[str, int], default_system: str = "", begin: str | None = None) -> None:
        """`ids` are those of the control tokens, by their spelling; `begin` is the one before the first message."""
        super().__init__(ids, default_system)
        self._start, self._end = ids[_START], ids[_END]
        self.begin_id = None if begin is None else ids[begin]
        self.stop_ids = tuple(ids[token] for token in (_END, *_OTHER_ENDS) if token in ids)

    @classmethod
    def build(cls, tokenizer: Tokenizer, default_system: str = "", begin: str | None = None) -> "ChatMLFormat":
        """The format with a vocabulary's ids; `begin` stands before the first message, where the template has it there.

        Raises:
            UnfitVocabulary: it has no such control tokens.
        """
        needed = (_START, _END) if begin is None else (_START, _END, begin)
        return cls(control_ids(tokenizer, needed) | optional_ids(tokenizer, _OTHER_ENDS), default_system, begin)

    def parts(self, turn: PromptTurn) -> Sequence[int | str]:
        """The messages of one turn; between them stands a line break of its own."""
        parts: list[int | str] = []
        if turn.is_first:
            parts += [] if self.begin_id is None else [self.begin_id]
            if system_message := turn.system_message or self.default_system:
                parts += [self._start, f"system\n{system_message}", self._end, "\n"]
        parts += [self._start, f"user\n{turn.question}", self._end, "\n", self._start, f"assistant\n{turn.answer}"]
        if turn.is_ended:
            parts += [self._end, "\n"]
        return parts
