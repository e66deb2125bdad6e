"""Says in JSON what torch sees of a card, and what fits on it: a program of its own, since a driver's call may hang.

`python -m bot.doctor.card_facts` reads one JSON object on standard input: `device`, `folder` (of a model; null where it
isn't here yet), `is_llama_2_7b` (its shape is known all the same), `context_window`, `gpu_memory_gib`,
`gpu_memory_fraction`.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch

from bot.errors import ConfigError
from bot.inference.loading import memory
from bot.inference.loading.build import CPU_SEQUENCES, settle_device
from bot.inference.loading.config import read_shape
from bot.inference.model.kv_cache import BLOCK_SIZE, CacheKind, block_bytes
from bot.inference.model.ops import workspace_widths
from bot.inference.model.shape import LlamaShape
from bot.inference.model.weights import MatrixKind

LLAMA_2_7B = LlamaShape(32_000, 4096, 11_008, 32, 32, 32, 128, 4096)
_SETTINGS = {"fp16": (MatrixKind.FLOAT, CacheKind.FLOAT), "int8": (MatrixKind.INT8, CacheKind.INT8)}
_GRAPH_BYTES = 64 * 1024**2


def card_facts(asked: dict[str, Any]) -> dict[str, Any]:
    """What there is, and what fits in which setting."""
    facts: dict[str, Any] = {"torch": torch.__version__, "cuda": torch.version.cuda, "problem": ""}
    try:
        device = settle_device(asked["device"])
        shape = _shape(asked)
    except ConfigError as error:
        return facts | {"problem": str(error)}
    if device.type == "cuda":
        facts["card"] = torch.cuda.get_device_name(device)
        facts["capability"] = list(torch.cuda.get_device_capability(device))
        facts["free"], facts["total"] = torch.cuda.mem_get_info(device)
        limits = memory.MemoryLimits(
            gpu_memory_gib=asked["gpu_memory_gib"], gpu_memory_fraction=asked["gpu_memory_fraction"]
        )
        facts["usable"] = memory.free_bytes(device, memory.cap_of(device, limits))
    else:
        facts["free"] = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
        facts["total"] = facts["usable"] = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    facts["fits"] = []
    if shape is not None:
        window = min(asked["context_window"] or shape.context_window, shape.context_window)
        is_card, usable = device.type == "cuda", facts["usable"]
        facts["fits"] = [fitting(shape, window, usable, *names, is_card=is_card) for names in _combinations()]
    return facts


def _shape(asked: dict[str, Any]) -> LlamaShape | None:
    """The model's shape; None where it can't be known before the model is here."""
    if asked["folder"] is not None:
        return read_shape(Path(asked["folder"]))
    return LLAMA_2_7B if asked["is_llama_2_7b"] else None


def _combinations() -> list[tuple[str, str]]:
    return [("fp16", "fp16"), ("fp16", "int8"), ("int8", "fp16"), ("int8", "int8")]


def fitting(
    shape: LlamaShape, window: int, usable: int, weights: str, kv_cache: str, *, is_card: bool = True
) -> dict[str, Any]:
    """About what fits into so many bytes in one setting: how many tokens in all, and how many whole conversations."""
    kind, cache_kind = _SETTINGS[weights][0], _SETTINGS[kv_cache][1]
    dtype = torch.float16 if is_card else torch.float32
    needed = memory.weights_bytes(shape, dtype, kind)
    room = usable - needed
    if is_card and room > 0:
        num_rows = memory.settle_prefill_tokens(shape, dtype, room)
        room -= num_rows * sum(workspace_widths(shape)) * dtype.itemsize + _GRAPH_BYTES
    num_tokens = max(0, room // block_bytes(shape, dtype, cache_kind) - 1) * BLOCK_SIZE
    most = (memory.MOST_SEQUENCES if is_card else CPU_SEQUENCES) * window
    num_tokens = min(num_tokens, most)
    least = min(memory.SHORTEST_CONVERSATION_TOKENS, window)
    return {
        "weights": weights, "kv_cache": kv_cache, "weights_bytes": needed, "window": window,
        "tokens": num_tokens if num_tokens >= least else 0, "conversations": num_tokens // window,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(card_facts(json.load(sys.stdin))))  # noqa: T201 - it is how it answers
