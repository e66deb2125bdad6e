"""Training on several cards: two processes on the CPU learn what one that saw both batches would."""

import multiprocessing

import pytest
import torch

from bot.demo_model.training.evaluate import merged
from bot.demo_model.training.ranks import Ranks, free_port
from bot.demo_model.training.train import build_optimizer
from tests.demo_model.two_ranks import STEPS, batch_of, fresh_network, learn_as


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[dict[str, torch.Tensor], float]]:
    folder, port = tmp_path_factory.mktemp("ranks"), free_port()
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=learn_as, args=(rank, port, folder)) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


def _of_both_batches() -> dict[str, torch.Tensor]:
    network = fresh_network()
    optimizer = build_optimizer(network)
    for step in range(STEPS):
        loss = (network(*batch_of(0, step)) + network(*batch_of(1, step))) / 2
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(network.parameters()), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return network.state_dict()


@pytest.mark.soak
def test_two_ranks_hold_equal_weights(learnt) -> None:
    (first, _), (second, _) = learnt

    differing = [name for name in first if not torch.equal(first[name], second[name])]

    assert not differing
    assert not torch.equal(first["head"], fresh_network().state_dict()["head"])


@pytest.mark.soak
def test_two_ranks_learn_what_one_would_from_both_batches(learnt) -> None:
    (first, _), _ = learnt

    expected = _of_both_batches()

    assert max((first[name] - expected[name]).abs().max().item() for name in expected) < 1e-5


@pytest.mark.soak
def test_the_clock_of_the_first_rank_counts_for_all(learnt) -> None:
    assert [seconds for _, seconds in learnt] == [7.5, 7.5]


def test_a_rank_alone_needs_nobody() -> None:
    alone, network = Ranks(), fresh_network()
    network(*batch_of(0, 0)).backward()
    before = network.head.grad.clone()

    alone.average_gradients(list(network.parameters()))

    assert alone.agreed(3.0) == 3.0
    assert torch.equal(network.head.grad, before)


def test_reports_of_several_ranks_become_one() -> None:
    nothing = {"cases": 10, "wrong_acknowledgements": 1}
    one = {"skills": {"echo": {"cases": 4, "right": 4, "share": 1.0}}, "wrong": [1], "tells_nothing": nothing}
    other = {"skills": {"echo": {"cases": 4, "right": 3}, "joke": {"cases": 2, "right": 2}}, "wrong": [2], "long": {}}

    report = merged([one, other, {"tells_nothing": nothing}])

    assert report["skills"]["echo"] == {"cases": 8, "right": 7, "share": 0.875}
    assert report["skills"]["joke"]["share"] == 1.0
    assert report["wrong"] == [1, 2]
    assert report["tells_nothing"] == {"cases": 20, "wrong_acknowledgements": 2}
