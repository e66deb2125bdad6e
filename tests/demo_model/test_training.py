"""The training script on a CPU, with a tiny shape: it ends by the clock, and goes on from what it wrote."""

import argparse
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from bot.demo_model.training import write_card
from bot.demo_model.training.chat_format import WordEncoder, load_tokenizer
from bot.demo_model.training.feed import LEARNT_BIT
from bot.demo_model.training.network import Network, Shape, load_weights, save_model
from bot.demo_model.training.rows import make_batch
from bot.demo_model.training.train import CONSTANT_SHARE, FROM_NOTHING, GOING_ON, Schedule, copy_to, schedule_of

TINY = Shape(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
CPU = torch.device("cpu")


def test_a_saved_network_goes_on_where_it_stopped(tmp_path: Path) -> None:
    ids = torch.randint(3, 2000, (2, 33), generator=torch.Generator().manual_seed(1))
    learnt, fresh = Network(TINY), Network(TINY)
    optimizer = torch.optim.AdamW(learnt.parameters(), lr=1e-2)
    for _ in range(30):
        learnt(ids[:, :-1], ids[:, 1:]).backward()
        optimizer.step()
        optimizer.zero_grad()
    save_model(learnt, tmp_path)

    before = fresh(ids[:, :-1], ids[:, 1:]).item()
    load_weights(fresh, tmp_path)
    after = fresh(ids[:, :-1], ids[:, 1:]).item()

    assert after < before / 2
    assert abs(after - learnt(ids[:, :-1], ids[:, 1:]).item()) < 0.01


def test_a_packed_batch_is_unpacked_to_ids_and_targets() -> None:
    ids, learnt = make_batch(random.Random(4), WordEncoder(load_tokenizer()), 256, 512)

    tokens, targets = copy_to(ids + learnt.astype(np.int16) * LEARNT_BIT, CPU)

    assert np.array_equal(tokens.numpy(), ids[:, :-1])
    assert np.array_equal(targets.numpy(), np.where(learnt[:, 1:] > 0, ids[:, 1:], -100))


def test_the_learning_rate_rises_stays_and_ends_at_nothing() -> None:
    rates = [GOING_ON.rate(0, 0.0), GOING_ON.rate(1000, CONSTANT_SHARE / 2), GOING_ON.rate(9000, 1.0)]

    assert rates == pytest.approx([GOING_ON.peak / GOING_ON.warm_up_steps, GOING_ON.peak, 0.0])
    assert GOING_ON.peak < FROM_NOTHING.peak


def test_the_card_tells_of_both_runs() -> None:
    first = {"seconds": 315.2, "device": "card", "positions": 9e8, "steps": 7000, "torch": "2", "seed": 1, "log": []}
    second = first | {"seed": 2, "seconds": 345.0, "earlier": first | {"sha256": "abc"}}

    told, commands = write_card.runs(second), write_card.again(second)

    assert write_card.runs(first).startswith("One run of 315 seconds")
    assert told.startswith("Two runs")
    assert "`abc`" in told
    assert "--from FOLDER --seconds 345" in commands


def test_the_card_tells_of_a_third_run_and_its_rate() -> None:
    first = {"seconds": 315.2, "device": "card", "positions": 9e8, "steps": 7000, "torch": "2", "seed": 1, "log": []}
    second = first | {"seed": 2, "earlier": first | {"sha256": "abc"}, "sha256": "def"}
    third = first | {"seed": 3, "seconds": 430.0, "peak_rate": 8e-4, "earlier": second}

    told, commands = write_card.runs(third), write_card.again(third)

    assert told.startswith("Three runs")
    assert told.index("`abc`") < told.index("`def`")
    assert "--from FOLDER --seconds 430 --peak-lr 0.0008" in commands


def test_the_peak_rate_can_be_chosen() -> None:
    chosen = argparse.Namespace(start=Path("x"), peak_lr=5e-4)

    assert schedule_of(chosen) == Schedule(5e-4, GOING_ON.warm_up_steps)
    assert schedule_of(argparse.Namespace(start=None, peak_lr=None)) is FROM_NOTHING


def test_the_card_tells_how_many_cards_trained_each_run() -> None:
    first = {"seconds": 315.2, "device": "card", "positions": 9e8, "steps": 7000, "torch": "2", "seed": 1, "log": []}
    second = first | {"seed": 5, "seconds": 390.0, "cards": 4, "earlier": first | {"sha256": "abc"}}

    told, commands = write_card.runs(second), write_card.again(second)

    assert "315 seconds on one card" in told
    assert "390 seconds on 4 card of one machine" in told
    assert "--cards 4 --from FOLDER --seconds 390" in commands
