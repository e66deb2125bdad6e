"""A prompt as a server takes it: its token ids, or, where it takes none, a text that it turns into ids itself.

In a text, control tokens are spelled out, so that words which spell one would become one: those are made inert. The
server puts the token that begins every prompt there itself, unless it was seen not to; twice it may not stand.
"""

from collections.abc import Collection, Iterable, Sequence

from tokenizers import Tokenizer

from bot.conversation.chat_format import ChatFormat
from bot.conversation.sanitize import TemplateTags
from bot.conversation.tokenizer import encode
from bot.inference.detokenizer import Detokenizer, TokenTexts


class PromptSpeller:
    """Writes prompts out as text.

    Args:
        tokenizer: the model's.
        chat_format: says how its control tokens are spelled.
    """

    def __init__(self, tokenizer: Tokenizer, chat_format: ChatFormat) -> None:
        self._texts = TokenTexts(tokenizer)
        self._control_tokens = chat_format.control_tokens
        self._begin_id = chat_format.begin_id
        added = (token.content for token in tokenizer.get_added_tokens_decoder().values())
        self._tags = TemplateTags((), tuple(dict.fromkeys([*self._control_tokens.values(), *added])))

    def spell(self, token_ids: Sequence[int], *, adds_begin: bool) -> str:
        """The prompt as text; with `adds_begin` the server puts the token there itself that begins every prompt."""
        if adds_begin and self._begin_id is not None and token_ids and token_ids[0] == self._begin_id:
            token_ids = token_ids[1:]
        return "".join(self._parts(token_ids))

    def _parts(self, token_ids: Iterable[int]) -> Iterable[str]:
        words: list[int] = []
        for token_id in token_ids:
            if token_id in self._control_tokens:
                yield self._words(words)
                yield self._control_tokens[token_id]
                words = []
            else:
                words.append(token_id)
        yield self._words(words)

    def _words(self, token_ids: Iterable[int]) -> str:
        detokenizer = Detokenizer(self._texts)
        text = "".join([*map(detokenizer.push, token_ids), detokenizer.finish()])
        return self._tags.neutralise_tokens(text)


class AnswerText:
    """The text of one answer as it arrives: without the blank before its first word, nor the token that ends it.

    Some servers leave the spelled end token in the text. What may be its beginning waits until the next piece.

    Args:
        end_tokens: how the tokens are spelled that end an answer.
        is_continued: the answer goes on with a text, so that a blank before its first word belongs to it.
    """

    def __init__(self, end_tokens: Collection[str], *, is_continued: bool) -> None:
        self._end_tokens = tuple(end_tokens)
        self._is_at_start = not is_continued
        self._held_back = ""

    def push(self, text: str) -> str:
        """What can be passed on now."""
        text = self._held_back + text
        if self._is_at_start and text:
            self._is_at_start = False
            text = text.removeprefix(" ")
        kept = max((length for token in self._end_tokens for length in _overlaps(text, token)), default=0)
        self._held_back = text[len(text) - kept :]
        return text[: len(text) - kept]

    def finish(self) -> str:
        """The rest, but for a token that ends the answer."""
        rest, self._held_back = self._held_back, ""
        return "" if rest in self._end_tokens else rest


class TextTokens:
    """The tokens of a text that comes in pieces, from a server that doesn't say which they are.

    Pieces are tokens, mostly, but a token by itself is spelled otherwise than within a text. So they are counted word
    by word: no token goes over a word's end. What may go on is held back.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        # SentencePiece's put a blank before a text by themselves, so that the one that is there has to go.
        self._takes_blank_away = encode(tokenizer, "a b") == [*encode(tokenizer, "a"), *encode(tokenizer, "b")]
        self._rest = ""

    @property
    def num_held_back(self) -> int:
        """How many tokens the beginning of the next word has so far."""
        return len(self._encoded(self._rest)) if self._rest else 0

    def push(self, text: str) -> tuple[int, ...]:
        """The tokens that are known now."""
        self._rest += text
        end = self._rest.rstrip(" ").rfind(" ")
        if end <= 0 or self._rest[end - 1].isspace():  # a run of blanks may be one token
            return ()
        settled, self._rest = self._rest[:end], self._rest[end:]
        return self._encoded(settled)

    def finish(self) -> tuple[int, ...]:
        """The rest."""
        settled, self._rest = self._rest, ""
        return self._encoded(settled)

    def _encoded(self, text: str) -> tuple[int, ...]:
        text = text.removeprefix(" ") if self._takes_blank_away else text
        return tuple(encode(self._tokenizer, text)) if text else ()


def _overlaps(text: str, token: str) -> Iterable[int]:
    """The lengths in which the end of a text is the beginning of a token."""
    return (length for length in range(1, len(token) + 1) if text.endswith(token[:length]))
