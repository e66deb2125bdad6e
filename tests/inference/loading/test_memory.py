"""How a device's memory is given out: out of what is free, under the caps, or not at all."""

from dataclasses import replace

import pytest
import torch

from bot.errors import ConfigError
from bot.inference.loading import memory
from bot.inference.loading.memory import capped_bytes, settle_num_blocks
from bot.inference.model.kv_cache import BLOCK_SIZE, CacheKind, block_bytes
from bot.inference.model.ops import workspace_widths
from bot.inference.model.shape import LlamaShape
from bot.inference.model.weights import MatrixKind, empty_weights
from tests.checkpoints import GROUPED, LLAMA_2_7B, TINY

GIB = 1024**3
LLAMA_13B = LlamaShape(32000, 5120, 13824, 40, 40, 40, 128, 4096)
LLAMA_70B = LlamaShape(32000, 8192, 28672, 80, 64, 8, 128, 4096)
MANY_TOKENS = 64 * 4096

BIASED = replace(GROUPED, has_qkv_bias=True, has_output_bias=True)


def settle(num_bytes, most_tokens=MANY_TOKENS, shape=LLAMA_2_7B):
    return settle_num_blocks(num_bytes, shape, torch.float16, most_tokens)


def test_the_pool_takes_what_is_free_and_no_more():
    num_blocks = settle(2 * GIB)

    assert num_blocks * block_bytes(LLAMA_2_7B, torch.float16) <= 2 * GIB
    assert (num_blocks + 1) * block_bytes(LLAMA_2_7B, torch.float16) > 2 * GIB


def test_the_pool_is_no_larger_than_all_conversations_need_beside_the_scratch_block():
    assert settle(100 * GIB, most_tokens=4096) == 4096 // BLOCK_SIZE + 1
    assert settle(100 * GIB, most_tokens=4097) == 4096 // BLOCK_SIZE + 2


