"""How fast the small real model answers on the CPU, beside transformers' `generate` on the same threads, in float32.

    python -m benchmarks.small_model --model data/models/smollm2
    python -m benchmarks.small_model --model data/models/smollm2 --threads 1 2 --int8

Both take turns in one process, on the same weights: a prompt of 200 tokens, 64 new ones, greedily. What counts is the
median of the rounds' ratios, by the clock and by the time that the processor spent. First words are those of a short
question: 64 tokens of prompt, and the first token after them.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

import torch

from benchmarks.inference_setting import provenance
from bot.inference.engine import Request, SamplingParams
from bot.inference.loading.build import build_runner
from bot.inference.model.weights import MatrixKind
from bot.inference.scheduling.core import EngineCore

_PROMPT_TOKENS = 200
_QUESTION_TOKENS = 64
_WINDOW = 1024


@dataclass(frozen=True, slots=True)
class Row:
    """What so many threads do."""

    threads: int
    transformers: float
    """Tokens a second, the prompt's time included."""
    trinity: float
    ratio: float
    ratio_of_processor_time: float
    first_words: float
    """Seconds from a short question to its first token."""
    int8: float | None = None
    """Tokens a second with weights in eight bits."""


class _Turns:
    """One model, asked again and again by somebody whose prompts never begin alike."""

    def __init__(self, folder: Path, kind: MatrixKind = MatrixKind.FLOAT) -> None:
        runner = build_runner(folder, "cpu", context_window=_WINDOW, max_num_sequences=1, weights_kind=kind)
        self._core = EngineCore(runner)
        self._number = 0

    def __call__(self, prompt: list[int], num_new: int) -> list[int]:
        self._number += 1
        sampling = SamplingParams(max_new_tokens=num_new)
        self._core.submit(self._number, Request(tuple(prompt), sampling))
        tokens: list[int] = []
        while self._core.has_work:
            for output in self._core.step():
                tokens += output.token_ids
        return tokens


def _prompt(length: int, seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(100, 40_000, (length,), generator=generator).tolist()


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def main() -> int:
    """Print and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="the model's folder")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--new", type=int, default=64)
    parser.add_argument("--int8", action="store_true", help="measure weights in eight bits too")
    parser.add_argument("--json", type=Path, default=None, help="where the figures go")
    options = parser.parse_args()
    from transformers import LlamaForCausalLM

    theirs = LlamaForCausalLM.from_pretrained(options.model, dtype=torch.float32, use_safetensors=True).eval()
    ours = _Turns(options.model)
    in_eight_bits = _Turns(options.model, MatrixKind.INT8) if options.int8 else None

    def generate(prompt: list[int]) -> None:
        ids = torch.tensor([prompt])
        with torch.inference_mode():
            theirs.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=options.new,
                min_new_tokens=options.new, pad_token_id=0,
            )  # fmt: skip

    rows = []
    for threads in options.threads:
        torch.set_num_threads(threads)
        rounds, firsts, int8 = [], [], []
        for number in range(options.rounds + 1):
            prompt, question = _prompt(_PROMPT_TOKENS, number), _prompt(_QUESTION_TOKENS, 1000 + number)
            their_time = _timed(partial(generate, prompt))
            our_time = _timed(partial(ours, prompt, options.new))
            first = _timed(partial(ours, question, 1))
            if in_eight_bits is not None:
                int8.append(_timed(partial(in_eight_bits, prompt, options.new))[0])
            if number:  # the first pays for what is set up once
                rounds.append((their_time, our_time))
                firsts.append(first[0])
        row = Row(
            threads,
            transformers=options.new / median(one[0] for one, _ in rounds),
            trinity=options.new / median(other[0] for _, other in rounds),
            ratio=median(one[0] / other[0] for one, other in rounds),
            ratio_of_processor_time=median(one[1] / other[1] for one, other in rounds),
            first_words=median(firsts),
            int8=options.new / median(int8[1:]) if int8 else None,
        )
        rows.append(row)
        print(row, flush=True)
    if options.json:
        options.json.write_text(json.dumps(provenance() | {"rows": [asdict(row) for row in rows]}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
