"""What is sampled beside proposals is distributed as what is sampled without."""

import torch

from bot.inference.engine import Request, SamplingParams
from bot.inference.loading.build import build_runner
from bot.inference.scheduling.batch import LaunchedRow
from bot.inference.scheduling.block_manager import CacheScope
from bot.inference.scheduling.sequence import Sequence
from bot.inference.scheduling.step import DecodeRow, DecodeStep, PrefillChunk, PrefillStep
from tests.checkpoints import random_model, save_checkpoint, tiny_config
from tests.groups import with_transformers
from tests.inference.runs import random_prompt

pytestmark = with_transformers

NUM_SLOTS = 250
NUM_ROUNDS = 10
TOP_K = 6
TEMPERATURE = 6.0
PROMPT = random_prompt(5, 320, seed=50)


def distribution(model, before: list[int]) -> dict[int, float]:
    """The likeliest tokens after `before` and how often each has to come."""
    with torch.inference_mode():
        likeliest = (model(torch.tensor([before])).logits[0, -1] / TEMPERATURE).topk(TOP_K)
    return dict(zip(likeliest.indices.tolist(), likeliest.values.softmax(dim=0).tolist(), strict=True))


def draw(runner, proposed: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Tokens after the prompt and each of the proposals, thousands of times, each time with another seed."""
    drawn: list[tuple[int, ...]] = []
    for number in range(NUM_ROUNDS):
        for first in range(0, NUM_SLOTS, 50):
            chunks = [
                PrefillChunk(
                    slot=slot,
                    token_ids=tuple(PROMPT),
                    start=0,
                    block_ids=(slot + 1,),
                    sampling=SamplingParams(
                        temperature=TEMPERATURE, top_p=1.0, top_k=TOP_K, seed=number * NUM_SLOTS + slot
                    ),
                    is_last=True,
                )
                for slot in range(first, first + 50)
            ]
            runner.launch(PrefillStep(tuple(chunks))).collect()
        rows = tuple(DecodeRow(slot, len(PROMPT), (slot + 1,), 9, proposed) for slot in range(NUM_SLOTS))
        drawn += [one.token_ids for one in runner.launch(DecodeStep(rows)).collect()]
    return drawn


def test_ten_thousand_draws_beside_proposals_follow_the_models_distribution(tmp_path):
    model = random_model(tiny_config())
    runner = build_runner(
        save_checkpoint(tmp_path, model), "cpu", num_blocks=NUM_SLOTS + 1, max_num_sequences=4 * NUM_SLOTS
    )
    proposed: tuple[int, ...] = ()
    for _ in range(3):  # the likeliest ones, so that many of them are drawn
        after = distribution(model, [*PROMPT, 9, *proposed])
        proposed += (max(after, key=lambda token_id: after[token_id]),)

    drawn = draw(runner, proposed)

    chi_square, num_draws = 0.0, 0
    for place in range(4):
        shares = distribution(model, [*PROMPT, 9, *proposed[:place]])
        tokens = [token_ids[place] for token_ids in drawn]
        assert set(tokens) <= set(shares)
        num_draws += len(tokens)
        chi_square += sum(
            (tokens.count(token) - len(tokens) * share) ** 2 / (len(tokens) * share) for token, share in shares.items()
        )
    assert num_draws == 10_000
    assert chi_square < 45.3  # of 4 x 5 degrees of freedom: one in a thousand is above


def test_what_stands_are_the_proposals_that_were_drawn_and_one_token_more():
    def agreed(proposed: tuple[int, ...], sampled: tuple[int, ...]) -> tuple[int, ...]:
        sequence = Sequence(0, Request((1,)), 2, 0.0, CacheScope())
        return LaunchedRow(sequence, 0, 0, True, proposed).agreed(sampled)

    assert agreed((), (4,)) == (4,)
    assert agreed((4, 5), (9, 5, 6)) == (9,)
    assert agreed((4, 5), (4, 9, 6)) == (4, 9)
    assert agreed((4, 5), (4, 5, 6)) == (4, 5, 6)
