"""What the cache of a model takes, and what it holds at the start."""

import torch

from bot.inference.model.kv_cache import BLOCK_SIZE, block_bytes, build_kv_cache
from tests.checkpoints import grouped_config, llama_2_7b_config, shape_of

GIB = 1024**3
LLAMA = shape_of(llama_2_7b_config())


def test_a_token_of_llama_2_7b_takes_half_a_mebibyte():
    assert block_bytes(LLAMA, torch.float16) == BLOCK_SIZE * GIB // 2048


def test_shared_heads_take_their_share_only():
    alone = shape_of(grouped_config(num_key_value_heads=8))
    shared = shape_of(grouped_config(num_key_value_heads=2))

    assert block_bytes(alone, torch.float32) == 4 * block_bytes(shared, torch.float32)


def test_the_cache_holds_numbers_from_the_start_and_counts_no_scratch():
    shape = shape_of(grouped_config())

    cache = build_kv_cache(shape, 5, torch.device("cpu"), torch.float32)

    assert cache.blocks.count_nonzero() == 0
    assert cache.blocks.nbytes == 5 * block_bytes(shape, torch.float32)
    assert (cache.num_blocks, cache.num_tokens) == (5, 4 * BLOCK_SIZE)
