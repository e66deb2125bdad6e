"""The training script on a CPU, with a tiny shape: it ends by the clock, and goes on from what it wrote."""

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import bot.demo_model
from bot.inference.loading.config import read_shape
from training import card
from training.evaluate import REPORT_NAME
from training.feed import LEARNT_BIT
from training.network import Network, load_weights, save_model
from training.rows import WordEncoder, make_batch
from training.train import (
    CONSTANT_SHARE,
    FROM_NOTHING,
    GOING_ON,
    Schedule,
    copy_to,
    parse_arguments,
    schedule_of,
)

SHIPPED = Path(bot.demo_model.__file__).parent
TINY = replace(
    read_shape(SHIPPED), hidden_size=32, num_layers=2, num_heads=2, num_kv_heads=2, head_dim=16, intermediate_size=64
)


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
    ids, learnt = make_batch(random.Random(4), WordEncoder(), 256, 512)

    tokens, targets = copy_to(torch.from_numpy(ids + learnt * LEARNT_BIT), torch.device("cpu"))

    assert np.array_equal(tokens.numpy(), ids[:, :-1])
    assert np.array_equal(targets.numpy(), np.where(learnt[:, 1:] > 0, ids[:, 1:], -100))


def test_the_learning_rate_rises_stays_and_ends_at_nothing() -> None:
    rates = [GOING_ON.rate(0, 0.0), GOING_ON.rate(1000, CONSTANT_SHARE / 2), GOING_ON.rate(9000, 1.0)]

    assert rates == pytest.approx([GOING_ON.peak / GOING_ON.warm_up_steps, GOING_ON.peak, 0.0])
    assert GOING_ON.peak < FROM_NOTHING.peak


def test_the_peak_rate_can_be_chosen() -> None:
    chosen = parse_arguments(["--from", "x", "--peak-lr", "0.0005"])

    assert schedule_of(chosen) == Schedule(5e-4, GOING_ON.warm_up_steps)
    assert schedule_of(parse_arguments([])) is FROM_NOTHING


def test_the_shipped_card_is_what_the_script_writes() -> None:
    written = card.card(SHIPPED, card.FIGURES)

    assert (SHIPPED / card.CARD_NAME).read_text(encoding="utf-8") == written


def test_the_shipped_weights_were_measured_and_good() -> None:
    report = json.loads((card.FIGURES / REPORT_NAME).read_text(encoding="utf-8"))

    parts = {name: card.total(report[name]) for name in ("skills", "personas", "distances", "long")}
    shares = {name: entry["right"] / entry["cases"] for name, entry in (parts | {"probes": report["probes"]}).items()}

    assert min(shares.values()) >= 0.95
    assert shares["skills"] >= 0.985
    assert report["silent"]["right"] == report["silent"]["cases"]
