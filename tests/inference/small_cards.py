"""Llama-2-7B's shape on a card of which only a part may be used; run by test_gpu.py in a process of its own.

Usage: python -m tests.inference.small_cards fp16|int8 fp16|int8 GIB

Prints in JSON what there was room for, and what became of a conversation that takes all of it (at most as much as a
window) and of 16 that queue behind it.
"""

import asyncio
import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from bot.inference.engine import FairnessKey, Request, SamplingParams
from bot.inference.loading.build import MemoryLimits, assemble_runner
from bot.inference.local import open_local_engine
from bot.inference.messages import LoadedModel
from bot.inference.model.kv_cache import CacheKind
from bot.inference.model.weights import MatrixKind
from tests.checkpoints import LLAMA_2_7B, byte_tokenizer, random_weights
from tests.inference.runs import random_prompt

NUM_NEW = 40


async def ask(engine, prompt, owner):
    """How many tokens came."""
    request = Request(
        tuple(prompt), SamplingParams(max_new_tokens=NUM_NEW), owner, fairness=FairnessKey("g", owner, owner)
    )
    return sum([len(delta.token_ids) async for delta in engine.generate(request)])


async def converse(runner, longest):
    """Tokens of the longest conversation at its end, and how many of 16 others came to theirs."""
    loaded = LoadedModel(runner, byte_tokenizer(32000), "random", frozenset())
    async with open_local_engine(lambda _progress: loaded) as engine:
        whole = longest - NUM_NEW + await ask(engine, random_prompt(longest - NUM_NEW, 32000, seed=0), "one")
        prompts = [random_prompt(400, 32000, seed=number) for number in range(1, 17)]
        ended = await asyncio.gather(*(ask(engine, prompt, f"{n}") for n, prompt in enumerate(prompts)))
    return whole, ended.count(NUM_NEW)


def main() -> int:
    """Build, converse, print."""
    weights_kind, cache_kind, gib = sys.argv[1] == "int8", sys.argv[2] == "int8", float(sys.argv[3])
    torch.cuda.set_per_process_memory_fraction(gib * 2**30 / torch.cuda.mem_get_info()[1])
    kind = MatrixKind.INT8 if weights_kind else MatrixKind.FLOAT
    weights = random_weights(LLAMA_2_7B, torch.device("cuda", 0), torch.float16, kind)
    limits = MemoryLimits(gpu_memory_gib=gib)
    runner = assemble_runner(LLAMA_2_7B, weights, limits, CacheKind.INT8 if cache_kind else CacheKind.FLOAT)
    num_tokens = (runner.num_blocks - 1) * runner.block_size
    longest, num_ended = asyncio.run(converse(runner, min(num_tokens, runner.context_window)))
    found = {
        "weights_gib": weights.num_bytes / 2**30,
        "num_tokens": num_tokens,
        "longest": longest,
        "num_ended": num_ended,
        "reserved_gib": torch.cuda.memory_reserved() / 2**30,
        "num_sequences": runner.max_num_sequences,
        "ops": type(runner._execution.model.ops).__name__,
    }
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
