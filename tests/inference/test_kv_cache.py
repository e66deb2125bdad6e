"""How large the pool becomes: out of what is free, under the caps, or not at all."""

import pytest
import torch

from bot.errors import ConfigError
from bot.inference.kv_cache import (
    BLOCK_SIZE,
    block_bytes,
    build_kv_cache,
    capped_bytes,
    settle_num_blocks,
)
from tests.checkpoints import grouped_config, llama_2_7b_config, shape_of, tiny_config

GIB = 1024**3
LLAMA = shape_of(llama_2_7b_config())
MANY_TOKENS = 64 * 4096


def settle(num_bytes, most_tokens=MANY_TOKENS, shape=LLAMA):
    return settle_num_blocks(num_bytes, shape, torch.float16, most_tokens)


def test_a_token_of_llama_2_7b_takes_half_a_mebibyte():
    assert block_bytes(LLAMA, torch.float16) == BLOCK_SIZE * GIB // 2048


def test_shared_heads_take_their_share_only():
    alone = shape_of(grouped_config(num_key_value_heads=8))
    shared = shape_of(grouped_config(num_key_value_heads=2))

    assert block_bytes(alone, torch.float32) == 4 * block_bytes(shared, torch.float32)


def test_the_pool_takes_what_is_free_and_no_more():
    num_blocks = settle(2 * GIB)

    assert num_blocks * block_bytes(LLAMA, torch.float16) <= 2 * GIB
    assert (num_blocks + 1) * block_bytes(LLAMA, torch.float16) > 2 * GIB


def test_the_pool_is_no_larger_than_all_conversations_need_beside_the_scratch_block():
    assert settle(100 * GIB, most_tokens=4096) == 4096 // BLOCK_SIZE + 1
    assert settle(100 * GIB, most_tokens=4097) == 4096 // BLOCK_SIZE + 2


def test_room_for_a_short_conversation_is_enough_and_a_block_less_is_refused():
    enough = (640 // BLOCK_SIZE + 1) * block_bytes(LLAMA, torch.float16)

    assert settle(enough) == 21
    with pytest.raises(ConfigError):
        settle(enough - 1)


def test_a_context_window_below_a_short_conversation_asks_for_no_more_than_itself():
    small = shape_of(tiny_config(max_position_embeddings=64))

    num_blocks = settle(3 * block_bytes(small, torch.float16), shape=small)

    assert num_blocks == 3


def test_the_refusal_says_what_there_is_what_is_needed_and_what_to_do():
    with pytest.raises(ConfigError) as refused:
        settle(GIB // 8)

    assert refused.value.setting == "TRINITY_GPU_MEMORY_GIB"
    assert "room for 224 tokens" in refused.value.problem
    assert "takes 640" in refused.value.problem
    assert "free 0.20 GiB more" in refused.value.problem
    assert "\n" not in str(refused.value)


def test_with_less_than_nothing_free_the_refusal_speaks_of_no_tokens():
    with pytest.raises(ConfigError, match="room for 0 tokens"):
        settle(-GIB)


@pytest.mark.parametrize(
    ("total", "gib", "fraction", "left"),
    [
        (16, None, None, 16),
        (20, None, None, 20),
        (100, None, None, 90),
        (100, 14.5, None, 14.5),
        (100, None, 0.25, 25),
        (100, 30, 0.25, 25),
        (100, 20, 0.25, 20),
        (16, 24, None, 16),
    ],
    ids=[
        "a small card whole",
        "the largest small card",
        "nine tenths of a large card",
        "a size",
        "a share",
        "a share below a size",
        "a size below a share",
        "no more than there is",
    ],
)
def test_the_least_of_the_caps_counts(total, gib, fraction, left):
    assert capped_bytes(total * GIB, gib, fraction) == left * GIB


def test_the_cache_holds_numbers_from_the_start_and_counts_no_scratch():
    shape = shape_of(grouped_config())

    cache = build_kv_cache(shape, 5, torch.device("cpu"), torch.float32)

    assert cache.blocks.count_nonzero() == 0
    assert cache.blocks.nbytes == 5 * block_bytes(shape, torch.float32)
    assert (cache.num_blocks, cache.num_tokens) == (5, 4 * BLOCK_SIZE)
