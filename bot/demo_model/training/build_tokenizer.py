"""Trains the tokenizer: byte-pair pieces with byte fallback, in Llama-2's layout of ids. `python -m ...build_tokenizer`.

No merge crosses the border between a word and punctuation, digits stay single, and "▁[/INST]" is one piece, so the ids
of a question are a prefix of the ids of its turn.
"""

import json
import random
from collections import Counter

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from bot.demo_model.training.chat_format import TOKENIZER_FILE
from bot.demo_model.training.rows import sample_text

VOCABULARY_SIZE = 2048
NUM_FIRST = 259
"""unk, bos, eos and the 256 bytes."""

PIECES = Regex(r"▁?\[/?INST\]|▁?<</?SYS>>|▁*\p{N}|▁?\p{L}[\p{L}\p{M}]*|▁+|[^\p{L}\p{N}▁]")
NORMALIZER = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])


def sample_texts(num_conversations: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [text for _ in range(num_conversations) for text in sample_text(rng)]


def train_pieces(texts: list[str]) -> tuple[list[str], list[list[str]]]:
    """The alphabet and merges: (pieces in order of their ids, merges)."""
    letters = Counter(char for text in texts for char in text if not char.isspace())
    alphabet = [char for char, count in letters.items() if count >= 60 and (char.isascii() or count >= 400)]
    first = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))  # noqa: S106
    tokenizer.normalizer = NORMALIZER
    tokenizer.pre_tokenizer = pre_tokenizers.Split(PIECES, "isolated")
    size = VOCABULARY_SIZE
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=first,
        initial_alphabet=["▁", *alphabet],
        limit_alphabet=len(alphabet) + 1,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    pieces = sorted(model["vocab"], key=model["vocab"].get)
    return pieces, model["merges"]


def build_tokenizer(pieces: list[str], merges: list[list[str]]) -> Tokenizer:
    model = models.BPE(
        {piece: at for at, piece in enumerate(pieces)},
        [tuple(merge) for merge in merges],
        unk_token="<unk>",  # noqa: S106
        fuse_unk=True,
        byte_fallback=True,
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = NORMALIZER
    tokenizer.pre_tokenizer = pre_tokenizers.Split(PIECES, "isolated")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    return tokenizer


def main() -> None:
    TOKENIZER_FILE.unlink(missing_ok=True)  # an older one would colour the made-up words
    texts = sample_texts(7000, seed=2)
    pieces, merges = train_pieces(texts)
    tokenizer = build_tokenizer(pieces, merges)
    if (
        len(pieces) != VOCABULARY_SIZE
        or tokenizer.token_to_id("<0x00>") != 3
        or tokenizer.token_to_id("▁[/INST]") is None
    ):
        raise RuntimeError("the sample gave no vocabulary of Llama-2's layout")
    TOKENIZER_FILE.write_text(tokenizer.to_str(), encoding="utf-8")
    num_tokens = sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts[:5000], add_special_tokens=False))
    print(
        f"{len(pieces)} pieces, {len(merges)} merges, {sum(map(len, texts[:5000])) / num_tokens:.2f} characters a token"
    )


if __name__ == "__main__":
    main()
