"""Text to token ids with the vocabulary as it was published: tokenizer.json, read by the `tokenizers` library alone.

`transformers` is kept out on purpose. From version 5 its AutoTokenizer rebuilds a Llama-2 tokenizer without the file's
normaliser (huggingface/transformers PR 47700), and then no prompt has Meta's ids any more. It also turns a typed "</s>"
into the end of the conversation; here, text never becomes a special token, whoever loaded the tokenizer.
"""

from pathlib import Path
from typing import Protocol

from tokenizers import Tokenizer

from bot.errors import ConfigError

UNKNOWN_ID, BEGIN_ID, END_ID = 0, 1, 2
"""Llama-2's special tokens <unk>, <s> and </s>. Only the template puts them in, and always as numbers."""

SPECIAL_TOKENS = {"<unk>": UNKNOWN_ID, "<s>": BEGIN_ID, "</s>": END_ID}

_UNUSUAL_TEXT = "</s><s><unk> ☃ \U0001f98a \U0002070e"
"""No ordinary vocabulary has a piece for every character of this text."""


class WrapsTokenizer(Protocol):
    """A tokenizer around a `tokenizers.Tokenizer`, such as transformers' PreTrainedTokenizerFast."""

    @property
    def backend_tokenizer(self) -> Tokenizer:
        """The tokenizer inside."""
        ...


AnyTokenizer = Tokenizer | WrapsTokenizer


def load_tokenizer(folder: str | Path) -> Tokenizer:
    """Read `folder`/tokenizer.json, and make sure that it can be used for Llama-2's chat template.

    Raises:
        ConfigError: the file is missing or broken, numbers its special tokens otherwise, or lacks the 256 byte
            pieces that stand for characters outside the vocabulary.
    """
    path = Path(folder) / "tokenizer.json"
    if not path.is_file():
        raise ConfigError("TRINITY_MODEL", _missing(path))
    try:
        tokenizer = plain_tokenizer(Tokenizer.from_file(str(path)))
    except Exception as error:  # the library raises bare Exception for whatever is wrong in the file
        raise ConfigError("TRINITY_MODEL", f"{path} can't be read as a tokenizer: {error}") from error
    for token, token_id in SPECIAL_TOKENS.items():
        if tokenizer.token_to_id(token) != token_id:
            raise ConfigError("TRINITY_MODEL", f"{path} is not a Llama-2 vocabulary: {token} must have id {token_id}")
    if min(encode(tokenizer, _UNUSUAL_TEXT)) <= END_ID:
        raise ConfigError("TRINITY_MODEL", f"{path} is not a Llama-2 vocabulary: it has no byte pieces")
    return tokenizer


def encode(tokenizer: AnyTokenizer, text: str) -> list[int]:
    """The ids of `text` alone: nothing is put around it, and no text gives id 0, 1 or 2.

    A batch of one, because only the library's batch calls let other threads run meanwhile. `text` must be free of lone
    surrogates (`sanitize.repair`).
    """
    ids: list[int] = plain_tokenizer(tokenizer).encode_batch_fast([text], add_special_tokens=False)[0].ids
    return ids


def plain_tokenizer(tokenizer: AnyTokenizer) -> Tokenizer:
    """The tokenizer inside `tokenizer`, set to take text as text: no special tokens in it, whole, without padding."""
    plain: Tokenizer = tokenizer if isinstance(tokenizer, Tokenizer) else tokenizer.backend_tokenizer
    if not plain.encode_special_tokens:
        plain.encode_special_tokens = True
    if plain.truncation is not None:
        plain.no_truncation()
    if plain.padding is not None:
        plain.no_padding()
    return plain


def _missing(path: Path) -> str:
    if path.with_name("tokenizer.model").is_file():
        return (
            f"{path.parent} has only tokenizer.model; tokenizer.json is needed too "
            "(meta-llama/Llama-2-7b-chat-hf has both)"
        )
    return f"{path} does not exist"
