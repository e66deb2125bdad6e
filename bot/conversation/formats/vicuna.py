"""Vicuna's chat format, of 1.1 and later: FastChat's conversation template `vicuna_v1.1`.

Who speaks stands before each message as text, in capital letters, and `</s>` behind each answer.
"""

from collections.abc import Mapping, Sequence

from tokenizers import Tokenizer

from bot.conversation.formats.protocol import control_ids
from bot.conversation.sanitize import TemplateTags

_BEGIN, _END = "<s>", "</s>"
_DEFAULT_SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)


class VicunaFormat:
    """One text a turn: `USER: ` and the question, `ASSISTANT: ` and the answer."""

    name = "vicuna"

    def __init__(self, ids: Mapping[str, int], default_system: str = _DEFAULT_SYSTEM) -> None:
        """`ids` are those of the control tokens, by their spelling."""
        self._ids = ids
        self.default_system = default_system
        self.tags = TemplateTags(("USER:", "ASSISTANT:"), tuple(ids))
        self.control_tokens: Mapping[int, str] = {token_id: token for token, token_id in ids.items()}
        self.begin_id, self._end = ids[_BEGIN], ids[_END]
        self.stop_ids = (self._end,)

    @classmethod
    def build(cls, tokenizer: Tokenizer, default_system: str = _DEFAULT_SYSTEM) -> "VicunaFormat":
        """The format with a vocabulary's ids.

        Raises:
            UnfitVocabulary: `<s>` or `</s>` is missing.
        """
        return cls(control_ids(tokenizer, (_BEGIN, _END)), default_system)

    def without_default(self) -> "VicunaFormat":
        """The same without a system message of its own."""
        return VicunaFormat(self._ids, "")

    def turn(
        self,
        question: str,
        answer: str = "",
        *,
        system_message: str = "",
        is_first: bool = True,
        is_last: bool = True,  # noqa: ARG002
        is_complete: bool = True,
    ) -> Sequence[int | str]:
        """`USER: question ASSISTANT: answer`, before the first one the system message."""
        system_message = (system_message or self.default_system) if is_first else ""
        text = f"{system_message} USER: {question} ASSISTANT:" if system_message else f"USER: {question} ASSISTANT:"
        parts: list[int | str] = [self.begin_id] if is_first else []
        parts.append(f"{text} {answer}" if answer else text)
        if answer and is_complete:
            parts.append(self._end)
        return parts
