"""Vocabularies for tests: a small one that is made on the spot, and the real one where a folder with it is named."""

import json
import os
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, trainers

from bot.conversation.tokenizer import load_tokenizer

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
