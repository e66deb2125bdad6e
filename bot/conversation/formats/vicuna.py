"""Vicuna's chat format, of 1.1 and later: FastChat's conversation template `vicuna_v1.1`.

Who speaks stands before each message as text, in capital letters, and `</s>` behind each answer.
"""

from collections.abc import Mapping, Sequence

from tokenizers import Tokenizer

from bot.conversation.formats.protocol import PromptTurn
from bot.conversation.formats.vocabulary_format import VocabularyFormat, control_ids

_BEGIN, _END = "<s>", "</s>"
_DEFAULT_SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)


class VicunaFormat(VocabularyFormat):
    """One text a turn: `USER: ` and the question, `ASSISTANT: ` and the answer."""

    name = "vicuna"
    is_encoded_whole = True

    def __init__(self, ids: Mapping[str, int], default_system: str = _DEFAULT_SYSTEM) -> None:
        """`ids` are those of the control tokens, by their spelling."""
        super().__init__(ids, default_system, ("USER:", "ASSISTANT:"))
        self.begin_id, self._end = ids[_BEGIN], ids[_END]
        self.stop_ids = (self._end,)

    @classmethod
    def build(cls, tokenizer: Tokenizer, default_system: str = _DEFAULT_SYSTEM) -> "VicunaFormat":
        """The format with a vocabulary's ids.

        Raises:
            UnfitVocabulary: `<s>` or `</s>` is missing.
        """
        return cls(control_ids(tokenizer, (_BEGIN, _END)), default_system)

    def parts(self, turn: PromptTurn) -> Sequence[int | str]:
        """`USER: question ASSISTANT: answer`, before the first one the system message."""
        system_message = (turn.system_message or self.default_system) if turn.is_first else ""
        text = f"USER: {turn.question} ASSISTANT:"
        if system_message:
            text = f"{system_message} {text}"
        parts: list[int | str] = [self.begin_id] if turn.is_first else []
        parts.append(f"{text} {turn.answer}" if turn.answer else text)
        if turn.is_ended:
            parts.append(self._end)
        return parts
