"""A GGUF file's vocabulary as a tokenizer, where how it cuts text is known; a name in the file says which way."""

from collections.abc import Mapping
from typing import Any

from tokenizers import Tokenizer

from bot.conversation.vocabulary_files import byte_level_tokenizer, sentencepiece_tokenizer
from bot.inference.loading.unusable import UnusableFile

_SPLITS = {"smollm": "smollm", "llama-bpe": "llama-3", "qwen2": "qwen2", "gpt-2": "gpt-2"}
"""GGUF's names for ways to cut text, and ours."""
_CONTROL, _USER_DEFINED = 3, 4
"""Kinds of tokens in GGUF that no text is to become."""


def make_tokenizer(file: str, values: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer that a GGUF file's metadata describes.

    Raises:
        UnusableFile: it is damaged, or cuts text in a way that isn't known here.
    """
    kind, way = values.get("tokenizer.ggml.model"), values.get("tokenizer.ggml.pre")
    begins_with_blank = values.get("tokenizer.ggml.add_space_prefix", True)
    is_sentencepiece = kind == "llama" and way in (None, "default") and begins_with_blank
    splits = _SPLITS.get(str(way)) if kind == "gpt2" else None
    if splits is None and not is_sentencepiece:
        advice = "put the tokenizer.json, or tokenizer.model, that the model was published with beside the file"
        raise UnusableFile(f"{file} has a vocabulary ({kind}, {way}) that is not read out of GGUF: {advice}")
    try:
        tokens, kinds = values["tokenizer.ggml.tokens"], values["tokenizer.ggml.token_type"]
        if splits is None:
            return sentencepiece_tokenizer(tokens, values["tokenizer.ggml.scores"], kinds)
        merges = [(first, second) for first, second in (each.split(" ") for each in values["tokenizer.ggml.merges"])]
        control = [token for token, number in zip(tokens, kinds, strict=True) if number in (_CONTROL, _USER_DEFINED)]
        pieces = {token: number for number, token in enumerate(tokens)}
        return byte_level_tokenizer(pieces, merges, control, splits=splits, ignore_merges=way == "llama-bpe")
    except Exception as error:  # the library raises bare Exception for whatever is wrong in a vocabulary
        raise UnusableFile(f"{file} has a vocabulary that is damaged: {str(error)[:200]}") from error
