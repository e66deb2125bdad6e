"""What the cache of a model takes, and what it holds at the start."""

from dataclasses import replace

import torch

from bot.inference.model.kv_cache import BLOCK_SIZE, block_bytes, build_kv_cache
from tests.checkpoints import GROUPED, LLAMA_2_7B

GIB = 1024**3


def test_a_token_of_llama_2_7b_takes_half_a_mebibyte():
    assert block_bytes(LLAMA_2_7B, torch.float16) == BLOCK_SIZE * GIB // 2048


def test_shared_heads_take_their_share_only():
    alone = replace(GROUPED, num_kv_heads=8)
    shared = replace(GROUPED, num_kv_heads=2)

    assert block_bytes(alone, torch.float32) == 4 * block_bytes(shared, torch.float32)


def test_the_cache_holds_numbers_from_the_start_and_counts_no_scratch():
    shape = GROUPED

    cache = build_kv_cache(shape, 5, torch.device("cpu"), torch.float32)

    assert cache.blocks.count_nonzero() == 0
    assert cache.blocks.nbytes == 5 * block_bytes(shape, torch.float32)
    assert (cache.num_blocks, cache.num_tokens) == (5, 4 * BLOCK_SIZE)
