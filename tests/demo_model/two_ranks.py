"""What each of two processes does in the tests of training on several cards, here on the CPU."""

from pathlib import Path

import torch

from bot.demo_model.training.network import Network, Shape
from bot.demo_model.training.ranks import Ranks
from bot.demo_model.training.train import build_optimizer, learn

TINY = Shape(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
STEPS = 4


def batch_of(rank: int, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(3, 2000, (2, 17), generator=torch.Generator().manual_seed(10 * rank + step))
    return ids[:, :-1], ids[:, 1:]


def fresh_network() -> Network:
    torch.manual_seed(3)
    return Network(TINY)


def learn_as(rank: int, port: int, folder: Path) -> None:
    """A few steps as one of two ranks; leaves the weights and the seconds that rank 0's clock said."""
    torch.set_num_threads(1)
    ranks = Ranks(rank, 2, port)
    ranks.meet(torch.device("cpu"))
    network = fresh_network()
    optimizer = build_optimizer(network)
    for step in range(STEPS):
        learn(network, optimizer, *batch_of(rank, step), ranks)
    seconds = ranks.agreed(7.5 if ranks.is_first else 99.0)
    torch.save((network.state_dict(), seconds), folder / f"{rank}.pt")
    ranks.part()
