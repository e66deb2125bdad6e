"""The weighted average of several saved models: where runs went on from each other, it keeps more than any of them.

`python -m training.average FOLDER=0.6 FOLDER=0.4 --out FOLDER` writes model.safetensors, and a log that names the runs.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.train import LOG_NAME, Log, file_hash

WEIGHTS_NAME = "model.safetensors"
Share = tuple[Path, float]


def read_share(text: str) -> Share:
    """A folder and its share, from FOLDER=SHARE."""
    folder, _, share = text.rpartition("=")
    return Path(folder), float(share)


def average(shares: Sequence[Share]) -> dict[str, Tensor]:
    """The tensors of all folders, summed up by their shares in FP32 and rounded once to the type they are saved in."""
    if abs(sum(share for _, share in shares) - 1) > 1e-6:
        raise ValueError("shares of an average add up to 1")
    saved = [(load_file(folder / WEIGHTS_NAME), share) for folder, share in shares]
    first = saved[0][0]
    mixed = {}
    for name, tensor in first.items():
        parts = [tensors[name].float() * share for tensors, share in saved]
        mixed[name] = torch.stack(parts).sum(0).to(tensor.dtype)
    return mixed


def write_average(shares: Sequence[Share], out: Path) -> None:
    """Saves the average, and the log of the folder named last with what was averaged."""
    out.mkdir(parents=True, exist_ok=True)
    save_file(average(shares), out / WEIGHTS_NAME, metadata={"format": "pt"})
    log: Log = json.loads((shares[-1][0] / LOG_NAME).read_text(encoding="utf-8"))
    log["averaged"] = [{"sha256": file_hash(folder / WEIGHTS_NAME), "share": share} for folder, share in shares]
    (out / LOG_NAME).write_text(json.dumps(log, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Averages what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("shares", type=read_share, nargs="+", metavar="FOLDER=SHARE", help="the newest run last")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    write_average(options.shares, options.out)


if __name__ == "__main__":
    main()
