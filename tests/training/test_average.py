"""Averages of saved weights."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from training.average import average, read_share, write_average
from training.train import LOG_NAME


def saved(folder: Path, value: float) -> Path:
    folder.mkdir()
    save_file({"a": torch.full((2, 3), value, dtype=torch.float16)}, folder / "model.safetensors")
    (folder / LOG_NAME).write_text(json.dumps({"seed": value}), encoding="utf-8")
    return folder


def test_an_average_lies_between_its_weights_by_their_shares(tmp_path: Path) -> None:
    first, second = saved(tmp_path / "first", 1.0), saved(tmp_path / "second", 3.0)

    mixed = average([(first, 0.25), (second, 0.75)])

    assert mixed["a"].dtype == torch.float16
    assert torch.equal(mixed["a"], torch.full((2, 3), 2.5, dtype=torch.float16))


def test_shares_that_are_no_whole_are_refused(tmp_path: Path) -> None:
    only = saved(tmp_path / "only", 1.0)

    with pytest.raises(ValueError, match="add up to 1"):
        average([(only, 0.9)])


def test_what_was_averaged_stands_in_the_log_of_the_newest_run(tmp_path: Path) -> None:
    first, second = saved(tmp_path / "first", 1.0), saved(tmp_path / "second", 3.0)

    write_average([read_share(f"{first}=0.5"), read_share(f"{second}=0.5")], tmp_path / "out")

    log = json.loads((tmp_path / "out" / LOG_NAME).read_text(encoding="utf-8"))
    hashes = [hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() for folder in (first, second)]
    assert log["seed"] == 3.0
    assert [(each["sha256"], each["share"]) for each in log["averaged"]] == [(hashes[0], 0.5), (hashes[1], 0.5)]
    assert float(load_file(tmp_path / "out" / "model.safetensors")["a"].mean()) == 2.0
