"""How a conversation becomes prompt token ids: the chat format says what a turn is made of, the encoder makes its ids.

Everything that is one model family's own stands behind `ChatFormat` (`formats`): which ids and texts a turn is, what
its tags and control tokens look like, and which ids end an answer. Nothing else in the package knows a template.

Every turn is encoded by itself, and control tokens are put in as numbers (Meta's generation.py, chat_completion). A
string of the whole conversation, encoded at once, gives other ids at every turn, and lets people type control tokens.
It also means that a turn costs the same wherever it stands, so that its ids are remembered by its text.
"""

import threading
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bot.conversation.formats.llama2 import LLAMA_2, Llama2Format, turn_text
from bot.conversation.formats.protocol import ChatFormat, PromptTurn, prompt_turns
from bot.conversation.messages import Role
from bot.conversation.tokenizer import AnyTokenizer, encode, going_on, plain_tokenizer
from bot.errors import (
    EmptyConversation,
    EmptyMessage,
    InvalidFirstRole,
    InvalidTurn,
    LastMessageNotUser,
)

__all__ = [
    "LLAMA_2",
    "ChatFormat",
    "ChatPrompt",
    "EmptyConversation",
    "EmptyMessage",
    "InvalidFirstRole",
    "InvalidTurn",
    "LastMessageNotUser",
    "Llama2Format",
    "Message",
    "PromptTurn",
    "TurnEncoder",
    "turn_text",
]

_PROBES = ("a", "7", "\u4e00")


@dataclass(frozen=True, slots=True)
class Message:
    """What one role said, without blanks around it."""

    role: Role
    content: str


class TurnEncoder:
    """Encodes turns of one chat format with one tokenizer and remembers their ids; several threads may use it.

    Args:
        tokenizer: a `tokenizers.Tokenizer` or what wraps one. It is set to take special tokens in texts as text.
        chat_format: what a turn is made of.
        max_cached_tokens: how many ids are remembered; the texts used longest ago are forgotten first.
    """

    def __init__(
        self, tokenizer: AnyTokenizer, chat_format: ChatFormat = LLAMA_2, *, max_cached_tokens: int = 1 << 20
    ) -> None:
        plain = plain_tokenizer(tokenizer)
        behind = going_on(plain) if chat_format.is_encoded_whole else None
        self._blank_at_start = "" if behind is None else " "
        self.tokenizer = behind or plain
        self.format = chat_format
        self.num_encoded = 0
        """How many texts had to be encoded because they were not remembered."""
        self._max_cached_tokens = max_cached_tokens
        self._num_cached_tokens = 0
        self._ids_by_text: OrderedDict[str, array[int]] = OrderedDict()
        self._lock = threading.Lock()

    def turn(
        self,
        question: str,
        answer: str = "",
        *,
        system_message: str = "",
        is_first: bool = True,
        is_last: bool = True,
        is_complete: bool = True,
    ) -> "array[int]":
        """The ids of a turn, as `PromptTurn` describes it; those of all its turns are a prompt's."""
        turn = PromptTurn(question, answer, system_message, is_first=is_first, is_last=is_last, is_complete=is_complete)
        return self.ids(turn)

    def ids(self, turn: PromptTurn) -> "array[int]":
        """As `turn`, of one that is put together already."""
        return self._ids(self.format, turn)

    def encode(self, text: str) -> "array[int]":
        """The ids of `text`, cleaned, without any control token's. The array is shared: don't change it."""
        with self._lock:
            ids = self._ids_by_text.get(text)
            if ids is not None:
                self._ids_by_text.move_to_end(text)
                return ids
        ids = array("I", encode(self.tokenizer, text))
        self._remember(text, ids)
        return ids

    def shared_prefix(self, system_message: str, *, is_continued: bool = False) -> list[int]:
        """The ids with which every prompt begins that has this (cleaned) system message.

        With `is_continued` it is the beginning of a system message, and other text follows it. Found by comparing
        prompts that go on differently, so an id that depends on what follows is left out.
        """
        if is_continued:
            beginning = f"{system_message}\n\n".lstrip()
            turns = [self.turn(_PROBES[0], system_message=beginning + probe) for probe in _PROBES]
        else:
            turns = [self.turn(probe, system_message=system_message) for probe in _PROBES]
        first, *others = turns
        return first[: min(num_common(first, other) for other in others)].tolist()

    def num_system_tokens(self, system_message: str) -> int:
        """What a persona's prompt costs: the tokens that it adds to a conversation.

        Without one it is what the model's own system message costs, which stands there then.
        """
        cleaned = self.format.tags.clean(system_message)
        without = self._ids(self.format.without_default(), PromptTurn(_PROBES[0]))
        return len(self.turn(_PROBES[0], system_message=cleaned)) - len(without)

    def num_first_tokens(self, system_message: str) -> int:
        """What a turn costs more where it is the first: in most formats that has the (cleaned) system message."""
        first, later = (
            self.turn(_PROBES[0], system_message=system_message, is_first=is_first) for is_first in (True, False)
        )
        return len(first) - len(later)

    def num_added_tokens(self, text: str) -> int:
        """What a (cleaned) text costs as a paragraph among others."""
        return len(self.encode(f"{_PROBES[0]}\n\n{text}")) - len(self.encode(_PROBES[0])) if text else 0

    @cached_property
    def longest_piece(self) -> int:
        """The most characters that one token can stand for."""
        return max(map(len, self.tokenizer.get_vocab()))

    def _ids(self, chat_format: ChatFormat, turn: PromptTurn) -> "array[int]":
        ids = array("I")
        for part in chat_format.parts(turn):
            if isinstance(part, str):
                # What begins a prompt is not behind a control token: the tokenizer itself puts the first id there.
                is_at_start = turn.is_first and (not ids or (len(ids) == 1 and ids[0] == chat_format.begin_id))
                ids += self.encode(self._blank_at_start + part if is_at_start else part)
            else:
                ids.append(part)
        return ids

    def _remember(self, text: str, ids: "array[int]") -> None:
        with self._lock:
            self.num_encoded += 1
            if text in self._ids_by_text:  # another thread was faster
                return
            self._ids_by_text[text] = ids
            self._num_cached_tokens += len(ids)
            while self._num_cached_tokens > self._max_cached_tokens:
                _, forgotten = self._ids_by_text.popitem(last=False)
                self._num_cached_tokens -= len(forgotten)


