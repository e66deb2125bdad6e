"""Text to token ids with the vocabulary as it was published: tokenizer.json, read by the `tokenizers` library alone.

There are two kinds of vocabulary: pieces as SentencePiece writes them (Llama-2, Mistral), and byte-level ones (Llama-3,
SmolLM2, Qwen2). Which special tokens there have to be is the chat format's to say (`formats`). A folder with nothing
but a tokenizer.model is read too (`vocabulary_files`).

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

from bot.conversation.vocabulary_files import UnknownVocabularyFile, byte_letters, read_vocabulary_file
from bot.errors import ConfigError

UNKNOWN_ID, BEGIN_ID, END_ID = 0, 1, 2
"""Llama-2's special tokens <unk>, <s> and </s>. Only the template puts them in, and always as numbers."""

SPECIAL_TOKENS = {"<unk>": UNKNOWN_ID, "<s>": BEGIN_ID, "</s>": END_ID}

_UNUSUAL_TEXT = "</s><s><unk> Ab, 12\n\tß ☃ \U0001f98a \U0002070e"
"""No ordinary vocabulary has a piece for every character of this text."""

_RARE_TEXT = "".join(map(chr, range(1, 32))) + "\U00040000"
"""Byte-level vocabularies may lack such characters, and leave them out; no control token may stand in their place."""
_NEEDLESS_BYTES = frozenset({*range(0x09), *range(0x0B, 0x20), 0x7F, 0xC0, 0xC1, 0xF1, 0xF2, *range(0xF5, 0x100)})
"""Control characters, and bytes that stand in no assigned character or in none at all."""

_FIRST_ONLY, _NEVER = b'"prepend_scheme":"first"', b'"prepend_scheme":"never"'
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
    """Read `folder`/tokenizer.json, and make sure that prompts can be made with it.

    Args:
        folder: the model's; or the file itself.
        num_embeddings: how many ids the model knows; None doesn't compare.
        setting: who is to blame for what is wrong.

    Raises:
        ConfigError: the file is missing or broken, has ids that the model doesn't know, spells text in another way
            than the two that are known, or makes control tokens of text.
    """
    tokenizer = read_tokenizer(folder, setting=setting)
    problem = _problem(plain_tokenizer(tokenizer), num_embeddings)
    if problem is not None:
        raise ConfigError(setting, f"{_file(folder)} {problem}")
    return tokenizer


def read_tokenizer(folder: str | Path, *, setting: str = "TRINITY_MODEL") -> Tokenizer:
    """Read `folder`/tokenizer.json, or that file, as it is, which is enough to turn ids into text.

    Where there is none, `folder`/tokenizer.model is read.

    Raises:
        ConfigError: the file is missing or broken.
    """
    path = _file(folder)
    try:
        if not path.is_file():
            if (other := path.with_name("tokenizer.model")).is_file():
                return _converted(other, setting)
            raise ConfigError(setting, f"{path} does not exist, nor a tokenizer.model beside it")
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


def going_on(tokenizer: Tokenizer) -> Tokenizer | None:
    """The tokenizer for text that goes on behind a control token; None if it takes that as it takes a text's beginning.

    Newer tokenizer.json of SentencePiece's kind put a blank before what stands first in a text, and nowhere else.
    """
    state: bytes = b"" if tokenizer.pre_tokenizer is None else tokenizer.pre_tokenizer.__getstate__()
    if _FIRST_ONLY not in state:
        return None
    without: Tokenizer = plain_tokenizer(Tokenizer.from_str(tokenizer.to_str()))
    pre_tokenizer = without.pre_tokenizer
    pre_tokenizer.__setstate__(state.replace(_FIRST_ONLY, _NEVER))
    without.pre_tokenizer = pre_tokenizer
    return without


def is_byte_level(tokenizer: Tokenizer) -> bool:
    """Whether its pieces are spelled byte by byte (GPT-2's way), rather than in characters (SentencePiece's).

    That is what its decoder says.
    """
    return tokenizer.decoder is not None and b'"ByteLevel"' in tokenizer.decoder.__getstate__()


def _problem(tokenizer: Tokenizer, num_embeddings: int | None) -> str | None:
    """Why this tokenizer can't be used."""
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    if not vocabulary:
        return "is empty"
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
    return _problem_of_pieces(tokenizer, vocabulary) or _problem_of_control_tokens(tokenizer)


def _problem_of_pieces(tokenizer: Tokenizer, vocabulary: Mapping[str, int]) -> str | None:
    if is_byte_level(tokenizer):
        pieces = [letter for letter, byte in byte_letters().items() if byte not in _NEEDLESS_BYTES]
    else:
        pieces = [f"<0x{byte:02X}>" for byte in range(256)]
    if any(piece not in vocabulary for piece in pieces):
        return "is of no kind that can be used: it has no byte pieces for characters outside the vocabulary"
    ids = encode(tokenizer, _UNUSUAL_TEXT)
    if not tokenizer.get_added_tokens_decoder().keys().isdisjoint([*ids, *encode(tokenizer, _RARE_TEXT)]):
        return "is of no kind that can be used: it has no byte pieces in use (byte_fallback)"
    if _spelled(tokenizer, ids) != _UNUSUAL_TEXT:
        return "is of no kind that can be used: its pieces spell text in another way"
    return None


def _problem_of_control_tokens(tokenizer: Tokenizer) -> str | None:
    """Whether a text becomes an added token although it is taken as text: by way of pieces that merge."""
    added = tokenizer.get_added_tokens_decoder()
    texts = [token.content for token in added.values()]
    for text, encoding in zip(texts, tokenizer.encode_batch_fast(texts, add_special_tokens=False), strict=True):
        if not added.keys().isdisjoint(encoding.ids):
            return f"is of no kind that can be used: whoever writes {text!r} would write a control token"
    return None


def _same_id(vocabulary: Mapping[str, int]) -> tuple[str, str]:
    seen: dict[int, str] = {}
    for token, token_id in vocabulary.items():
        if token_id in seen:
            return seen[token_id], token
        seen[token_id] = token
    raise ValueError("every id is there once")


def _spelled(tokenizer: Tokenizer, token_ids: Sequence[int]) -> str:
    """The text of ids by their pieces; where tokenizer.json says otherwise, its pieces are of another kind."""
    pieces = [tokenizer.id_to_token(token_id) or "" for token_id in token_ids]
    if is_byte_level(tokenizer):
        letters = byte_letters()
        return bytes(letters.get(letter, 0) for piece in pieces for letter in piece).decode(errors="replace")
    spelled = b"".join(
        bytes([int(byte[1], 16)]) if (byte := _BYTE_PIECE.fullmatch(piece)) else piece.replace("\u2581", " ").encode()
        for piece in pieces
    )
    return spelled.decode(errors="replace").removeprefix(" ")


def _converted(path: Path, setting: str) -> Tokenizer:
    try:
        return read_vocabulary_file(path)
    except (UnknownVocabularyFile, OSError) as error:
        problem = f"there is no tokenizer.json in {path.parent}, and its tokenizer.model can't be converted: {error}"
        raise ConfigError(setting, problem) from error


def _file(folder: str | Path) -> Path:
    """The file in a folder; a file that is named itself is that one."""
    path = Path(folder)
    return path if path.suffix == ".json" else path / "tokenizer.json"
