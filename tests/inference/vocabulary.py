"""A small Llama-style tokenizer: Llama-2's special ids, byte fallback, U+2581 for blanks, a few merged words."""

from tokenizers import AddedToken, Tokenizer, decoders, normalizers
from tokenizers.models import BPE

WORDS = ("▁the", "▁and", "▁Trinity", "ing", "▁you", "tion", "▁▁", "▁▁▁▁", "lo", "▁hel", "élan", "日本", "▁日")
LETTERS = "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?'\"-()*\nàéîöüñçßжшя日本語中文"


def build_tokenizer(size: int = 500) -> Tokenizer:
    """Ids 0, 1, 2 are special, 3 to 258 the bytes, then letters and words, padded to `size` with rare words."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *LETTERS]
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        for end in range(2, len(word) + 1):
            if word[:end] not in pieces:
                pieces.append(word[:end])
                merges.append((word[: end - 1], word[end - 1]))
    pieces += [f"▁word{number}" for number in range(size - len(pieces))]
    vocabulary = {piece: id_ for id_, piece in enumerate(pieces)}
    tokenizer = Tokenizer(BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in ("<unk>", "<s>", "</s>")])
    tokenizer.encode_special_tokens = True
    return tokenizer
