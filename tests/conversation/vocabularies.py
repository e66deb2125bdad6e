"""Vocabularies for tests: a small one that is made on the spot, and the real one where a folder with it is named."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, trainers

from bot.conversation.tokenizer import load_tokenizer
from bot.conversation.vocabulary_files import byte_letters, byte_level_tokenizer

REAL_FOLDER = os.environ.get("LLAMA2_TOKENIZER", "")
DEMO_FOLDER = Path(__file__).parents[2] / "bot" / "demo_model"

needs_real_vocabulary = pytest.mark.skipif(
    not REAL_FOLDER,
    reason="NOT CHECKED AGAINST THE REAL VOCABULARY: set LLAMA2_TOKENIZER to a folder with Llama-2's tokenizer.json",
)

_SAMPLE = [
    "[INST] <<SYS>>\nYour name is Trinity. You are a helpful, respectful and honest assistant.\n<</SYS>>\n\n",
    "Anna: What is my favourite colour? [/INST] You told me that your favourite colour is green. ",
    "Daniel: Can you count from one to ten for us? [/INST] One, two, three, four, five, six, seven, eight. ",
    "A story, please! [/INST] Once upon a time there was a fox who lived beside the river and sang all night long. ",
]


def write_small_vocabulary(folder: Path) -> Path:
    """A tokenizer.json of Llama-2's shape with 600 pieces, in well under a second; the path of the file."""
    pieces, merges = _trained()
    vocabulary = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    ids = {piece: index for index, piece in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.BPE(ids, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def load_any_vocabulary(name: str, folder: Path) -> Tokenizer:
    """The real vocabulary, the demo model's, or one made in `folder` where the demo model has none yet."""
    if name == "real":
        return load_tokenizer(REAL_FOLDER)
    if (DEMO_FOLDER / "tokenizer.json").is_file():
        return load_tokenizer(DEMO_FOLDER)
    return load_tokenizer(write_small_vocabulary(folder).parent)


def _trained() -> tuple[list[str], list[tuple[str, str]]]:
    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.Replace(" ", "▁")
    learner.train_from_iterator(
        [word for text in _SAMPLE for word in text.replace(" ", "\n ").split("\n") if word] * 3,
        trainers.BpeTrainer(vocab_size=340, show_progress=False, min_frequency=2),
    )
    model = json.loads(learner.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].get), [tuple(merge) for merge in model["merges"]]


CONTROL_TOKENS = (
    *("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>"),
    *("<|im_start|>", "<|im_end|>", "<|endoftext|>"),
)
"""What Llama-3 and ChatML put between texts."""


def small_byte_level_vocabulary(
    control_tokens: Sequence[str] = CONTROL_TOKENS, *, splits: str = "llama-3"
) -> Tokenizer:
    """A byte-level vocabulary of a few hundred pieces, and control tokens behind them."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = byte_level_tokenizer({}, [], [], splits=splits).pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=420, show_progress=False, initial_alphabet=sorted(byte_letters()), min_frequency=2
    )
    learner.train_from_iterator([*_SAMPLE, "\n\n\n", "  \n"] * 3, trainer)
    model = json.loads(learner.to_str())["model"]
    return byte_level_tokenizer(
        model["vocab"], [tuple(merge) for merge in model["merges"]], control_tokens, splits=splits
    )


def small_mistral_vocabulary(folder: Path) -> Tokenizer:
    """The small vocabulary, with brackets that are control tokens."""
    content = json.loads(write_small_vocabulary(folder).read_text())
    model = content["model"]
    model["merges"] = [merge for merge in model["merges"] if "INST" not in "".join(merge)]  # no text may become them
    model["vocab"] = {piece: index for piece, index in model["vocab"].items() if "INST" not in piece}
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.add_special_tokens(["[INST]", "[/INST]"])
    return tokenizer