class ChatPrompt:
    """A conversation on its way into a chat template, message by message; `window` does the same for stored turns.

    Texts are stripped, and an empty one is not added. What people wrote never becomes structure: see `sanitize`.
    """

    def __init__(self, system_message: str = "") -> None:
        self.messages: list[Message] = []
        self._add(Role.SYSTEM, system_message)

    def add_user_message(self, content: str) -> None:
        """Add what a person said."""
        self._add(Role.USER, content)

    def add_assistant_message(self, content: str) -> None:
        """Add what the model answered."""
        self._add(Role.ASSISTANT, content)

    def validate_conversation(self) -> None:
        """Check that the template has a form for this conversation.

        Raises:
            EmptyConversation: there is no message.
            InvalidFirstRole: the first message is neither the system's nor a user's.
            InvalidTurn: the roles don't go system, user, assistant, user, ...; or the system speaks alone.
            EmptyMessage: a message has no text.
        """
        if not self.messages:
            raise EmptyConversation("a prompt needs at least one message")
        roles = [message.role for message in self.messages]
        if roles[0] not in (Role.SYSTEM, Role.USER):
            raise InvalidFirstRole(f"the first message must be the system's or a user's, not {roles[0]!r}")
        spoken = roles[1:] if roles[0] == Role.SYSTEM else roles
        if not spoken:
            raise InvalidTurn("a system message needs a user message after it")
        for index, role in enumerate(spoken):
            expected = Role.ASSISTANT if index % 2 else Role.USER
            if role != expected:
                raise InvalidTurn(f"message {index + 1} after the system's must be the {expected}'s, not the {role}'s")
        if not all(message.content.strip() for message in self.messages):
            raise EmptyMessage("a message has no text")

    def build(self, chat_format: ChatFormat = LLAMA_2) -> str:
        """The prompt as one string, control tokens spelled out; for reading, and for servers without token ids.

        Since `</s>` and the like are structure in this form, where people typed them they read `‹/s›`.
        """
        return "".join(
            chat_format.tags.neutralise_tokens(part) if isinstance(part, str) else chat_format.control_tokens[part]
            for turn in self._turns(chat_format)
            for part in chat_format.parts(turn)
        )

    def token_ids(self, tokenizer: AnyTokenizer | TurnEncoder, *, continue_answer: bool = False) -> list[int]:
        """The prompt's token ids; in Llama-2's format equal to Meta's chat_completion.

        Args:
            tokenizer: a TurnEncoder remembers turns from call to call; anything else is used as it is.
            continue_answer: the last message is the beginning of an answer, which the model is to continue.

        Raises:
            PromptError: see `validate_conversation`.
            LastMessageNotUser: there is no question to answer, and `continue_answer` is off.
        """
        encoder = tokenizer if isinstance(tokenizer, TurnEncoder) else TurnEncoder(tokenizer)
        turns = self._turns(encoder.format, is_last_complete=False)
        if turns[-1].answer and not continue_answer:
            raise LastMessageNotUser("the last message must be a user's")
        token_ids: list[int] = []
        for turn in turns:
            token_ids += encoder.ids(turn)
        return token_ids

    def _add(self, role: Role, content: str) -> None:
        if content := content.strip():
            self.messages.append(Message(role, content))

    def _turns(self, chat_format: ChatFormat, *, is_last_complete: bool = True) -> list[PromptTurn]:
        self.validate_conversation()
        texts = [chat_format.tags.clean(message.content) for message in self.messages]
        system_message = texts.pop(0) if self.messages[0].role == Role.SYSTEM else ""
        return [*prompt_turns(texts, system_message, is_last_complete=is_last_complete)]


def num_common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many ids both sequences begin with."""
    for index, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return index
    return min(len(first), len(second))
