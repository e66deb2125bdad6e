"""Zephyr's chat format, also TinyLlama-Chat's: the template that comes with HuggingFaceH4/zephyr-7b-beta.

Its `<|user|>` and the like are text to the tokenizer and structure to the model. `<s>` is not in the template: the
tokenizer puts it before the rendered text, in training and in the model card's example.
"""

from collections.abc import Mapping, Sequence

from tokenizers import Tokenizer

from bot.conversation.formats.protocol import PromptTurn
from bot.conversation.formats.vocabulary_format import VocabularyFormat, control_ids

_BEGIN, _END = "<s>", "</s>"
_TAGS = ("<|system|>", "<|user|>", "<|assistant|>")


class ZephyrFormat(VocabularyFormat):
    """A tag in a line of its own before each message, and `</s>` behind it."""

    name = "zephyr"
    is_encoded_whole = True

    def __init__(self, ids: Mapping[str, int], default_system: str = "") -> None:
        """`ids` are those of the control tokens, by their spelling."""
        super().__init__(ids, default_system, _TAGS)
        self.begin_id, self._end = ids[_BEGIN], ids[_END]
        self.stop_ids = (self._end,)

    @classmethod
    def build(cls, tokenizer: Tokenizer, default_system: str = "") -> "ZephyrFormat":
        """The format with a vocabulary's ids.

        Raises:
            UnfitVocabulary: `<s>` or `</s>` is missing.
        """
        return cls(control_ids(tokenizer, (_BEGIN, _END)), default_system)

    def parts(self, turn: PromptTurn) -> Sequence[int | str]:
        """The messages of one turn; the line break behind `</s>` is encoded with what follows it."""
        parts: list[int | str] = []
        question = f"<|user|>\n{turn.question}"
        if turn.is_first:
            parts.append(self.begin_id)
            if system_message := turn.system_message or self.default_system:
                parts += [f"<|system|>\n{system_message}", self._end]
                question = f"\n{question}"
        else:
            question = f"\n{question}"
        parts += [question, self._end, f"\n<|assistant|>\n{turn.answer}"]
        if turn.is_ended:
            parts.append(self._end)
        return parts
