"""Text to token ids with the vocabulary as it was published: tokenizer.json, read by the `tokenizers` library alone.

The vocabulary is Llama-2's kind: another family brings a check of its own, as it brings another `ChatFormat`.

`transformers` is kept out on purpose. From version 5 its AutoTokenizer rebuilds a Llama-2 tokenizer without the file's
normaliser (huggingface/transformers PR 47700), and then no prompt has Meta's ids any more. It also turns a typed "</s>"
into the end of the conversation; here, text never becomes a special token or one that was added later, whoever loaded
the tokenizer.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tokenizers import Tokenizer

from bot.errors import ConfigError

UNKNOWN_ID, BEGIN_ID, END_ID = 0, 1, 2
"""Llama-2's special tokens <unk>, <s> and </s>. Only the template puts them in, and always as numbers."""

SPECIAL_TOKENS = {"<unk>": UNKNOWN_ID, "<s>": BEGIN_ID, "</s>": END_ID}

_UNUSUAL_TEXT = "</s><s><unk> Ab, 12\n\tß ☃ \U0001f98a \U0002070e"
"""No ordinary vocabulary has a piece for every character of this text."""

_BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")
_MAX_FILE_BYTES = 256 * 1024**2
_MAX_REASON = 200


class WrapsTokenizer(Protocol):
    """A tokenizer around a `tokenizers.Tokenizer`, such as transformers' PreTrainedTokenizerFast."""

    @property
    def backend_tokenizer(self) -> Tokenizer:
        """The tokenizer inside."""
        ...


AnyTokenizer = Tokenizer | WrapsTokenizer


def load_tokenizer(
    folder: str | Path, *, num_embeddings: int | None = None, setting: str = "TRINITY_MODEL"
) -> Tokenizer:
    """Read `folder`/tokenizer.json, and make sure that it can be used for Llama-2's chat template.

    Args:
        folder: the model's; or the file itself.
        num_embeddings: how many ids the model knows; None doesn't compare.
        setting: who is to blame for what is wrong.

    Raises:
        ConfigError: the file is missing or broken, numbers its special tokens otherwise, has ids that the model doesn't
            know, or is of another kind than Llama's: pieces with U+2581 for a blank, and 256 for single bytes.
    """
    tokenizer = read_tokenizer(folder, setting=setting)
    problem = _problem(plain_tokenizer(tokenizer), num_embeddings)
    if problem is not None:
        raise ConfigError(setting, f"{_file(folder)} {problem}")
    return tokenizer


def read_tokenizer(folder: str | Path, *, setting: str = "TRINITY_MODEL") -> Tokenizer:
    """Read `folder`/tokenizer.json, or that file, as it is, which is enough to turn ids into text.

    Raises:
        ConfigError: the file is missing or broken.
    """
    path = _file(folder)
    if not path.is_file():
        raise ConfigError(setting, _missing(path))
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise ConfigError(setting, f"{path} is larger than any tokenizer ({_MAX_FILE_BYTES >> 20} MiB)")
        return Tokenizer.from_str(path.read_text(encoding="utf-8-sig"))
    except ConfigError:
        raise
    except Exception as error:  # the library raises bare Exception for whatever is wrong in the file
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:_MAX_REASON]
        raise ConfigError(setting, f"{path} can't be read as a tokenizer: {reason}") from error


def encode(tokenizer: AnyTokenizer, text: str) -> list[int]:
    """The ids of `text` alone: nothing is put around it, and no text gives the id of an added token, 0, 1 or 2.

    A batch of one, because only the library's batch calls let other threads run meanwhile. `text` must be free of lone
    surrogates (`sanitize.repair`).
    """
    ids: list[int] = plain_tokenizer(tokenizer).encode_batch_fast([text], add_special_tokens=False)[0].ids
    return ids


def plain_tokenizer(tokenizer: AnyTokenizer) -> Tokenizer:
    """The tokenizer inside `tokenizer`, set to take text as text: no added tokens in it, whole, without padding.

    Models use added tokens for control, whether the file calls them special or not (a `[PAD]` that somebody added for
    training often isn't), and the library leaves only special ones alone. So all of them become special.
    """
    plain: Tokenizer = tokenizer if isinstance(tokenizer, Tokenizer) else tokenizer.backend_tokenizer
    if not plain.encode_special_tokens:
        plain.encode_special_tokens = True
    ordinary = [token.content for token in plain.get_added_tokens_decoder().values() if not token.special]
    if ordinary:
        plain.add_special_tokens(ordinary)
    if plain.truncation is not None:
        plain.no_truncation()
    if plain.padding is not None:
        plain.no_padding()
    return plain


def _problem(tokenizer: Tokenizer, num_embeddings: int | None) -> str | None:
    """Why this tokenizer can't be used."""
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    for token, token_id in SPECIAL_TOKENS.items():
        if vocabulary.get(token) != token_id:
            found = vocabulary.get(token, "missing")
            return f"is not a Llama-2 vocabulary: {token} must have id {token_id}, and is {found}"
    if len(set(vocabulary.values())) < len(vocabulary):
        first, second = _same_id(vocabulary)
        return f"is damaged: {first!r} and {second!r} have the same id"
    last = max(vocabulary, key=lambda token: vocabulary[token])
    if num_embeddings is not None and vocabulary[last] >= num_embeddings:
        return (
            f"doesn't belong to this model: {last!r} has id {vocabulary[last]}, and the model knows ids up to "
            f"{num_embeddings - 1}; use the tokenizer that came with the weights, or take out of the file "
            "(added_tokens) what was added without resizing the model"
        )
    return _problem_of_pieces(tokenizer, vocabulary)


def _problem_of_pieces(tokenizer: Tokenizer, vocabulary: Mapping[str, int]) -> str | None:
    if any(f"<0x{byte:02X}>" not in vocabulary for byte in range(256)):
        return "is not a Llama-2 vocabulary: it has no byte pieces for characters outside the vocabulary"
    ids = encode(tokenizer, _UNUSUAL_TEXT)
    if min(ids) <= END_ID:
        return "is not a Llama-2 vocabulary: it has no byte pieces in use (byte_fallback)"
    if _spelled(tokenizer, ids) != _UNUSUAL_TEXT:
        return "is not a Llama-2 vocabulary: its pieces spell text in another way"
    return None


def _same_id(vocabulary: Mapping[str, int]) -> tuple[str, str]:
    seen: dict[int, str] = {}
    for token, token_id in vocabulary.items():
        if token_id in seen:
            return seen[token_id], token
        seen[token_id] = token
    raise ValueError("every id is there once")


def _spelled(tokenizer: Tokenizer, token_ids: Sequence[int]) -> str:
    """The text of ids by Llama's rule; where tokenizer.json names another decoder, its pieces are of another kind."""
    pieces = [tokenizer.id_to_token(token_id) or "" for token_id in token_ids]
    spelled = b"".join(
        bytes([int(byte[1], 16)]) if (byte := _BYTE_PIECE.fullmatch(piece)) else piece.replace("\u2581", " ").encode()
        for piece in pieces
    )
    return spelled.decode(errors="replace").removeprefix(" ")


def _file(folder: str | Path) -> Path:
    """The file in a folder; a file that is named itself is that one."""
    path = Path(folder)
    return path if path.suffix == ".json" else path / "tokenizer.json"


def _missing(path: Path) -> str:
    if path.with_name("tokenizer.model").is_file():
        return (
            f"{path.parent} has only tokenizer.model; tokenizer.json is needed too "
            "(meta-llama/Llama-2-7b-chat-hf has both)"
        )
    return f"{path} does not exist"