def test_room_for_a_short_conversation_is_enough_and_a_block_less_is_refused():
    enough = (640 // BLOCK_SIZE + 1) * block_bytes(LLAMA_2_7B, torch.float16)

    assert settle(enough) == 21
    with pytest.raises(ConfigError):
        settle(enough - 1)


def test_a_context_window_below_a_short_conversation_asks_for_no_more_than_itself():
    small = replace(TINY, context_window=64)

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


@pytest.mark.parametrize("kind", MatrixKind)
@pytest.mark.parametrize(
    "shape", [LLAMA_2_7B, LLAMA_13B, LLAMA_70B, GROUPED, BIASED], ids=["7B", "13B", "70B", "grouped", "biased"]
)
def test_weights_take_what_was_counted_before_they_were_loaded(shape, kind):
    weights = empty_weights(shape, torch.device("meta"), torch.float16, kind)

    assert memory.weights_bytes(shape, torch.float16, kind) == weights.num_bytes


def test_7b_in_eight_bits_takes_half_and_leaves_an_8_gb_card_room():
    assert memory.weights_bytes(LLAMA_2_7B, torch.float16, MatrixKind.INT8) <= 6.5 * GIB


def test_a_cache_in_eight_bits_has_room_for_nearly_twice_as_many_tokens():
    in_eight_bits = settle_num_blocks(2 * GIB, LLAMA_2_7B, torch.float16, MANY_TOKENS, cache_kind=CacheKind.INT8)

    assert in_eight_bits >= 1.96 * settle(2 * GIB)


def test_tied_embeddings_are_counted_once():
    shape = GROUPED
    tied = LlamaShape(**{name: getattr(shape, name) for name in shape.__slots__} | {"has_tied_embeddings": True})

    weights = empty_weights(tied, torch.device("meta"), torch.float32)

    assert memory.weights_bytes(tied, torch.float32) == weights.num_bytes


def in_eight_bits(gib):
    return f"; with TRINITY_WEIGHTS=int8 they take {gib} GiB, at nearly no loss"


def room_on(card_gib, shape):
    """What a card leaves for the pool, whose driver and context take half a GiB, and how much runs at once."""
    total = card_gib * GIB
    free = capped_bytes(total, None, None) if card_gib > 20 else total - GIB // 2
    memory.refuse_too_large(shape, torch.float16, int(free), "on the card")
    free = int(free) - memory.weights_bytes(shape, torch.float16)
    num_sequences = memory.settle_sequences(shape, torch.float16, free)
    num_tokens = memory.settle_prefill_tokens(shape, torch.float16, free)
    free -= num_tokens * sum(workspace_widths(shape)) * 2 + 64 * 1024**2
    num_blocks = memory.settle_num_blocks(free, shape, torch.float16, num_sequences * shape.context_window)
    return (num_blocks - 1) * BLOCK_SIZE, num_sequences, num_tokens


@pytest.mark.parametrize(
    ("card_gib", "shape", "tokens", "sequences", "prefill"),
    [
        pytest.param(14.75, LLAMA_2_7B, 3_100, 16, 512, id="7B on a T4"),
        pytest.param(16, LLAMA_2_7B, 5_500, 32, 1024, id="7B on 16 GiB"),
        pytest.param(24, LLAMA_2_7B, 17_000, 64, 4096, id="7B on 24 GiB"),
        pytest.param(48, LLAMA_2_7B, 60_000, 64, 4096, id="7B on 48 GiB"),
        pytest.param(80, LLAMA_2_7B, 120_000, 64, 4096, id="7B on 80 GiB"),
        pytest.param(40, LLAMA_13B, 14_000, 64, 4096, id="13B on 40 GiB"),
        pytest.param(192, LLAMA_70B, 120_000, 64, 4096, id="70B on 192 GiB"),
    ],
)
def test_cards_of_every_size_get_what_they_have_room_for(card_gib, shape, tokens, sequences, prefill):
    num_tokens, num_sequences, num_prefill_tokens = room_on(card_gib, shape)

    assert tokens <= num_tokens <= 1.2 * tokens
    assert (num_sequences, num_prefill_tokens) == (sequences, prefill)


@pytest.mark.parametrize(
    ("card_gib", "shape", "needed", "found", "proposal"),
    [
        pytest.param(6, LLAMA_2_7B, "12.6", "5.5", "", id="7B on 6 GiB"),
        pytest.param(8, LLAMA_2_7B, "12.6", "7.5", in_eight_bits("6.4"), id="7B on 8 GiB"),
        pytest.param(12, LLAMA_2_7B, "12.6", "11.5", in_eight_bits("6.4"), id="7B on 12 GiB"),
        pytest.param(24, LLAMA_13B, "24.2", "21.6", in_eight_bits("12.3"), id="13B on 24 GiB"),
        pytest.param(80, LLAMA_70B, "128.5", "72.0", in_eight_bits("64.5"), id="70B on 80 GiB"),
    ],
)
def test_a_model_that_no_card_of_that_size_holds_is_refused_in_a_sentence(card_gib, shape, needed, found, proposal):
    with pytest.raises(ConfigError) as refused:
        room_on(card_gib, shape)

    assert refused.value.setting == "TRINITY_MODEL"
    assert refused.value.problem == (
        f"the model's weights take {needed} GiB, and there are {found} GiB for them on the card{proposal}"
    )


def test_weights_in_eight_bits_that_do_not_fit_either_are_not_proposed_again():
    with pytest.raises(ConfigError) as refused:
        memory.refuse_too_large(LLAMA_2_7B, torch.float16, 6 * GIB, "on the card", MatrixKind.INT8)

    assert refused.value.problem == "the model's weights take 6.4 GiB, and there are 6.0 GiB for them on the card"


def test_weights_that_just_fit_without_room_for_a_conversation_are_refused_too():
    with pytest.raises(ConfigError, match="room for 0 tokens"):
        room_on(13.1, LLAMA_2_7B)


@pytest.mark.parametrize(
    ("shape", "num_tokens"), [(TINY, 512), (LLAMA_2_7B, 74), (LLAMA_70B, 32)], ids=["tiny", "7B", "70B"]
)
def test_a_pass_on_the_cpu_is_shorter_the_larger_the_model(shape, num_tokens):
    assert memory.settle_cpu_prefill_tokens(shape) == num_tokens


def test_on_the_cpu_there_are_blocks_for_whole_conversations_in_half_of_the_memory():
    each = 4096 // BLOCK_SIZE
    one = each * block_bytes(LLAMA_2_7B, torch.float32)

    def blocks(num_bytes):
        return memory.settle_cpu_blocks(num_bytes, LLAMA_2_7B, torch.float32, 4096, 8, CacheKind.FLOAT)

    assert blocks(100 * one) == 8 * each + 1
    assert blocks(4 * one) == 2 * each + 1
    assert blocks(0) == blocks(-1) == each + 1
