"""A GGUF file's vocabulary as tokenizer.json, where how it cuts text is known; a name in the file says which way."""

from collections.abc import Mapping
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

from bot.inference.loading.unusable import UnusableFile

_CONTROL, _USER_DEFINED = 3, 4
"""Kinds of tokens in GGUF that stand in no text by themselves."""


def make_tokenizer(file: str, values: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer that a GGUF file's metadata describes.

    Raises:
        UnusableFile: it cuts text in a way that isn't known here.
    """
    kind, way = values.get("tokenizer.ggml.model"), values.get("tokenizer.ggml.pre")
    if (kind, way) != ("gpt2", "smollm"):
        advice = "put the tokenizer.json that the model was published with beside the file"
        raise UnusableFile(f"{file} has a vocabulary ({kind}, {way}) that is not read out of GGUF: {advice}")
    tokens, kinds = values["tokenizer.ggml.tokens"], values["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ", 1)) for merge in values["tokenizer.ggml.merges"]]
    try:
        tokenizer = Tokenizer(BPE(vocab={token: number for number, token in enumerate(tokens)}, merges=merges))
    except Exception as error:  # the library raises bare Exception
        raise UnusableFile(f"{file} has a vocabulary that is damaged: {str(error)[:200]}") from error
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    added = [
        (token, number) for token, number in zip(tokens, kinds, strict=True) if number in (_CONTROL, _USER_DEFINED)
    ]
    for token, number in added:
        tokenizer.add_tokens([AddedToken(token, special=number == _CONTROL, normalized=False)])
    return tokenizer
