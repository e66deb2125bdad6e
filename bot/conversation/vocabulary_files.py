"""Vocabularies that don't come as a tokenizer.json: a tokenizer.model of SentencePiece or of Meta's Llama 3, lists.

Each becomes a `tokenizers.Tokenizer` that makes the same ids. `transformers` is no help here: what it makes of
Llama-2's tokenizer.model gives other ids for most lines of code. Tests hold what is made here against the vendors' own
libraries.
"""

import base64
import binascii
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

__all__ = [
    "UnknownVocabularyFile",
    "byte_letters",
    "byte_level_tokenizer",
    "read_vocabulary_file",
    "sentencepiece_tokenizer",
]

_MAX_FILE_BYTES = 64 * 1024**2
_BLANK = "\u2581"

# SentencePiece's sentencepiece_model.proto: kinds of pieces, and which model its trainer made.
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED = 1, 2, 3, 4
_BPE = 2
_TAG = re.compile(r"[\[<][^\s\[\]<>]+[\]>]")

_NUM_LLAMA_3_PIECES = 128_000
_NUM_LLAMA_3_CONTROL_TOKENS = 256
_LLAMA_3_CONTROL_TOKENS = (
    *("<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>"),
    *("<|finetune_right_pad_id|>", "<|step_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>"),
    *("<|eot_id|>", "<|python_tag|>", "<|image|>"),
)

_ENDINGS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPLITS = {
    "llama-3": (
        rf"{_ENDINGS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    "qwen2": (
        rf"{_ENDINGS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
}


class UnknownVocabularyFile(Exception):
    """It is of no kind that can be converted; the message says why."""


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    score: float
    kind: int


def read_vocabulary_file(path: Path) -> Tokenizer:
    """Read a tokenizer.model, of SentencePiece (Llama-2, Mistral) or as Meta's Llama 3 has it.

    Raises:
        UnknownVocabularyFile: it is none of these, or does to a text what can't be repeated exactly.
        OSError: it can't be read.
    """
    if path.stat().st_size > _MAX_FILE_BYTES:
        raise UnknownVocabularyFile(f"it is larger than any ({_MAX_FILE_BYTES >> 20} MiB)")
    content = path.read_bytes()
    try:
        ranks = _ranks(content)
        return _of_sentencepiece(content) if ranks is None else _of_llama_3(ranks)
    except UnknownVocabularyFile:
        raise
    except Exception as error:  # damaged in one of many ways; tokenizers raises plain Exceptions
        raise UnknownVocabularyFile("it is damaged, or of an unknown kind") from error


def byte_level_tokenizer(
    pieces: Mapping[str, int],
    merges: Sequence[tuple[str, str]],
    control_tokens: Sequence[str],
    *,
    splits: str,
    ignore_merges: bool = False,
) -> Tokenizer:
    """A byte-level BPE from lists, such as those in a GGUF file.

    Args:
        pieces: the id of each piece, control tokens included.
        merges: pairs of pieces, the first ones first.
        control_tokens: those that no text is to become.
        splits: how text is cut before pieces are merged: `gpt-2`, `smollm`, `llama-3` or `qwen2`.
        ignore_merges: what is a piece as a whole is not made of smaller ones.
    """
    tokenizer = Tokenizer(models.BPE(dict(pieces), [*merges], ignore_merges=ignore_merges))
    match splits:
        case "gpt-2":
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        case "smollm":
            cut = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
            tokenizer.pre_tokenizer = pre_tokenizers.Sequence(cut)
        case "llama-3" | "qwen2":
            at = pre_tokenizers.Split(Regex(_SPLITS[splits]), "isolated")
            plain = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
            tokenizer.pre_tokenizer = pre_tokenizers.Sequence([at, plain])
            if splits == "qwen2":
                tokenizer.normalizer = normalizers.NFC()
        case _:
            raise UnknownVocabularyFile(f"text that is cut as {splits!r} says is not known")
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in control_tokens])
    return tokenizer


def byte_letters() -> dict[str, int]:
    """The letter that stands for each byte in byte-level pieces: itself where it can be seen, else one from 256 on."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    unseen = [byte for byte in range(256) if byte not in seen]
    return {chr(byte): byte for byte in seen} | {chr(256 + index): byte for index, byte in enumerate(unseen)}


def sentencepiece_tokenizer(texts: Sequence[str], scores: Sequence[float], kinds: Sequence[int]) -> Tokenizer:
    """A SentencePiece BPE from lists, such as those in a GGUF file.

    Args:
        texts: the pieces, by their ids.
        scores: of two pieces that could be made next, the one with the greater score is.
        kinds: in SentencePiece's numbers.

    Raises:
        UnknownVocabularyFile: it does to a text what can't be repeated exactly.
    """
    return _of_pieces([_Piece(*each) for each in zip(texts, scores, kinds, strict=True)])


def _ranks(content: bytes) -> dict[bytes, int] | None:
    """Pieces and their ranks, where the file is lines of base64 and a number; None if it isn't."""
    ranks: dict[bytes, int] = {}
    try:
        for line in content.split(b"\n"):
            if line:
                piece, rank = line.split(b" ")
                ranks[base64.b64decode(piece, validate=True)] = int(rank)
    except (ValueError, binascii.Error):
        return None
    return ranks or None


