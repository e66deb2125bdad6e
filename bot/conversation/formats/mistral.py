"""Mistral-Instruct's chat formats, as mistral-common's tokenizers v1, v2 and v3 write them.

In v1 the brackets are text, and a system message stands before the first question. In v2 and v3 they are control
tokens, and it stands before the *last* question: it moves on with every turn, and only what stands before the last
question is the same in the next prompt. v2 and v3 differ in tools alone, which the bot doesn't have.
"""

from collections.abc import Mapping, Sequence

from tokenizers import Tokenizer

from bot.conversation.formats.protocol import PromptTurn
from bot.conversation.formats.vocabulary_format import VocabularyFormat, control_ids

_BEGIN, _END = "<s>", "</s>"
_START_QUESTION, _END_QUESTION = "[INST]", "[/INST]"


class MistralFormat(VocabularyFormat):
    """`<s>` once, each question in brackets, and `</s>` behind each answer.

    Args:
        name: as operators write it.
        ids: of the control tokens, by their spelling; without the brackets' those are text.
        is_system_last: the system message stands before the last question, not before the first.
    """

    def __init__(self, name: str, ids: Mapping[str, int], *, is_system_last: bool) -> None:
        # Where the brackets are text, people's would be structure.
        super().__init__(ids, tags=() if _START_QUESTION in ids else (_START_QUESTION, _END_QUESTION))
        self.name = name
        self._brackets = (ids[_START_QUESTION], ids[_END_QUESTION]) if _START_QUESTION in ids else None
        self._is_system_last = is_system_last
        self.begin_id = ids[_BEGIN]
        self._end = ids[_END]
        self.stop_ids = (self._end,)

    @classmethod
    def v1(cls, tokenizer: Tokenizer, *, is_system_last: bool = False) -> "MistralFormat":
        """With brackets that are text.

        Raises:
            UnfitVocabulary: `<s>` or `</s>` is missing.
        """
        return cls("mistral-v1", control_ids(tokenizer, (_BEGIN, _END)), is_system_last=is_system_last)

    @classmethod
    def v3(cls, tokenizer: Tokenizer, *, is_system_last: bool = True, name: str = "mistral-v3") -> "MistralFormat":
        """With brackets that are control tokens.

        Raises:
            UnfitVocabulary: one is missing.
        """
        ids = control_ids(tokenizer, (_BEGIN, _END, _START_QUESTION, _END_QUESTION))
        return cls(name, ids, is_system_last=is_system_last)

    def parts(self, turn: PromptTurn) -> Sequence[int | str]:
        """A question in its brackets, and its answer as a text of its own."""
        question = turn.question
        if turn.system_message and (turn.is_last if self._is_system_last else turn.is_first):
            question = f"{turn.system_message}\n\n{question}"
        parts: list[int | str] = [self.begin_id] if turn.is_first else []
        if self._brackets is None:
            parts.append(f"{_START_QUESTION} {question} {_END_QUESTION}")
        else:
            parts += [self._brackets[0], question, self._brackets[1]]
        if turn.answer:
            parts.append(turn.answer)
        if turn.is_ended:
            parts.append(self._end)
        return parts
