"""What decode steps keep beside the cache never outlives the rows it was gathered for."""

import numpy as np
import pytest
import torch

from bot.inference.loading.build import build_runner
from bot.inference.model.kv_cache import KVCache
from bot.inference.model.ops import ForwardPass, Span
from bot.inference.model.running_copy import RunningCopy
from tests.checkpoints import grouped_config, random_model, save_checkpoint
from tests.groups import with_transformers
from tests.inference.runs import Conversation, decode, prefill, random_prompt, reference_tokens

pytestmark = with_transformers

NUM_NEW = 12


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    model = random_model(grouped_config())
    return model, save_checkpoint(tmp_path_factory.mktemp("llama"), model)


def expected(model, conversation):
    return reference_tokens(model, conversation.prompt, len(conversation.new_tokens))


def test_rows_go_on_beyond_the_room_they_began_with(llama):
    model, folder = llama
    runner = build_runner(folder, "cpu")
    long = Conversation(0, random_prompt(120, 320, seed=1), range(1, 7))
    short = Conversation(1, random_prompt(9, 320, seed=2), range(7, 13))

    prefill(runner, [long, short])
    decode(runner, [long, short], 40)

    assert long.new_tokens == expected(model, long)
    assert short.new_tokens == expected(model, short)


def test_an_heir_to_all_blocks_at_the_next_position_reads_its_own_tokens(llama):
    model, folder = llama
    runner = build_runner(folder, "cpu")
    first = Conversation(0, random_prompt(20, 320, seed=3), (1, 2))
    prefill(runner, [first])
    decode(runner, [first], NUM_NEW)
    heir = Conversation(0, random_prompt(20 + NUM_NEW, 320, seed=4), (1, 2, 3))

    prefill(runner, [heir])
    decode(runner, [heir], NUM_NEW)

    assert heir.new_tokens == expected(model, heir)


def test_rows_that_change_places_or_join_read_their_own_tokens(llama):
    model, folder = llama
    runner = build_runner(folder, "cpu")
    one, two, three = (
        Conversation(n, random_prompt(20, 320, seed=10 + n), range(1 + 3 * n, 4 + 3 * n)) for n in range(3)
    )
    prefill(runner, [one, two, three])

    for rows in ([one, two], [two, one], [one, two, three], [three], [one, two, three]):
        decode(runner, rows, 4)

    for conversation in (one, two, three):
        assert conversation.new_tokens == expected(model, conversation)


def a_pass(positions, tables, num_tokens=1):
    """Rows of `num_tokens` from the positions on."""
    spans = tuple(Span(n * num_tokens, num_tokens, start, n * num_tokens) for n, start in enumerate(positions))
    every = torch.tensor([start + number for start in positions for number in range(num_tokens)])
    empty = torch.empty(len(every), 1)
    tables = torch.tensor(tables).repeat_interleave(num_tokens, dim=0)
    return ForwardPass(*[empty] * 6, every, every, tables, is_decode=True, spans=spans)


@pytest.fixture
def cache():
    return KVCache(torch.zeros(2, 2, 9, 2, 32, 8))


def fill(copy, cache, positions, tables, num_tokens=1):
    """One step of two layers, each of which stores ones and was gathered as zeros."""
    copy.follow(a_pass(positions, tables, num_tokens), max(positions) + num_tokens)
    for layer in range(2):
        copy.add(layer, np.ones((len(positions) * num_tokens, 2, 2, 8), np.float32))
        if copy.read(layer) is None:
            copy.keep(layer, torch.zeros(len(positions), 2, 2, 32, 8))


def read(copy):
    """What is kept of the second layer: [rows, 2, heads, longest, head_dim]."""
    return torch.stack(copy.read(1), dim=1)


def test_a_step_adds_its_keys_and_values_at_its_positions(cache):
    copy = RunningCopy(cache)
    fill(copy, cache, [3, 7], [[1, 0], [2, 0]])

    fill(copy, cache, [4, 8], [[1, 0], [2, 0]])

    kept = read(copy)
    assert kept[0, :, :, 4].eq(1).all()
    assert kept[1, :, :, 8].eq(1).all()
    assert kept.sum() == 2 * 4 * 8


@pytest.mark.parametrize("next_position", [4, 5, 6, 7])
def test_a_row_of_several_tokens_adds_all_and_goes_on_wherever_its_proposals_were_right(cache, next_position):
    copy = RunningCopy(cache)
    fill(copy, cache, [2, 7], [[1, 0], [2, 0]])
    fill(copy, cache, [3, 8], [[1, 0], [2, 0]], num_tokens=4)

    copy.follow(a_pass([next_position, 9], [[1, 0], [2, 0]]), 12)

    kept = read(copy)
    assert kept[0, :, :, 3:7].eq(1).all()
    assert kept[1, :, :, 8:12].eq(1).all()
    assert kept.sum() == 2 * 4 * 4 * 8


def test_a_row_beyond_what_the_last_one_ran_starts_over(cache):
    copy = RunningCopy(cache)
    fill(copy, cache, [3], [[1, 0]], num_tokens=4)

    copy.follow(a_pass([8], [[1, 0]]), 9)

    assert copy.read(0) is None


@pytest.mark.parametrize(
    ("positions", "tables"),
    [
        pytest.param([5, 8], [[1, 0], [2, 0]], id="a position too far"),
        pytest.param([4, 8], [[3, 0], [2, 0]], id="another block"),
        pytest.param([4], [[1, 0]], id="fewer rows"),
    ],
)
def test_another_step_than_the_next_of_the_same_rows_starts_over(cache, positions, tables):
    copy = RunningCopy(cache)
    fill(copy, cache, [3, 7], [[1, 0], [2, 0]])

    copy.follow(a_pass(positions, tables), max(positions) + 1)

    assert copy.read(0) is None


def test_a_step_that_broke_off_starts_over(cache):
    copy = RunningCopy(cache)
    fill(copy, cache, [3], [[1, 0]])
    copy.follow(a_pass([4], [[1, 0]]), 5)
    copy.add(0, np.ones((1, 2, 2, 8), np.float32))

    copy.follow(a_pass([5], [[1, 0]]), 6)

    assert copy.read(0) is None


def test_nan_of_earlier_rows_is_not_left_where_later_rows_will_grow(cache):
    copy = RunningCopy(cache)
    copy.follow(a_pass([40], [[1, 2]]), 41)
    copy.keep(0, torch.full((1, 2, 2, 64, 8), float("nan")))

    for step in range(60):
        fill(copy, cache, [3 + step, 7 + step], [[3, 0], [4, 0]])

    assert read(copy).isfinite().all()


def test_rows_that_take_too_much_are_not_kept(cache):
    copy = RunningCopy(cache, most_bytes=2 * 1 * 4 * 128 * 8 * 4)

    fill(copy, cache, [3, 7], [[1, 0], [2, 0]])
    kept_two = copy.read(0)
    fill(copy, cache, [3], [[1, 0]])

    assert kept_two is None
    assert copy.read(0) is not None