def _of_llama_3(ranks: Mapping[bytes, int]) -> Tokenizer:
    if sorted(ranks.values()) != [*range(_NUM_LLAMA_3_PIECES)]:
        raise UnknownVocabularyFile(f"it has {len(ranks)} pieces; only Llama 3's {_NUM_LLAMA_3_PIECES} are known")
    letters = {byte: letter for letter, byte in byte_letters().items()}
    spelled = {piece: "".join(map(letters.__getitem__, piece)) for piece in ranks}
    merges: list[tuple[int, int, int, bytes, bytes]] = []
    for piece, rank in ranks.items():
        for place in range(1, len(piece)):
            first, second = piece[:place], piece[place:]
            if first in ranks and second in ranks:
                merges.append((rank, ranks[first], ranks[second], first, second))
    merges.sort()
    num_reserved = _NUM_LLAMA_3_CONTROL_TOKENS - len(_LLAMA_3_CONTROL_TOKENS)
    reserved = [f"<|reserved_special_token_{2 + index}|>" for index in range(num_reserved)]
    return byte_level_tokenizer(
        {spelled[piece]: rank for piece, rank in ranks.items()},
        [(spelled[first], spelled[second]) for *_, first, second in merges],
        [*_LLAMA_3_CONTROL_TOKENS, *reserved],
        splits="llama-3",
        ignore_merges=True,
    )


def _of_sentencepiece(content: bytes) -> Tokenizer:
    pieces: list[_Piece] = []
    trainer: dict[int, int | bytes] = {}
    normalizer: dict[int, int | bytes] = {}
    for number, value in _fields(content):
        match number, value:
            case 1, bytes():
                pieces.append(_piece(value))
            case 2, bytes():
                trainer = dict(_fields(value))
            case 3, bytes():
                normalizer = dict(_fields(value))
    _refuse_other_sentencepieces(trainer, normalizer)
    return _of_pieces(pieces)


def _of_pieces(pieces: Sequence[_Piece]) -> Tokenizer:
    """SentencePiece's BPE as Llama-2 and Mistral use it."""
    if not pieces:
        raise UnknownVocabularyFile("it has no pieces")
    other = next((piece for piece in pieces if piece.kind == _USER_DEFINED and not _TAG.fullmatch(piece.text)), None)
    if other is not None:
        raise UnknownVocabularyFile(f"it has a piece that goes before others: {other.text!r}")
    ids = {piece.text: index for index, piece in enumerate(pieces)}
    if len(ids) < len(pieces):
        raise UnknownVocabularyFile("it has a piece twice")
    unknown = next((piece.text for piece in pieces if piece.kind == _UNKNOWN), None)
    model = models.BPE(ids, _merges(pieces), unk_token=unknown, fuse_unk=True, byte_fallback=True)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(_BLANK), normalizers.Replace(" ", _BLANK)])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(_BLANK, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    control_tokens = [piece.text for piece in pieces if piece.kind in (_UNKNOWN, _CONTROL)]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in control_tokens])
    # SentencePiece makes these of text, too. To the model they are structure, such as `[REFERENCE_DOC_0]`.
    tags = [piece.text for piece in pieces if piece.kind == _USER_DEFINED]
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in tags])
    return tokenizer


def _refuse_other_sentencepieces(trainer: Mapping[int, int | bytes], normalizer: Mapping[int, int | bytes]) -> None:
    """Refuse what Llama's and Mistral's don't do: another algorithm, another spelling.

    Numbers are the fields' in sentencepiece_model.proto; what isn't there has the default.
    """
    problems = (
        (trainer.get(3, 1) != _BPE, "its algorithm is not BPE"),
        (not trainer.get(35, 0), "it has no byte pieces in use (byte_fallback)"),
        (bool(trainer.get(24, 0)), "it writes blanks behind words"),
        (bool(normalizer.get(2, b"")), "it normalises text"),
        (not normalizer.get(3, 1), "it puts no blank before a text"),
        (bool(normalizer.get(4, 1)), "it takes blanks out of a text"),
        (not normalizer.get(5, 1), "it doesn't spell blanks as Llama does"),
    )
    for is_wrong, problem in problems:
        if is_wrong:
            raise UnknownVocabularyFile(problem)


def _piece(content: bytes) -> _Piece:
    text, score, kind = "", 0.0, _NORMAL
    for number, value in _fields(content):
        match number, value:
            case 1, bytes():
                text = value.decode()
            case 2, bytes():
                (score,) = struct.unpack("<f", value)
            case 3, int():
                kind = value
    return _Piece(text, score, kind)


def _merges(pieces: Sequence[_Piece]) -> list[tuple[str, str]]:
    """Which pieces merge to which, the best first. SentencePiece merges whatever gives the piece of the best score."""
    ids = {piece.text: index for index, piece in enumerate(pieces) if piece.kind == _NORMAL}
    found: list[tuple[float, int, int, int]] = []
    for piece in pieces:
        if piece.kind != _NORMAL:
            continue
        text = piece.text
        for place in range(1, len(text)):
            first, second = ids.get(text[:place]), ids.get(text[place:])
            if first is not None and second is not None:
                found.append((-piece.score, ids[text], first, second))
    found.sort()
    return [(pieces[first].text, pieces[second].text) for _, _, first, second in found]


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protocol buffer: number and value; numbers of fixed size as their bytes."""
    place = 0
    while place < len(content):
        key, place = _number(content, place)
        match key & 7:
            case 0:
                value, place = _number(content, place)
                yield key >> 3, value
                continue
            case 1:
                length = 8
            case 2:
                length, place = _number(content, place)
            case 5:
                length = 4
            case _:
                raise UnknownVocabularyFile("it is damaged, or of an unknown kind")
        if place + length > len(content):
            raise UnknownVocabularyFile("it is cut off")
        yield key >> 3, content[place : place + length]
        place += length


def _number(content: bytes, place: int) -> tuple[int, int]:
    """A number of variable length, and the place behind it."""
    number, shift = 0, 0
    while True:
        byte = content[place]
        number |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return number, place
