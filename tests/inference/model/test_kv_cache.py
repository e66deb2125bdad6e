"""What the cache of a model takes, and what it holds at the start."""

from dataclasses import replace

import torch

from bot.inference.model.kv_cache import BLOCK_SIZE, CacheKind, block_bytes, build_kv_cache
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


def test_in_eight_bits_a_vector_takes_a_byte_for_each_number_and_two_for_its_scale():
    cache = build_kv_cache(GROUPED, 5, torch.device("cpu"), torch.float32, CacheKind.INT8)

    in_bytes = sum(tensor.nbytes for tensor in cache.tensors())
    assert in_bytes == 5 * block_bytes(GROUPED, torch.float32, CacheKind.INT8)
    assert in_bytes * GROUPED.head_dim * 4 == 5 * block_bytes(GROUPED, torch.float32) * (GROUPED.head_dim + 2)
    assert (cache.dtype, cache.blocks.dtype) == (torch.float32, torch.int8)
