"""Weights that are damaged, cut off or not those of the model: one clear line at the start, and nothing is loaded."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from bot.errors import ConfigError
from bot.inference.build import build_runner
from tests.checkpoints import random_model, save_checkpoint, tiny_config

Breaking = Callable[[bytes], bytes]
BROKEN: dict[str, Breaking] = {
    "empty": lambda _: b"",
    "cut off in the header": lambda good: good[:20],
    "cut off in the tensors": lambda good: good[: len(good) // 2],
    "cut off by one byte": lambda good: good[:-1],
    "one byte too many": lambda good: good + b"\0",
    "a header of 2 to the power of 60": lambda good: (1 << 60).to_bytes(8, "little") + good[8:],
    "a header of garbage": lambda good: good[:8] + b"\xff" * 100 + good[108:],
    "a pickle's zip": lambda good: b"PK\x03\x04" + good[4:],
    "zeros": lambda good: bytes(len(good)),
}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The weights of a tiny Llama."""
    return next(save_checkpoint(tmp_path, random_model(tiny_config())).glob("*.safetensors"))


@pytest.mark.parametrize("kind", BROKEN)
def test_a_damaged_file_is_refused_by_name(weights: Path, kind: str) -> None:
    weights.write_bytes(BROKEN[kind](weights.read_bytes()))

    with pytest.raises(ConfigError, match=r"TRINITY_MODEL: .*model\.safetensors") as refused:
        build_runner(weights.parent, "cpu")

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", ["missing", "of another shape", "not a number"])
def test_a_tensor_that_is_not_the_models_is_refused(weights: Path, kind: str) -> None:
    tensors = load_file(weights)
    name = next(name for name in tensors if name.endswith("down_proj.weight"))
    if kind == "missing":
        del tensors[name]
    elif kind == "of another shape":
        tensors[name] = tensors[name][:-1].contiguous()
    else:
        tensors[name] = torch.full_like(tensors[name], float("nan"))
    save_file(tensors, weights, metadata={"format": "pt"})

    with pytest.raises(ConfigError, match="TRINITY_MODEL") as refused:
        build_runner(weights.parent, "cpu")

    assert "\n" not in str(refused.value)
