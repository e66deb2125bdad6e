"""The reference sampler: greedy and sampled rows side by side, filters, penalty, and draws that nothing else moves."""

import pytest
import torch

from bot.inference.model.sampler import SamplingRows, exponentials, sample

VOCAB_SIZE = 50
NUM_DRAWS = 4000
NUM_SLOTS = 8


def rows(num_rows, *, slots=None, positions=None, seeds=7, temperature=1.0, top_p=1.0, top_k=0, penalty=1.0):
    def column(value, dtype):
        return torch.as_tensor(value, dtype=dtype).expand(num_rows).clone()

    return SamplingRows(
        slots=column(0 if slots is None else torch.tensor(slots), torch.int64),
        positions=torch.arange(num_rows) if positions is None else torch.tensor(positions),
        seeds=column(seeds, torch.int64),
        temperatures=column(temperature, torch.float32),
        top_ps=column(top_p, torch.float32),
        top_ks=column(top_k, torch.int64),
        penalties=column(penalty, torch.float32),
    )


def nothing_seen():
    return torch.zeros(NUM_SLOTS, VOCAB_SIZE, dtype=torch.bool)


def random_logits(num_rows):
    return torch.randn(num_rows, VOCAB_SIZE, generator=torch.Generator().manual_seed(3))


def draws(probabilities, **parameters):
    """What is drawn at each of many positions from the same distribution, which leads the vocabulary."""
    logits = torch.full((NUM_DRAWS, VOCAB_SIZE), -1e9)
    logits[:, : len(probabilities)] = torch.tensor(probabilities).log()
    return sample(logits, rows(NUM_DRAWS, **parameters), nothing_seen())


def test_temperature_zero_takes_the_likeliest_token_whatever_the_other_parameters():
    logits = random_logits(6)

    tokens = sample(logits, rows(6, temperature=0.0, top_p=0.1, top_k=3, seeds=range(6)), nothing_seen())

    assert torch.equal(tokens, logits.argmax(dim=1))


def test_greedy_rows_stay_greedy_beside_sampled_ones():
    logits = torch.zeros(4, VOCAB_SIZE)
    logits[:, 11] = 0.5

    tokens = sample(logits, rows(4, temperature=torch.tensor([0.0, 5.0, 0.0, 5.0])), nothing_seen())

    assert tokens[[0, 2]].tolist() == [11, 11]
    assert tokens[1] != 11
    assert tokens[3] != 11


def test_tokens_are_drawn_in_proportion_to_their_probability():
    shares = torch.bincount(draws([0.5, 0.3, 0.2]), minlength=3) / NUM_DRAWS

    assert shares[:3].tolist() == pytest.approx([0.5, 0.3, 0.2], abs=0.04)
    assert shares[3:].sum() == 0


def test_a_temperature_of_one_half_squares_the_odds():
    shares = torch.bincount(draws([0.6, 0.3, 0.1], temperature=0.5), minlength=3) / NUM_DRAWS

    assert shares[:3].tolist() == pytest.approx([0.36 / 0.46, 0.09 / 0.46, 0.01 / 0.46], abs=0.04)


def test_top_k_leaves_the_k_likeliest_in_their_proportion():
    shares = torch.bincount(draws([0.4, 0.3, 0.2, 0.1], top_k=2), minlength=4) / NUM_DRAWS

    assert shares[:2].tolist() == pytest.approx([4 / 7, 3 / 7], abs=0.04)
    assert shares[2:].sum() == 0


def test_a_top_k_above_the_vocabulary_is_no_limit():
    unlimited, beyond = draws([0.4, 0.3, 0.2, 0.1]), draws([0.4, 0.3, 0.2, 0.1], top_k=VOCAB_SIZE + 50)

    assert torch.equal(unlimited, beyond)


def test_top_p_keeps_the_token_that_reaches_the_share_and_none_after_it():
    tokens = draws([0.5, 0.3, 0.15, 0.05], top_p=0.7)

    assert set(tokens.tolist()) == {0, 1}


def test_top_p_is_of_what_top_k_leaves():
    # Of 0.4 and 0.3, the first alone is 4/7 and so reaches one half; of everything it would not.
    tokens = draws([0.4, 0.3, 0.2, 0.1], top_k=2, top_p=0.5)

    assert set(tokens.tolist()) == {0}


def test_tokens_of_equal_weight_stay_together():
    tokens = draws([0.4, 0.2, 0.2, 0.2], top_k=2)

    assert set(tokens.tolist()) == {0, 1, 2, 3}


def test_the_tightest_filters_leave_the_likeliest_token():
    tokens = draws([0.4, 0.35, 0.25], top_p=1e-6)

    assert set(tokens.tolist()) == {0}


@pytest.mark.parametrize(("best", "second"), [(2.0, 1.5), (-1.0, -1.5)], ids=["positive", "negative"])
def test_a_penalty_lowers_what_was_seen_whatever_its_sign(best, second):
    logits = torch.full((2, VOCAB_SIZE), -9.0)
    logits[:, 5], logits[:, 6] = best, second
    seen = nothing_seen()
    seen[1, 5] = True

    tokens = sample(logits, rows(2, slots=[0, 1], temperature=0.0, penalty=2.0), seen)

    assert tokens.tolist() == [5, 6]


def test_a_drawn_token_counts_as_seen_in_its_own_slot_only():
    logits, seen = torch.zeros(1, VOCAB_SIZE), nothing_seen()
    logits[0, 9] = 4.0

    sample(logits, rows(1, slots=[3], temperature=0.0), seen)

    assert seen.nonzero().tolist() == [[3, 9]]


def test_a_draw_is_the_same_alone_and_at_any_place_of_a_batch():
    logits, order = random_logits(8), torch.tensor([5, 2, 7, 0, 6, 1, 4, 3])
    seeds, positions = torch.arange(8) + 100, torch.arange(8) * 13
    everything = {"temperature": 0.9, "top_k": 20, "top_p": 0.9}

    together = sample(
        logits, rows(8, slots=range(8), seeds=seeds, positions=positions.tolist(), **everything), nothing_seen()
    )
    shuffled = sample(
        logits[order],
        rows(8, slots=order.tolist(), seeds=seeds[order], positions=positions[order].tolist(), **everything),
        nothing_seen(),
    )
    alone = [
        sample(
            logits[n : n + 1], rows(1, seeds=seeds[n], positions=[int(positions[n])], **everything), nothing_seen()
        ).item()
        for n in range(8)
    ]

    assert torch.equal(shuffled, together[order])
    assert alone == together.tolist()


@pytest.mark.parametrize("changed", ["seed", "position"])
def test_another_seed_or_position_draws_anew(changed):
    count = torch.arange(200)
    seeds, positions = (count, [5] * 200) if changed == "seed" else (7, count.tolist())

    tokens = sample(torch.zeros(200, VOCAB_SIZE), rows(200, seeds=seeds, positions=positions), nothing_seen())

    assert len(set(tokens.tolist())) > 40


def test_the_numbers_that_tokens_race_by_are_exponentially_distributed():
    numbers = exponentials(torch.full((400,), -(2**62)), torch.arange(400), VOCAB_SIZE).flatten()

    assert numbers.min() > 0
    assert numbers.mean().item() == pytest.approx(1, abs=0.03)
    assert (numbers < 0.6931).float().mean().item() == pytest.approx(0.5, abs=0.02)
    assert (numbers > 3).float().mean().item() == pytest.approx(0.0498, abs=0.01)
