"""Token ids to text as they come, a piece at a time and never half a character.

SentencePiece's vocabularies (Llama-2, Mistral) spell text in two ways: ordinary tokens whose blank is written U+2581,
and 256 byte tokens for what has no token of its own. So a token's text is looked up, and only bytes have to wait until
their UTF-8 sequence is complete; nothing is ever decoded twice. As in SentencePiece, a byte that is no part of a valid
sequence becomes one U+FFFD, and the one blank that the vocabulary puts before the first word is dropped.

In byte-level vocabularies (Llama-3, SmolLM2) every token is bytes, also parts of characters, and no blank is put before
the first word, so that none is dropped. Which kind it is, the tokenizer's decoder says.
"""

import codecs
import re

from tokenizers import Tokenizer

from bot.conversation.tokenizer import is_byte_level
from bot.conversation.vocabulary_files import byte_letters

_BLANK = "\u2581"
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_LETTERS = byte_letters()
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")


class TokenTexts:
    """What each token id stands for: text, one byte, or nothing (special and unknown ids). Built once per model."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        added = tokenizer.get_added_tokens_decoder()
        self.begins_with_blank = not is_byte_level(tokenizer)
        """The vocabulary puts a blank before a text's first word."""
        text_of = _text if self.begins_with_blank else _bytes
        vocabulary = tokenizer.get_vocab(with_added_tokens=True)
        self._texts: dict[int, str | bytes] = {
            id_: text_of(piece) for piece, id_ in vocabulary.items() if id_ not in added
        }
        self._texts |= {
            id_: _text(token.content) if self.begins_with_blank else token.content
            for id_, token in added.items()
            if not token.special
        }

    def __getitem__(self, token_id: int) -> str | bytes:
        return self._texts.get(token_id, "")


class Detokenizer:
    """The text of one completion, in pieces; the pieces joined are the text of all tokens.

    With `is_continued` the completion goes on with a text, so that a blank before its first word stays.
    """

    def __init__(self, texts: TokenTexts, *, is_continued: bool = False) -> None:
        self._texts = texts
        # A lone surrogate stands for each bad byte, and becomes U+FFFD below. The decoder of byte-level
        # vocabularies writes one for each sequence that was begun.
        self._utf8 = codecs.getincrementaldecoder("utf-8")("surrogateescape" if texts.begins_with_blank else "replace")
        self._is_at_start = not is_continued and texts.begins_with_blank

    def push(self, token_id: int) -> str:
        """The text that `token_id` completes; empty inside a UTF-8 sequence."""
        text = self._texts[token_id]
        if not text:
            return ""
        if isinstance(text, str):
            return self._shown(self._utf8.decode(b"", final=True) + text)
        return self._shown(self._utf8.decode(text))

    def finish(self) -> str:
        """The text of bytes that waited for more."""
        return self._shown(self._utf8.decode(b"", final=True))

    def _shown(self, text: str) -> str:
        if self._is_at_start and text:
            self._is_at_start = False
            text = text.removeprefix(" ")
        return _ESCAPED_BYTE.sub("\ufffd", text)


def _text(piece: str) -> str | bytes:
    if match := _BYTE.fullmatch(piece):
        return bytes([int(match[1], 16)])
    return piece.replace(_BLANK, " ")


def _bytes(piece: str) -> bytes:
    return bytes(map(_LETTERS.__getitem__, piece)) if _LETTERS.keys() >= set(piece) else piece.encode(errors="replace")
