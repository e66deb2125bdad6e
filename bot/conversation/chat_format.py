"""The Llama-2 chat template: a conversation becomes prompt token ids, turn by turn.

Every turn is encoded by itself and ids 1 and 2 are put around it as numbers (Meta's generation.py, chat_completion).
A string of the whole conversation, encoded at once, gives other ids at every turn, and lets people type control tokens.
It also means that a turn costs the same wherever it stands, so what it costs is remembered by its text.
"""

import re
import threading
from array import array
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile, zip_longest

from bot.conversation.markup import without_labels
from bot.conversation.messages import Role
from bot.conversation.sanitize import DEFAULT_OWN_NAME, clean, repair, speaker_name
from bot.conversation.tokenizer import BEGIN_ID, END_ID, AnyTokenizer, encode, plain_tokenizer
from bot.errors import (
    EmptyConversation,
    EmptyMessage,
    InvalidFirstRole,
    InvalidTurn,
    LastMessageNotUser,
)

__all__ = [
    "ChatPrompt",
    "EmptyConversation",
    "EmptyMessage",
    "InvalidFirstRole",
    "InvalidTurn",
    "LastMessageNotUser",
    "Message",
    "TurnEncoder",
    "turn_text",
    "user_text",
]

_SPECIAL_TOKEN = re.compile(r"<(/?s|unk)>")
_PROBES = ("a", "7", "\u4e00")


@dataclass(frozen=True, slots=True)
class Message:
    """What one role said, without blanks around it."""

    role: Role
    content: str


class TurnEncoder:
    """Encodes turns with one tokenizer and remembers their ids; safe to use from several threads.

    Args:
        tokenizer: a `tokenizers.Tokenizer` or what wraps one. It is set to take special tokens in texts as text.
        max_cached_tokens: how many ids are remembered; the turns used longest ago are forgotten first.
    """

    def __init__(self, tokenizer: AnyTokenizer, *, max_cached_tokens: int = 1 << 20) -> None:
        self.tokenizer = plain_tokenizer(tokenizer)
        self.num_encoded = 0
        """How many texts had to be encoded because they were not remembered."""
        self._max_cached_tokens = max_cached_tokens
        self._num_cached_tokens = 0
        self._ids_by_text: OrderedDict[str, array[int]] = OrderedDict()
        self._lock = threading.Lock()

    def encode(self, text: str) -> "array[int]":
        """The ids of `text`, a cleaned turn, without ids 1 and 2. The array is shared: don't change it."""
        with self._lock:
            ids = self._ids_by_text.get(text)
            if ids is not None:
                self._ids_by_text.move_to_end(text)
                return ids
        ids = array("I", encode(self.tokenizer, text))
        self._remember(text, ids)
        return ids

    def shared_prefix(self, system_message: str) -> list[int]:
        """The ids, 1 included, with which every prompt of this (cleaned) system message begins.

        Found by comparing the turns of texts that begin differently, so an id that leans on the text is left out.
        """
        first, *others = (self.encode(turn_text(probe, system_message=system_message)) for probe in _PROBES)
        length = min(num_common(first, other) for other in others)
        return [BEGIN_ID, *first[:length]]

    def num_system_tokens(self, system_message: str) -> int:
        """What a persona's prompt costs: the tokens that it adds to a conversation."""
        with_it = turn_text(_PROBES[0], system_message=clean(system_message))
        return len(self.encode(with_it)) - len(self.encode(turn_text(_PROBES[0])))

    @cached_property
    def longest_piece(self) -> int:
        """The most characters that one token can stand for."""
        return max(map(len, self.tokenizer.get_vocab()))

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
    """A conversation on its way into the Llama-2 chat template.

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

    def build(self) -> str:
        """The prompt as one string, with `<s>` and `</s>` spelled out; for reading, and for servers without token ids.

        Since `<s>`, `</s>` and `<unk>` are structure in this form, where people typed them they read `‹s›` and so on.
        """
        turns = [_SPECIAL_TOKEN.sub(r"‹\1›", text) for text in self._turns()]
        end = "</s>" if self.messages[-1].role == Role.ASSISTANT else ""
        return "<s>" + "</s><s>".join(turns) + end

    def token_ids(self, tokenizer: AnyTokenizer | TurnEncoder, *, continue_answer: bool = False) -> list[int]:
        """The prompt's token ids, equal to Meta's chat_completion.

        Args:
            tokenizer: a TurnEncoder remembers turns from call to call; anything else is used as it is.
            continue_answer: the last message is the beginning of an answer, which the model is to continue.

        Raises:
            PromptError: see `validate_conversation`.
            LastMessageNotUser: there is no question to answer, and `continue_answer` is off.
        """
        turns = self._turns()
        is_answered = self.messages[-1].role == Role.ASSISTANT
        if is_answered and not continue_answer:
            raise LastMessageNotUser("the last message must be a user's")
        encoder = tokenizer if isinstance(tokenizer, TurnEncoder) else TurnEncoder(tokenizer)
        return prompt_token_ids(encoder, turns[:-1], turns[-1].removesuffix(" ") if is_answered else turns[-1])

    def _add(self, role: Role, content: str) -> None:
        if content := content.strip():
            self.messages.append(Message(role, content))

    def _turns(self) -> list[str]:
        self.validate_conversation()
        texts = [clean(message.content) for message in self.messages]
        system_message = texts.pop(0) if self.messages[0].role == Role.SYSTEM else ""
        (question, answer), *later = zip_longest(texts[::2], texts[1::2], fillvalue="")
        first = turn_text(question, answer, system_message=system_message)
        return [first, *(turn_text(question, answer) for question, answer in later)]


def user_text(
    content: str,
    author_name: str | None = None,
    own_name: str = DEFAULT_OWN_NAME,
    others: Collection[str] = (),
) -> str:
    """A user message as the prompt shows it, cleaned: with its author's name before it where several people speak.

    There a later line of it speaks for nobody: not for the author, the bot or one of the `others`.
    """
    if author_name is None:
        return clean(content)
    names = {*others, author_name}
    names |= {speaker_name(name, own_name) for name in names} | {own_name, DEFAULT_OWN_NAME}
    return clean(without_labels(f"{speaker_name(author_name, own_name)}: {repair(content).strip()}", names))


def turn_text(question: str, answer: str = "", *, system_message: str = "") -> str:
    """One turn in the template, from cleaned texts. Without an answer it ends where the model is to begin."""
    system_block = f"<<SYS>>\n{system_message}\n<</SYS>>\n\n" if system_message else ""
    return f"[INST] {system_block}{question} [/INST]" + (f" {answer} " if answer else "")


def prompt_token_ids(encoder: TurnEncoder, answered_turns: Sequence[str], last_turn: str) -> list[int]:
    """Turns as prompt token ids: 1 and 2 around each answered one, 1 before the last."""
    token_ids: list[int] = []
    for text in answered_turns:
        token_ids.append(BEGIN_ID)
        token_ids.extend(encoder.encode(text))
        token_ids.append(END_ID)
    token_ids.append(BEGIN_ID)
    token_ids.extend(encoder.encode(last_turn))
    return token_ids


def num_common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many ids both sequences begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
