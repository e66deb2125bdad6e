"""What a chat format is to everything else, and what it is given to write."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Protocol

from bot.conversation.sanitize import TemplateTags

__all__ = ["ChatFormat", "PromptTurn", "prompt_turns"]


@dataclass(frozen=True, slots=True)
class PromptTurn:
    """A turn as a prompt shows it. Its texts are cleaned."""

    question: str
    answer: str = ""
    """Without one the turn ends where the model is to begin."""
    system_message: str = ""
    """The conversation's. Every turn has it: the format knows in which one it stands."""
    is_first: bool = True
    """No turn stands before this one."""
    is_last: bool = True
    """No turn stands behind it."""
    is_complete: bool = True
    """The answer is at its end. Otherwise the turn ends where the model is to go on with it."""

    @property
    def is_ended(self) -> bool:
        """Whether what ends an answer stands behind it."""
        return bool(self.answer) and self.is_complete


def prompt_turns(
    texts: Sequence[str], system_message: str = "", *, is_last_complete: bool = True
) -> Iterator[PromptTurn]:
    """The turns of a conversation, from its cleaned questions and answers by turns."""
    pairs = [*zip_longest(texts[::2], texts[1::2], fillvalue="")]
    for index, (question, answer) in enumerate(pairs):
        is_last = index == len(pairs) - 1
        yield PromptTurn(
            question,
            answer,
            system_message,
            is_first=index == 0,
            is_last=is_last,
            is_complete=is_last_complete or not is_last,
        )


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

    @property
    def is_encoded_whole(self) -> bool:
        """Whether the vendor encodes a prompt at once, cut at control tokens alone; else each text by itself."""
        ...

    def without_default(self) -> "ChatFormat":
        """The same format, with nothing in place of a system message where there is none."""
        ...

    def parts(self, turn: PromptTurn) -> Sequence[int | str]:
        """The parts of one turn: ids of control tokens, and texts that are encoded each by itself."""
        ...
